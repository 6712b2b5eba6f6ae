"""Communication between ranks: the only part that knows MPI."""
