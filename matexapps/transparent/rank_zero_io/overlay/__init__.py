"""The files of ranks other than 0: each rank's changes, above what was there before."""
