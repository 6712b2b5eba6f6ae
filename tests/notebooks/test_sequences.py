"""Random sequences of operations on ranks: whatever came before, the next cell is right."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kernel import Notebook, open_notebook
from processes import descendants, runs

PROGRAM = Path(__file__).with_name("programs") / "sequences.py"
LENGTH = 6
OPERATIONS = (
    "start",
    "run",
    "keep",
    "fail",
    "interrupt",
    "interrupt_training",
    "kill",
    "restart",
    "stop",
    "fit",
)

FIRST_CELL = "%load_ext matexapps\nimport json\n" + PROGRAM.read_text()

LOOK = """%%mpi -o seen
import os
import numpy as np
from matexapps import open_world
with open_world() as comm:
    total = np.array([comm.rank + 1.0])
    comm.all_reduce(total)
float(total[0]), os.getpid(), globals().get("kept")
"""

FAIL = """%%mpi
import time
from matexapps import open_world
comm = open_world()
comm.barrier()
if comm.rank == {rank}:
    raise ValueError("on purpose")
{others}
"""

FAIL_IN_BLOCK = """%%mpi
from matexapps import open_world
with open_world() as comm:
    if comm.rank == {rank}:
        raise ValueError("on purpose")
    comm.barrier()
"""

INTERRUPTED = """%%mpi
import time
from matexapps import open_world
comm = open_world()
comm.barrier()
print("under way", flush=True)
if comm.rank == {rank}:
    while True:
        time.sleep(0.01)
{others}
"""

COLLECTIVE, COMPUTING = "comm.barrier()", "while True:\n    time.sleep(0.01)"

KILL = """%%mpi
import os, signal
from matexapps import open_world
comm = open_world()
comm.barrier()
if comm.rank == {rank}:
    os.kill(os.getpid(), signal.SIGKILL)
comm.barrier()
"""

FIT = """
result = cluster.fit(model, data, epochs=2, batch_size=50)
np.testing.assert_allclose(result.history.frame["loss"], alone, rtol=1e-5)
"""

ENDLESS_FIT = """
cluster.fit(model, data, epochs=1_000_000, batch_size=50, callbacks=[Speak()])
"""


class Ranks:
    """The ranks of a notebook, and what must be true of them after each operation."""

    def __init__(self, notebook: Notebook, n: int, chance: random.Random) -> None:
        self.notebook, self.n, self.chance = notebook, n, chance
        self.ended()
        self.pids_before: list[int] = []

    def ended(self) -> None:
        """Expect no ranks; the next use starts new ones, which know no names."""
        self.running, self.n_alive = False, self.n
        self.values: list[list[int] | None] = [None] * self.n
        self.pids: list[int] | None = None

    def start(self) -> None:
        text = self.notebook.good(f"%mpi start -n {self.n}")
        if self.running and self.n_alive == self.n:
            assert f"{self.n} ranks are running already" in text
        else:
            assert f"{self.n} ranks started" in text
            self.ended()
        self.running = True

    def run(self) -> None:
        shown = self.notebook.good(LOOK)
        assert "under way" not in shown
        seen = json.loads(self.notebook.good("print(json.dumps(seen))"))
        totals, pids, values = map(list, zip(*seen, strict=True))
        assert totals == [self.n_alive * (self.n_alive + 1) / 2] * self.n_alive
        assert values == self.values
        if self.pids is None:
            assert set(pids).isdisjoint(self.pids_before)
        else:
            assert pids == self.pids
        self.pids = self.pids_before = pids
        self.running = True

    def keep(self) -> None:
        value = self.chance.randrange(1, 10**6)
        self.notebook.good(
            "%%mpi\nfrom matexapps import open_world\n"
            f"with open_world() as comm:\n    kept = ({value}, comm.rank)"
        )
        self.values = [[value, rank] for rank in range(self.n_alive)]
        self.running = True

    def fail(self) -> None:
        rank = self.chance.randrange(self.n_alive)
        ways = [FAIL_IN_BLOCK, *(FAIL.replace("{others}", o) for o in (COLLECTIVE, COMPUTING))]
        shown = self.notebook.cell(self.chance.choice(ways).format(rank=rank))
        assert shown.error == "ClusterError", shown.text
        assert f"ValueError on rank {rank} of {self.n_alive}" in shown.text
        self.running = True

    def interrupt(self) -> None:
        rank = self.chance.randrange(self.n_alive)
        others = self.chance.choice([COLLECTIVE, COMPUTING])
        self._stopped(INTERRUPTED.format(rank=rank, others=others))

    def interrupt_training(self) -> None:
        self._stopped(ENDLESS_FIT)

    def _stopped(self, code: str) -> None:
        pause_s = self.chance.uniform(0, 0.3)

        def press() -> None:
            time.sleep(pause_s)
            self.notebook.stop()

        shown = self.notebook.cell(code, "under way", press)
        assert shown.error == "KeyboardInterrupt", shown.text
        assert "they were ended" not in shown.text, shown.text
        self.running = True

    def kill(self) -> None:
        rank = self.chance.randrange(self.n_alive)
        shown = self.notebook.cell(KILL.format(rank=rank))
        assert shown.error == "RanksDied", shown.text
        assert f"rank {rank} on " in shown.text
        assert "was ended by signal 9" in shown.text
        if "with its names" not in shown.text and "with their names" not in shown.text:
            self.ended()
            return
        self.running, self.n_alive = True, self.n_alive - 1
        del self.values[rank]
        if self.pids is not None:
            del self.pids[rank]

    def restart(self) -> None:
        self.ended()
        assert f"{self.n} ranks started" in self.notebook.good("%mpi restart")
        self.running = True

    def stop(self) -> None:
        self.notebook.good("%mpi stop")
        self.ended()

    def fit(self) -> None:
        self.notebook.good(FIT)
        self.running = True


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    """A kernel that has what the operations use, and no ranks yet."""
    before = descendants()
    with open_notebook(FIRST_CELL) as notebook:
        yield notebook
    assert descendants() <= before


def check(notebook: Notebook, n: int, seed: int) -> None:
    """Do random operations, then see that a cell is right and that no process is left."""
    chance = random.Random(seed)
    operations = ["start", *chance.choices(OPERATIONS, k=LENGTH), "run"]
    print(f"{n} ranks, seed {seed}: {' '.join(operations)}")
    before = started = descendants()
    ranks = Ranks(notebook, n, chance)
    try:
        for number, operation in enumerate(operations):
            print(f"operation {number}: {operation}")
            getattr(ranks, operation)()
            started = started | descendants()
    finally:
        notebook.good("%mpi stop")
    # Looked for one by one too: what lost its parent is no descendant any more.
    assert len(started) > len(before) + n
    assert [psutil.Process(pid).cmdline() for pid in started - before if runs(pid)] == []
    assert descendants() <= before


# Of 3000 seeds the one whose operations are all different and none of them a mere start or end.
@pytest.mark.parametrize(
    ("n", "seed"),
    [
        (3, 1732),
        pytest.param(3, 1000, marks=pytest.mark.slow),
        pytest.param(2, 1005, marks=pytest.mark.slow),
    ],
)
def test_after_random_operations_the_next_cell_is_right(notebook, n, seed):
    check(notebook, n, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_after_a_hundred_random_sequences_the_next_cell_is_right(notebook, seed):
    check(notebook, 2 + seed % 2, seed)
