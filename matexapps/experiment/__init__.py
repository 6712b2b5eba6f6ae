"""Experiments without a domain: what every study of every application has in common."""
