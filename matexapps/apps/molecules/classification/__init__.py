"""Targets of two classes: what is learned, what is said of new molecules, and how good that is."""
