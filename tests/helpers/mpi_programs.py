"""The programs of ``tests/mpi/programs``."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "mpi" / "programs"


def program(name: str) -> str:
    """Return the text of a program, as ``program("comm/collectives.py")``."""
    return (FOLDER / name).read_text()
