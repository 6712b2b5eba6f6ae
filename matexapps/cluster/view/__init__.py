"""The progress of work: state, panel, curves, plain lines."""
