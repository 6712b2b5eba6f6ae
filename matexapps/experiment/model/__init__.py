"""Trained models: used here or on a cluster's ranks, kept in a folder, read again."""
