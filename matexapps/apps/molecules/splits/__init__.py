"""Splits into training, validation and test molecules, and the audit of what they leak."""
