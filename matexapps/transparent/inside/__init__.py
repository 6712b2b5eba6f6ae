"""What acts for all rows of a batch inside a network that has a part of them."""
