"""Checks of collectives: who calls what, and who waits long."""
