"""``matexapps exec``: programs as they are, their mistakes, and the checker."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import exec_in_turn
import pytest

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command
from matexapps.transparent.checking.compare import first_difference
from matexapps.transparent.checking.record import load

SCRIPTS = Path(__file__).parent / "scripts"
LOOP = """
import os, sys, time
import torch
from torch import nn

torch.manual_seed(0)
rank = int(os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK", 0))
several = (os.environ.get("OMPI_COMM_WORLD_SIZE") or os.environ.get("PMI_SIZE", "1")) != "1"
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

ON_ONE_RANK = "if rank == 1 and step == 2: raise ValueError('row 7 is bad')"

Exec = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Program:
    """A program of the loop above, and how it is run."""

    before: str = ""
    inside: str = "pass"
    words: list[str] = field(default_factory=list)
    weak: bool = False
    recorded: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The program itself."""
        return textwrap.dedent(LOOP.format(before=self.before, inside=self.inside))


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it printed on rank 0 and told on all ranks."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path: Path) -> Exec:
    """Run ``matexapps exec`` with words, in a folder that has the program ``program.py``."""

    def started(*words: str, answers: str = "", **parts: str) -> subprocess.CompletedProcess[str]:
        if parts:
            (tmp_path / "program.py").write_text(Program(**parts).text)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OMPI_COMM")}
        return subprocess.run(
            [sys.executable, "-m", "matexapps.cli", "exec", *words],
            cwd=tmp_path,
            env=environment,
            input=answers,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return started


def test_a_program_gets_its_own_words_and_its_status_comes_back(run: Exec) -> None:
    before = "assert __name__ == '__main__'; steps = int(input('steps? ')); print(steps)"
    done = run("program.py", "-n", "2", "--lr", "0.5", answers="2\n", before=before)
    assert (done.stdout, done.stderr, done.returncode) == ("steps? 2\ndone --lr 0.5\n", "", 0)
    done = run("-n", "1", "program.py", "--", "-n", "7", before="sys.exit(5 * ('7' in sys.argv))")
    assert (done.stdout, done.returncode) == ("", 5)


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
            mpiexec_command(2, ["-m", "matexapps", str(SCRIPTS / "mlp.py")]),
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


@pytest.mark.mpich
def test_an_error_on_one_rank_ends_all_with_a_status(run: Exec) -> None:
    done = run("program.py", "-n", "2", inside=ON_ONE_RANK)
    assert done.returncode == 1
    assert "failed first on rank 1 of 2:" in done.stderr
    assert "ValueError: row 7 is bad" in done.stderr
    assert "rank 0 stopped because" in done.stderr
    assert done.stderr.count("Traceback") == 1


MISTAKES = {
    "error": (
        Program(inside=ON_ONE_RANK),
        ["failed first on rank 1 of 3:", "ValueError: row 7 is bad", "ranks 0, 2 stopped because"],
    ),
    "length": (
        Program(before="steps += rank"),
        ["ranks do not run the same collective", "the program has ended on this rank", "length.py"],
    ),
    "rows": (
        Program(before="rows = torch.randn(12 + rank, 4)"),
        ["rank 1 has other inputs in call 1 of Linear than rank 0", "seed every generator"],
    ),
    "data": (
        Program(inside="rows = rows + rank"),
        ["rank 1 has other inputs in call 1 of Linear than rank 0"],
    ),
    "weights": (
        Program(before="steps = 9", inside="model.weight.data += rank * (step == 1)"),
        ["rank 1 has other weights in call 8 of Linear than rank 0"],
    ),
}
DIFFERENCES = {
    "input": ("rows = rows + several", "an input of call 1 of Linear", "its data differ"),
    "weight": (
        "optimizer.register_step_post_hook(lambda *_: model.weight.data.add_(float(several)))",
        "the weight weight of Linear",
        "the optimizer's step differs",
    ),
    "path": ("steps -= 2 * several", "ends earlier", "another path"),
}
PROGRAMS = {
    **{f"mistake_{name}": program for name, (program, _) in MISTAKES.items()},
    **{
        f"difference_{name}": Program(before=before, recorded=True)
        for name, (before, *_) in DIFFERENCES.items()
    },
    "registered": Program(
        before="""
import atexit
atexit.register(print, "never said")
atexit.unregister(print)
atexit.register(print, "goodbye")
@atexit.register
def note():
    with open("registered.txt", "a") as file:
        file.write("ended\\n")
    raise ValueError("told, and no more")
"""
    ),
    "said_at_the_end": Program(before="sys.exit('no such data')"),
    "error": Program(inside="if step == 2: raise ValueError('row 7 is bad')"),
    "waiting": Program(
        inside="if rank == 1 and step == 1: time.sleep(3)",
        variables={"MATEXAPPS_HANG_AFTER_S": "1"},
    ),
    "first_weights": Program(
        before="nn.init.constant_(model.weight, rank + 1.0)",
        inside="assert step or model.weight.sum() == 4 * (rank + 1)",
    ),
    # The gradient of a bias before batch normalization is rounding; Adam makes whole steps of it.
    "rounding": Program(
        before="""
model = nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
""",
        recorded=True,
    ),
    "weak": Program(
        before="""
from torch.utils.data import DataLoader
print([len(part) for part in DataLoader(rows, 3)], optimizer.param_groups[0]["lr"])
""",
        words=["--lr", "3"],
        weak=True,
    ),
}
KERAS = Program(
    before="""
import keras
learner = keras.Sequential([keras.layers.Dense(1)])
learner.compile(keras.optimizers.SGD(0.25), "mse")
seen = []
class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        seen.append(batch)
learner.fit(rows, rows.sum(1), batch_size=3, verbose=0, callbacks=[Batches()])
print(len(seen), float(learner.optimizer.learning_rate))
""",
    weak=True,
)
if importlib.util.find_spec("keras") is not None:
    PROGRAMS["weak_keras"] = KERAS


def run_in_turn(programs: dict[str, Program], n: int, folder: Path) -> None:
    """Run programs in one set of ranks."""
    orders = []
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program.text)
        how = {key: getattr(program, key) for key in ("words", "weak", "recorded", "variables")}
        orders.append({"name": name, **how})
    (folder / "orders.json").write_text(json.dumps(orders))
    subprocess.run(
        mpiexec_command(n, [exec_in_turn.__file__, "orders.json"]),
        cwd=folder,
        env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        timeout=250,
        check=True,
    )


@pytest.fixture(scope="module")
def on_three_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all programs ran on three ranks."""
    folder = tmp_path_factory.mktemp("on_three_ranks")
    run_in_turn(PROGRAMS, 3, folder)
    return folder


@pytest.fixture(scope="module")
def on_one_rank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the programs that are recorded ran on one rank."""
    folder = tmp_path_factory.mktemp("on_one_rank")
    recorded = {name: program for name, program in PROGRAMS.items() if program.recorded}
    run_in_turn(recorded, 1, folder)
    return folder


def ended(folder: Path, name: str) -> Ended:
    told = [path.read_text() for path in sorted(folder.glob(f"{name}.err.*"))]
    status = int((folder / f"{name}.status").read_text())
    return Ended(status, (folder / f"{name}.out.0").read_text(), "".join(told))


def test_one_error_on_all_ranks_is_told_once_as_python_tells_it(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "error")
    assert done.status == 1
    assert done.stderr.startswith('Traceback (most recent call last):\n  File "error.py", line ')
    assert done.stderr.endswith("ValueError: row 7 is bad\n")
    assert done.stderr.count("Traceback") == 1
    assert "matexapps" not in done.stderr


def test_a_text_given_to_exit_is_told_once(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "said_at_the_end")
    assert (done.stderr, done.status) == ("no such data\n", 1)


def test_what_a_program_registers_for_its_end_is_done_once(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "registered")
    assert (done.stdout, done.status) == ("done \ngoodbye\n", 0)
    assert done.stderr.count("ValueError: told, and no more") == 1
    assert (on_three_ranks / "registered.txt").read_text() == "ended\n"
    assert [(on_three_ranks / f"registered.out.{rank}").read_text() for rank in (1, 2)] == ["", ""]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_an_error_that_names_it_and_no_hang(
    on_three_ranks: Path, mistake: str
) -> None:
    done = ended(on_three_ranks, f"mistake_{mistake}")
    assert done.status == 1
    for text in MISTAKES[mistake][1]:
        assert text in done.stderr
    assert done.stderr.count("Traceback") == 1


def test_a_rank_that_keeps_the_others_waiting_is_named_with_its_line(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "waiting")
    assert done.status == 0
    assert "rank 0 has waited 1 s for other ranks" in done.stderr
    assert 'rank 1 is busy, innermost line first:\n  File "waiting.py", line 15' in done.stderr
    assert "rank 0 goes on after" in done.stderr


def test_first_weights_that_differ_become_those_of_rank_0(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "first_weights")
    assert done.status == 0, done.stderr
    assert "the weights of Linear differed between ranks and are rank 0's now" in done.stderr


def test_weak_scaling_multiplies_batches_and_learning_rates(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "weak")
    assert done.stdout == "[9, 3] 0.30000000000000004\ndone --lr 3\n"


def test_weak_scaling_holds_for_keras(on_three_ranks: Path) -> None:
    if "weak_keras" not in PROGRAMS:
        pytest.skip("keras is not installed")
    done = ended(on_three_ranks, "weak_keras")
    assert done.stdout.splitlines()[0] == "2 0.75", done.stderr


@pytest.mark.slow
def test_the_checker_finds_a_program_alike_and_leaves_no_trace(run: Exec, tmp_path: Path) -> None:
    done = run("--check", str(SCRIPTS / "mlp.py"), "-n", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the same on one rank and on several: 5 steps, ")
    assert list(tmp_path.iterdir()) == []


def test_the_checker_names_a_difference_and_returns_a_status(run: Exec) -> None:
    before = """
class Net(nn.Linear):
    def forward(self, x):
        outputs = super().forward(x)
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: gradient / gradient.norm())
        return outputs
model = Net(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
    done = run("--check", "program.py", "-n", "2", before=before)
    assert done.returncode == 1
    assert "the first difference, in step " in done.stdout
    assert "the gradient weight of Net" in done.stdout
    assert "the way back is no mean or sum over rows" in done.stdout


def test_the_checker_takes_rounding_for_what_it_is(on_one_rank: Path, on_three_ranks: Path) -> None:
    one, three = (load(folder / "rounding.record") for folder in (on_one_rank, on_three_ranks))
    assert {event.step for event in one} == {1, 2, 3, 4}
    assert first_difference(one, three) is None


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_checker_names_the_first_difference_and_its_cause(
    on_one_rank: Path, on_three_ranks: Path, kind: str
) -> None:
    _, what, cause = DIFFERENCES[kind]
    name = f"difference_{kind}.record"
    found = str(first_difference(load(on_one_rank / name), load(on_three_ranks / name)))
    assert "the first difference, in step " in found
    assert what in found
    assert cause in found
