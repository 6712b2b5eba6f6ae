"""What runs on a rank that serves a notebook."""
