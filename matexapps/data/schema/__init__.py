"""What stands where in a file: features, labels, weights, and what they may be."""
