"""What ranks print, draw and evaluate, shown by rank."""
