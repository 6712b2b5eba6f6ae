"""Rank failures: membership, going on without lost ranks, starting again in place."""
