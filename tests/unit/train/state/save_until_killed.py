"""Kills a process that writes checkpoints, again and again, and loads the newest after each."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from matexapps.train.state.checkpoint import finish_checkpoints, load_checkpoint, save_checkpoint

folder, rng = Path(sys.argv[1]), random.Random(0)
torch.set_num_threads(1)


def state(epoch):
    values = torch.full((200_000,), float(epoch))
    return {"model": {"weight": values}, "epoch": epoch, "step": 0, "optimizer": [values]}


began = time.monotonic()
if (first := os.fork()) == 0:
    save_checkpoint(folder, state(0), keep=2)
    finish_checkpoints(folder)
    os._exit(0)
os.waitpid(first, 0)
seconds_to_save = time.monotonic() - began
newest, broken = 0, 0
for _ in range(50):
    child = os.fork()
    if child == 0:
        epoch = newest
        while True:
            epoch += 1
            save_checkpoint(folder, state(epoch), keep=2)
    time.sleep(rng.uniform(0.0, 4.0) * seconds_to_save)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    broken += any(folder.glob(".*.partial"))
    loaded = load_checkpoint(folder)
    assert loaded["epoch"] >= newest
    assert torch.equal(loaded["model"]["weight"], state(loaded["epoch"])["model"]["weight"])
    newest = loaded["epoch"]
print(newest, broken)
