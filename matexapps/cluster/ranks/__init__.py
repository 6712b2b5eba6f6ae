"""The processes behind a cluster, and how one learns where they are and why they ended."""
