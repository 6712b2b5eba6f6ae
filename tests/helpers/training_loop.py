"""The loop that ``exec_in_turn.Program`` fills in."""

import os
import sys
import time  # noqa: F401  # for lines that are filled in

import torch
from torch import nn

torch.manual_seed(0)
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK", 0))
several = (os.environ.get("OMPI_COMM_WORLD_SIZE") or os.environ.get("PMI_SIZE", "1")) != "1"
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
rows = torch.randn(12, 4)
steps = 4
# before the loop
for step in range(steps):
    _ = step  # at the beginning of a step
    loss = (model(rows) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("done", " ".join(sys.argv[1:]))
