"""One program run on all ranks: how it starts, how it ends, and where it waits."""
