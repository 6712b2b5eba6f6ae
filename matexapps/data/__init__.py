"""Data sets: files read, checked, split, and shared out among ranks."""
