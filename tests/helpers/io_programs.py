"""The programs of ``tests/transparent/rank_zero_io/programs``, each a function without arguments.

A program returns what it has read, as values for JSON. It runs in a working folder of its own, in
which ``before_PROGRAM``, if there is one, has written what exists before the program begins.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

Program = Callable[[], Any]

FOLDER = Path(__file__).parents[1] / "transparent" / "rank_zero_io" / "programs"
PROGRAMS: dict[str, Program] = {}
PREPARED: dict[str, Program] = {}


def program(function: Program) -> Program:
    """Add a program to those that are run."""
    PROGRAMS[function.__name__] = function
    return function


def prepared(function: Program) -> Program:
    """Add what is done before the program that this is named after."""
    PREPARED[function.__name__.removeprefix("before_")] = function
    return function


def load_programs() -> dict[str, Program]:
    """Return all programs by name."""
    for path in sorted(FOLDER.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"io_programs_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return PROGRAMS


def tree(folder: str = ".") -> list[str]:
    """Return the paths of everything in a folder."""
    return sorted(str(path) for path in Path(folder).rglob("*"))


def contents_and_times() -> list[Any]:
    """Return everything in the working folder, with bytes and times."""
    return [
        (str(path), path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in sorted(Path().rglob("*"))
    ]


def error_of(function: Program) -> list[str]:
    """Return the kind of error that a function raises, and the paths that it names."""
    try:
        function()
    except OSError as error:
        return [type(error).__name__, str(error.filename), str(error.filename2)]
    return []
