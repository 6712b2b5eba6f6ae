"""Checks of collectives: whether all ranks run the same, from which line, and for how long."""
