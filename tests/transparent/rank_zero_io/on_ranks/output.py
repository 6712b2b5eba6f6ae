"""Prints, warnings, logs, progress bars, questions and figures."""

import io
import logging
import os
import sys
import warnings

from matexapps import distributed

logging.basicConfig(level=logging.INFO)
with distributed() as comm:
    print("printed")
    print("complained", file=sys.stderr)
    warnings.warn("warned", stacklevel=1)
    logging.info("logged")
    from tqdm import tqdm

    for _ in tqdm(range(2), desc="advanced"):
        pass
    print("real", comm.rank, file=sys.__stderr__)
    if comm.rank == 0:
        sys.stdin = io.StringIO("42\n")
    answers = comm.all_gather_object(input("asked"))
    import matplotlib

    if comm.rank:
        matplotlib.use("svg")
    backends = comm.all_gather_object(matplotlib.get_backend().lower())
    os.write(2, f"rank {comm.rank} got {answers} {backends[1:]}\n".encode())
logging.info("later")
