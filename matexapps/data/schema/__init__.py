"""Which column of a file is what: features, labels, weights, and the values they may have."""
