"""``matexapps exec``: programs as they are, their mistakes, and the checker."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from matexapps.comm.launch import mpi_environment, mpiexec_command

SCRIPTS = Path(__file__).parent / "scripts"
LOOP = """
import os, sys, time
import torch
from torch import nn

torch.manual_seed(0)
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", 0))
several = os.environ.get("OMPI_COMM_WORLD_SIZE", "1") != "1"
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
rows = torch.randn(12, 4)
steps = 4
{before}
for step in range(steps):
    {inside}
    loss = (model(rows) - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("done", " ".join(sys.argv[1:]))
"""

Exec = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Exec:
    """Run ``matexapps exec`` with words, in a folder that has the program ``program.py``."""

    def started(*words: str, **parts: str) -> subprocess.CompletedProcess[str]:
        if parts:
            text = LOOP.format(**{"before": "", "inside": "pass", **parts})
            (tmp_path / "program.py").write_text(textwrap.dedent(text))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OMPI_COMM")}
        return subprocess.run(
            [sys.executable, "-m", "matexapps.cli", "exec", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return started


def test_a_program_gets_its_own_words_and_its_status_comes_back(run: Exec) -> None:
    done = run("program.py", "-n", "2", "--lr", "0.5", before="assert __name__ == '__main__'")
    assert (done.stdout, done.stderr, done.returncode) == ("done --lr 0.5\n", "", 0)
    done = run(
        "-n", "2", "program.py", "--", "-n", "7", before="sys.exit(5 if '7' in sys.argv else 0)"
    )
    assert (done.stdout, done.returncode) == ("", 5)
    done = run("program.py", before="sys.exit('no such data')")
    assert (done.stderr, done.returncode) == ("no such data\n", 1)


def test_mpiexec_runs_it_too(tmp_path: Path) -> None:
    plain, shared = (
        subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for command in (
            [sys.executable, str(SCRIPTS / "mlp.py")],
            mpiexec_command(3, ["-m", "matexapps", str(SCRIPTS / "mlp.py")]),
        )
    )
    assert "epoch 3" in plain
    assert shared == plain


def test_what_cannot_run_is_said_at_once(run: Exec, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    done = run("trian.py")
    assert done.stderr == "there is no program 'trian.py'; did you mean 'train.py'?\n"
    (tmp_path / "study.ipynb").write_text("{}")
    assert "is a notebook; run it with: matexapps run study.ipynb" in run("study.ipynb").stderr


def test_one_error_on_all_ranks_is_told_once_as_python_tells_it(run: Exec) -> None:
    done = run("program.py", "-n", "3", inside="if step == 2: raise ValueError('row 7 is bad')")
    assert done.returncode == 1
    assert done.stderr.startswith('Traceback (most recent call last):\n  File "program.py", line ')
    assert done.stderr.endswith("ValueError: row 7 is bad\n")
    assert done.stderr.count("Traceback") == 1
    assert "matexapps" not in done.stderr


MISTAKES = {
    "an exception on one rank": (
        {"inside": "if rank == 1 and step == 2: raise ValueError('row 7 is bad')"},
        ["failed first on rank 1 of 3:", "ValueError: row 7 is bad", "ranks 0, 2 stopped because"],
    ),
    "a loop whose length depends on the rank": (
        {"before": "steps += rank"},
        [
            "ranks do not run the same collective",
            "the program has ended on this rank",
            "program.py:",
        ],
    ),
    "rows that depend on the rank": (
        {"before": "rows = torch.randn(12 + rank, 4)"},
        ["rank 1 has other inputs in call 1 of Linear than rank 0", "seed every generator"],
    ),
    "data that depend on the rank": (
        {"inside": "rows = rows + rank"},
        ["rank 1 has other inputs in call 1 of Linear than rank 0"],
    ),
    "weights that come to depend on the rank": (
        {"inside": "model.weight.data += rank * (step == 1)"},
        ["rank 1 has other weights in call 2 of Linear than rank 0"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_an_error_that_names_it_and_no_hang(run: Exec, mistake: str) -> None:
    parts, words = MISTAKES[mistake]
    done = run("program.py", "-n", "3", **parts)
    assert done.returncode == 1
    for text in words:
        assert text in done.stderr
    assert done.stderr.count("Traceback") == 1


def test_a_rank_that_keeps_the_others_waiting_is_named_with_its_line(
    run: Exec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATEXAPPS_HANG_AFTER_S", "1")
    done = run("program.py", "-n", "2", inside="if rank == 1 and step == 1: time.sleep(4)")
    assert done.returncode == 0
    assert "rank 0 has waited 1 s for other ranks" in done.stderr
    assert 'rank 1 is busy, innermost line first:\n  File "program.py", line 15' in done.stderr
    assert "rank 0 goes on after" in done.stderr


def test_first_weights_that_differ_become_those_of_rank_0(run: Exec) -> None:
    done = run("program.py", "-n", "2", before="nn.init.constant_(model.weight, rank + 1.0)",
               inside="assert step or model.weight.sum() == 4 * (rank + 1)")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the weights of Linear differed between ranks and are rank 0's now" in done.stderr


def test_weak_scaling_multiplies_batches_and_learning_rates(run: Exec) -> None:
    before = """
from torch.utils.data import DataLoader
print([len(part) for part in DataLoader(rows, 4)], optimizer.param_groups[0]["lr"])
"""
    done = run("--weak", "program.py", "-n", "2", before=before)
    assert done.stdout.splitlines()[0] == "[8, 4] 0.2"


def test_weak_scaling_holds_for_keras(run: Exec) -> None:
    pytest.importorskip("keras", reason="keras is not installed")
    before = """
import keras
learner = keras.Sequential([keras.layers.Dense(1)])
learner.compile(keras.optimizers.SGD(0.25), "mse")
seen = []
class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        seen.append(batch)
learner.fit(rows, rows.sum(1), batch_size=4, verbose=0, callbacks=[Batches()])
print(len(seen), float(learner.optimizer.learning_rate))
"""
    done = run("--weak", "program.py", "-n", "2", before=before)
    assert done.stdout.splitlines()[0] == "2 0.5", done.stderr


def test_the_checker_finds_a_program_alike_and_leaves_no_trace(run: Exec, tmp_path: Path) -> None:
    done = run("--check", str(SCRIPTS / "mlp.py"), "-n", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the same on one rank and on several: 5 steps, ")
    assert list(tmp_path.iterdir()) == []


def test_the_checker_takes_rounding_for_what_it_is(run: Exec) -> None:
    # The gradient of a bias before batch normalisation is rounding; Adam makes whole steps of it.
    before = """
model = nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
    done = run("--check", "program.py", "-n", "3", before=before)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("the same on one rank and on several: 4 steps, ")


DIFFERENCES = {
    "gradient": (
        """
class Net(nn.Linear):
    def forward(self, x):
        outputs = super().forward(x)
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: gradient / gradient.norm())
        return outputs
model = Net(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
""",
        "the gradient weight of Net",
        "the way back is no mean or sum over rows",
    ),
    "input": ("rows = rows + several", "an input of call 1 of Linear", "its data differ"),
    "weight": (
        "optimizer.register_step_post_hook(lambda *_: model.weight.data.add_(float(several)))",
        "the weight weight of Linear",
        "the optimiser's step differs",
    ),
    "path": ("steps -= 2 * several", "ends earlier", "another path"),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_checker_names_the_first_difference_and_its_cause(run: Exec, kind: str) -> None:
    before, what, cause = DIFFERENCES[kind]
    done = run("--check", "program.py", "-n", "2", before=before)
    assert done.returncode == 1
    assert "the first difference, in step " in done.stdout
    assert what in done.stdout
    assert cause in done.stdout
