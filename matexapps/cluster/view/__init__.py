"""How far work is: state, panel, curves, plain lines."""
