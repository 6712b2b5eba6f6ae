"""Rank failures: who is present, continuing without failed ranks, restarting with new ones."""
