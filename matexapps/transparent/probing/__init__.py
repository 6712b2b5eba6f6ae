"""Whether a call of a network can be sharded by rows, found out by trying it."""
