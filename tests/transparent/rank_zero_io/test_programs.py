"""What a program reads and leaves on several ranks is what it reads and leaves alone.

Each program runs alone, and on ranks of which rank 0 has gone through the whole program before the
others begin, and the other way round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import io_programs
import pytest
import run_io_programs

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

# Files whose bytes are the same in each run.
REPRODUCIBLE = {"", ".txt", ".csv", ".json", ".npy", ".log"}

Outcome = Callable[[int, str], tuple[Path, dict[str, list[Any]]]]


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """Return the names in a folder, with the contents of reproducible files."""
    items: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            items[name] = path.readlink().name
        elif path.suffix in REPRODUCIBLE and path.is_file():
            items[name] = path.read_bytes()
        else:
            items[name if "-" not in path.stem else f"*{path.suffix}"] = None
    return items


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The folder in which all programs ran on n ranks, and what each rank has read."""
    folders: dict[tuple[int, str], Path] = {}

    def run(n: int, order: str) -> tuple[Path, dict[str, list[Any]]]:
        if (n, order) not in folders:
            folder = folders[n, order] = tmp_path_factory.mktemp("programs")
            words = [run_io_programs.__file__, order]
            done = subprocess.run(
                [sys.executable, *words] if n == 1 else mpiexec_command(n, words),
                cwd=folder,
                env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        folder = folders[n, order]
        return folder, json.loads((folder / "results.json").read_text())

    return run


@pytest.mark.parametrize(
    ("n", "order"),
    [
        (2, "rank-0-first"),
        pytest.param(3, "rank-0-last", marks=pytest.mark.slow),
        pytest.param(2, "rank-0-last", marks=pytest.mark.slow),
        pytest.param(3, "rank-0-first", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", io_programs.load_programs())
def test_program_reads_and_leaves_what_it_does_alone(
    outcome: Outcome, name: str, n: int, order: str
) -> None:
    folder_alone, results_alone = outcome(1, "rank-0-first")
    (expected,) = results_alone[name]
    if expected == "no tensorboard":
        pytest.skip("tensorboard is not installed")
    assert "Traceback" not in str(expected)
    folder, results = outcome(n, order)
    for rank, result in enumerate(results[name]):
        assert result == expected, f"rank {rank}: {result}"
    assert contents(folder / name) == contents(folder_alone / name)
