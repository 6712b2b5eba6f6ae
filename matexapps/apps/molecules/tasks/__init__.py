"""What depends on the kind of target: losses, predictions, calibration, scores."""
