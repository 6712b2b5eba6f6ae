"""Programs written for one process, run on all ranks with the results of one.

Every rank runs the complete program: the same data, the same random numbers, the same decisions.
Only the calls of networks are sharded. Where the program calls a network on a batch, each rank
computes its rows, and the outputs of all ranks are gathered, so that the code that follows (losses,
metrics, prints) sees the global batch on every rank. Whatever the program makes of the outputs is
therefore right by construction, on any number of ranks.
"""
