"""The notebook side: engines, progress, results. It needs neither torch nor mpi4py."""
