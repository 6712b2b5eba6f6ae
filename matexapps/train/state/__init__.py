"""The state of a training: where it stands, how it is kept, and how it comes back."""
