"""One global batch inside a network, of which every rank holds a part."""
