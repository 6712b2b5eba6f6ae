"""What is recorded of a training: its history, its speed, its errors, its rows."""
