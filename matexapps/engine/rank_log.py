"""The files of a rank: its log, and its stacks whenever they are requested."""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

STACKS_SIGNAL = signal.SIGUSR1

_log: TextIO | None = None


def log_name(rank: int) -> str:
    """Return the name of a rank's log in the run's folder."""
    return f"rank-{rank}.log"


def stacks_name(rank: int) -> str:
    """Return the name of the file that a rank's stacks are written to."""
    return f"stacks-{rank}.txt"


def open_log(logs: Path, stacks: Path, rank: int) -> None:
    """Open this rank's log, and write its stack on request and when it crashes.

    Python's faulthandler writes the stack in a C signal handler, so it also works for a rank that
    is stuck in compiled code.

    Parameters
    ----------
    logs : Path
        Folder of the log. The stack of a crash, such as a segmentation fault, is written there too.
    stacks : Path
        Folder of the stacks that ``STACKS_SIGNAL`` requests.
    rank : int
    """
    global _log
    _log = open(logs / log_name(rank), "a", buffering=1, errors="replace")  # noqa: SIM115
    faulthandler.enable(_log)
    stacks_file = open(stacks / stacks_name(rank), "w")  # noqa: SIM115  # open as long as the rank
    # Not of all threads: reading the stack of a running thread can crash the process. The signal
    # goes to the main thread, which does the work.
    faulthandler.register(STACKS_SIGNAL, stacks_file, all_threads=False)


@contextmanager
def logged(label: str) -> Iterator[None]:
    """Copy what the block prints to the log, under a heading."""
    if _log is None:
        yield
        return
    note(label)
    out, err = _Copy(sys.stdout, _log), _Copy(sys.stderr, _log)
    with redirect_stdout(out), redirect_stderr(err):
        yield


def note(text: str) -> None:
    """Write a line to the log, with the time."""
    if _log is not None:
        _log.write(f"[{datetime.now():%Y-%m-%d %H:%M:%S}] {text}\n")


class _Copy:
    """A stream that also writes to a second stream."""

    def __init__(self, stream: TextIO, copy: TextIO) -> None:
        self._stream, self._copy = stream, copy

    def write(self, text: str) -> int:
        self._copy.write(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
