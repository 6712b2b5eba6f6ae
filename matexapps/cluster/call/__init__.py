"""One call on ranks, from sending it to its results or its failure."""
