"""HDF5: what in a file is rows, how to read it, how to write it."""
