"""The files of ranks other than 0: what each changes, above what was there before."""
