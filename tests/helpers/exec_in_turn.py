"""Run programs one after another as ``matexapps exec`` runs them, in one set of ranks.

Starting Python, torch and MPI takes seconds; the programs take less than one. This file is also the
program that the ranks run::

    python exec_in_turn.py ORDERS

ORDERS is a JSON file, a list of the keyword arguments of :func:`run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command
from matexapps.transparent.program.script import Recording, run_script

_LOOP = (Path(__file__).parent / "training_loop.py").read_text()


@dataclass(frozen=True)
class Program:
    """A program made of ``training_loop.py``, and how it is run."""

    before: str = ""
    inside: str = "pass"
    words: list[str] = field(default_factory=list)
    weak: bool = False
    recorded: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The program itself."""
        before = textwrap.dedent(self.before)
        loop = _LOOP.replace("# before the loop", before)
        return loop.replace("_ = step  # at the beginning of a step", self.inside)


@dataclass(frozen=True)
class Ended:
    """How a program ended, what rank 0 printed, and what all ranks wrote to standard error."""

    status: int
    stdout: str
    stderr: str


def run_in_turn(programs: Mapping[str, Program], n: int, folder: Path) -> None:
    """Run programs in one set of ranks."""
    orders = []
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program.text)
        options = {key: getattr(program, key) for key in ("words", "weak", "recorded", "variables")}
        orders.append({"name": name, **options})
    (folder / "orders.json").write_text(json.dumps(orders))
    subprocess.run(
        mpiexec_command(n, [__file__, "orders.json"]),
        cwd=folder,
        env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
        timeout=250,
        check=True,
    )


def ended(folder: Path, name: str) -> Ended:
    """Return how a program ended that :func:`run_in_turn` ran in ``folder``."""
    errors = [path.read_text() for path in sorted(folder.glob(f"{name}.err.*"))]
    status = int((folder / f"{name}.status").read_text())
    return Ended(status, (folder / f"{name}.out.0").read_text(), "".join(errors))


def run(
    name: str, words: Sequence[str], weak: bool, recorded: bool, variables: Mapping[str, str]
) -> None:
    """Run ``NAME.py`` and leave ``NAME.out.RANK``, ``NAME.err.RANK``, ``NAME.status``."""
    rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK", "0")
    recording = Recording(Path(f"{name}.record"), 5) if recorded else None
    with (
        mock.patch.dict(os.environ, variables),
        _redirected(1, f"{name}.out.{rank}"),
        _redirected(2, f"{name}.err.{rank}"),
    ):
        status = run_script(Path(f"{name}.py"), words, weak=weak, recording=recording)
    if rank == "0":
        Path(f"{name}.status").write_text(str(status))


@contextmanager
def _redirected(descriptor: int, path: str) -> Iterator[None]:
    # Also catches what bypasses ``sys.stderr``.
    stream = (sys.stdout, sys.stderr)[descriptor - 1]
    stream.flush()
    duplicate = os.dup(descriptor)
    with open(path, "w") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(duplicate, descriptor)
        os.close(duplicate)


if __name__ == "__main__":
    for order in json.loads(Path(sys.argv[1]).read_text()):
        run(**order)
