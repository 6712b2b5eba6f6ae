"""The processes behind a cluster: where they are, and why they ended."""
