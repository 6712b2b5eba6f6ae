"""Programs written for one process, run on all ranks with the result of one.

Every rank runs the whole program: same data, same random numbers, same decisions. Only the calls of
networks are shared out. Where the program calls a network on a batch, each rank computes its part
of the rows, and the outputs of all ranks are put together again, so that what follows (losses,
metrics, prints) sees the whole batch on every rank. Whatever the program makes of the outputs is
then right by construction, on any number of ranks.
"""
