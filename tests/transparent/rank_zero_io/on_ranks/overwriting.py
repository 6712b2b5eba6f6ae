"""Rank 0 overwrites a file that another rank is still reading."""

import time

from matexapps import distributed

with distributed() as comm:
    file = open("data.txt")  # noqa: SIM115  # closed below, after the wait
    comm.barrier()
    if comm.rank == 1:
        time.sleep(0.1)
    text = file.read()
    file.close()
    with open("data.txt", "w") as file:
        file.write("new")
    with open("data.txt") as file:
        text += file.read()
    texts = comm.all_gather_object(text)
print(texts)
