"""Starting, supervising and ending processes, without mpi4py and torch."""
