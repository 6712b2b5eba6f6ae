"""Training on any number of ranks, with the result of one."""
