"""A first overview of a file."""
