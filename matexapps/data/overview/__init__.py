"""What a person wants to know first about a file."""
