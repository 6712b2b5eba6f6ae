"""Communicators that one piece of work has broken and the next one uses again."""

from __future__ import annotations

import pytest

PROGRAM = """
import sys
import numpy as np
from matexapps.comm.world import open_world, renew_worlds

def total(comm):
    values = np.array([comm.rank + 1.0])
    comm.all_reduce(values)
    return float(values[0])

broken, untouched = open_world(), open_world()
rank, n = broken.rank, broken.world_size
expected = n * (n + 1) / 2
for attempt in range(3):
    try:
        if rank == attempt % n:
            raise ValueError("only here")
        broken.barrier()
    except Exception as error:
        broken.abort(repr(error))
    if rank == 0 and attempt == 0:
        # As if interrupted work had opened one on this rank alone.
        import matexapps.comm.world as world
        world.world_registry()._next_number += 1
    renew_worlds()
    assert not broken.broken
    assert total(broken) == expected
    assert total(untouched) == expected
    later = open_world()
    assert total(later) == expected
    later.close()
print(rank, broken.renewals, untouched.renewals, flush=True)
"""


@pytest.mark.mpich
@pytest.mark.parametrize("n", [1, 2, 3])
def test_broken_communicators_work_again_and_others_are_left_alone(run_ranks, n):
    done = run_ranks(n, PROGRAM)
    assert done.returncode == 0, done.stderr
    renewals = 3 if n > 1 else 0
    assert sorted(done.stdout.splitlines()) == [f"{rank} {renewals} 0" for rank in range(n)]


TRAINING = """
import numpy as np
import torch
from torch import nn
from matexapps import Callback, DataSet, Trainer
from matexapps.comm.world import open_world, renew_worlds

class FailOnce(Callback):
    failed = False
    def on_epoch_end(self, trainer, row):
        if trainer.comm.rank == trainer.comm.world_size - 1 and not self.failed:
            self.failed = True
            raise RuntimeError("the user's own mistake")

rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
data = DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float), validation=0, test=0)
comm = open_world()
torch.manual_seed(0)
trainer = Trainer(nn.Linear(4, 1), batch_size=50, callbacks=[FailOnce()], comm=comm, seed=1)
try:
    trainer.fit(data, epochs=4)
    raise SystemExit("it must fail")
except Exception:
    pass
renew_worlds()
history = trainer.fit(data, epochs=4)
losses = comm.all_gather_object([row["loss"] for row in history.rows])
assert all(loss == losses[0] for loss in losses), losses
assert [row["epoch"] for row in history.rows][-1] == 4
print("same", flush=True)
"""


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_trainer_goes_on_over_a_renewed_communicator_with_the_same_weights(run_ranks, n):
    done = run_ranks(n, TRAINING)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["same"] * n
