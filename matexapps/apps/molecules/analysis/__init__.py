"""What a trained model says about molecules: contributions, neighbors, activity cliffs."""
