"""Processes: starting, watching and ending them. It needs neither mpi4py nor torch."""
