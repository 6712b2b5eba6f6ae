"""Whether a call of a network can be shared out by rows, found out by trying it."""
