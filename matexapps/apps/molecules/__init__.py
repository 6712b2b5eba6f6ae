"""Molecules: from structures and measured values to predictions whose error is known."""
