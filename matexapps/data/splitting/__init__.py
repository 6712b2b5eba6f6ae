"""From the rows of a source to training, validation and test parts."""
