"""What is recorded of a training: its speed, its errors, its rows."""
