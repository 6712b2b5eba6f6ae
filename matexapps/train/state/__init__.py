"""The state of a training: epoch and step, checkpoints, recovery."""
