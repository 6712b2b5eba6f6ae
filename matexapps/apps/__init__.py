"""One package for each scientific domain."""
