"""HDF5: which parts of a file are rows, how to read them, how to write them."""
