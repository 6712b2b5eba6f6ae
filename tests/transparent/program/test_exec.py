"""``matexapps exec``: unchanged programs, their mistakes, and how they end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exec_in_turn import Program, ended, run_in_turn

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

MLP = Path(__file__).parents[1] / "scripts" / "mlp.py"
ON_ONE_RANK = "if rank == 1 and step == 2: raise ValueError('row 7 is bad')"

Exec = Callable[..., subprocess.CompletedProcess[str]]

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
        [
            "in call 1 of Linear, rank 1 has different inputs than rank 0",
            "seed every generator",
        ],
    ),
    "data": (
        Program(inside="rows = rows + rank"),
        ["in call 1 of Linear, rank 1 has different inputs than rank 0"],
    ),
    "weights": (
        Program(before="steps = 9", inside="model.weight.data += rank * (step == 1)"),
        ["in call 8 of Linear, rank 1 has different weights than rank 0"],
    ),
}
PROGRAMS = {
    **{f"mistake_{name}": program for name, (program, _) in MISTAKES.items()},
    "registered": Program(
        before="""
        import atexit
        atexit.register(print, "never printed")
        atexit.unregister(print)
        atexit.register(print, "goodbye")
        @atexit.register
        def note():
            with open("registered.txt", "a") as file:
                file.write("ended\\n")
            raise ValueError("printed, and no more")
        """
    ),
    "text_for_exit": Program(before="sys.exit('no such data')"),
    "error": Program(inside="if step == 2: raise ValueError('row 7 is bad')"),
    "waiting": Program(
        inside="if rank == 1 and step == 1: time.sleep(3)",
        variables={"MATEXAPPS_HANG_AFTER_S": "1"},
    ),
    "first_weights": Program(
        before="nn.init.constant_(model.weight, rank + 1.0)",
        inside="assert step or model.weight.sum() == 4 * (rank + 1)",
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
WEAK_KERAS = Program(
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
    PROGRAMS["weak_keras"] = WEAK_KERAS


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


@pytest.fixture(scope="module")
def on_three_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all programs ran on three ranks."""
    folder = tmp_path_factory.mktemp("on_three_ranks")
    run_in_turn(PROGRAMS, 3, folder)
    return folder


def test_a_program_gets_its_own_arguments_and_returns_its_status(run: Exec) -> None:
    before = "assert __name__ == '__main__'; steps = int(input('steps? ')); print(steps)"
    done = run("program.py", "-n", "2", "--lr", "0.5", answers="2\n", before=before)
    assert (done.stdout, done.stderr, done.returncode) == ("steps? 2\ndone --lr 0.5\n", "", 0)
    done = run("-n", "1", "program.py", "--", "-n", "7", before="sys.exit(5 * ('7' in sys.argv))")
    assert (done.stdout, done.returncode) == ("", 5)


def test_mpiexec_runs_it_too(tmp_path: Path) -> None:
    plain, distributed = (
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
            [sys.executable, str(MLP)],
            mpiexec_command(2, ["-m", "matexapps", str(MLP)]),
        )
    )
    assert "epoch 3" in plain
    assert distributed == plain


def test_what_cannot_run_is_refused_at_once(run: Exec, tmp_path: Path) -> None:
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


def test_one_error_on_all_ranks_is_printed_as_python_prints_it(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "error")
    assert done.status == 1
    assert done.stderr.startswith('Traceback (most recent call last):\n  File "error.py", line ')
    assert done.stderr.endswith("ValueError: row 7 is bad\n")
    assert done.stderr.count("Traceback") == 1
    assert "matexapps" not in done.stderr


def test_a_text_given_to_exit_is_printed_by_one_rank(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "text_for_exit")
    assert (done.stderr, done.status) == ("no such data\n", 1)


def test_exit_functions_take_effect_on_one_rank(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "registered")
    assert (done.stdout, done.status) == ("done \ngoodbye\n", 0)
    assert done.stderr.count("ValueError: printed, and no more") == 1
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
    lines = PROGRAMS["waiting"].text.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "time.sleep" in text)
    assert done.status == 0
    assert "rank 0 has waited 1 s for other ranks" in done.stderr
    busy = f'rank 1 is busy, innermost line first:\n  File "waiting.py", line {line}'
    assert busy in done.stderr
    assert "rank 0 continues after" in done.stderr


def test_first_weights_that_differ_become_those_of_rank_0(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "first_weights")
    assert done.status == 0, done.stderr
    assert "the weights of Linear differed between ranks" in done.stderr


def test_weak_scaling_multiplies_batch_sizes_and_learning_rates(on_three_ranks: Path) -> None:
    done = ended(on_three_ranks, "weak")
    assert done.stdout == "[9, 3] 0.30000000000000004\ndone --lr 3\n"


def test_weak_scaling_works_for_keras(on_three_ranks: Path) -> None:
    if "weak_keras" not in PROGRAMS:
        pytest.skip("keras is not installed")
    done = ended(on_three_ranks, "weak_keras")
    assert done.stdout.splitlines()[0] == "2 0.75", done.stderr
