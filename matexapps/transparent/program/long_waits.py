"""Reports of ranks that keep the others waiting, with the line of the program they are at."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matexapps.comm.communicator import Communicator
from matexapps.progress import reporting_to

_SIGNAL = signal.SIGUSR1
_ANSWER_S = 0.2
_WAITING_FILE = str(Path("matexapps", "comm", "waiting.py"))


@contextmanager
def reporting_long_waits(comm: Communicator, program: Path) -> Iterator[None]:
    """Report long waits inside on the process's standard error. Collective.

    The report shows where in ``program`` those ranks of this host are that do not wait. Rank 0 asks
    all of them, and rank 1 asks rank 0.

    Parameters
    ----------
    comm : Communicator
    program : Path
    """
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        path = Path(folder) / "stack"
        with path.open("w") as stack:
            faulthandler.register(_SIGNAL, stack, all_threads=False)
            processes = comm.all_gather_object((comm.hostname, os.getpid(), path))
            try:
                with reporting_to(_WaitReporter(comm, program, processes).report):
                    yield
            finally:
                faulthandler.unregister(_SIGNAL)


class _WaitReporter:
    def __init__(
        self, comm: Communicator, program: Path, processes: list[tuple[str, int, Path]]
    ) -> None:
        self._rank, self._program = comm.rank, str(program)
        self._asked = {
            rank: (process, stack)
            for rank, (host, process, stack) in enumerate(processes)
            if host == comm.hostname and rank != comm.rank and (comm.rank == 0 or rank == 0)
        }
        if comm.rank > 1:
            self._asked = {}

    def report(self, event: dict[str, Any]) -> None:
        if event["kind"] != "waiting":
            return
        what, seconds = event["what"], event["seconds"]
        if event.get("over"):
            lines = [f"rank {self._rank} continues after {seconds:.0f} s"]
        else:
            lines = [f"rank {self._rank} has waited {seconds:.0f} s for other ranks in {what}"]
            lines += self._stacks_of_busy_ranks()
        print(*lines, sep="\n", file=sys.__stderr__, flush=True)

    def _stacks_of_busy_ranks(self) -> list[str]:
        start = {rank: len(_read(stack)) for rank, (_, stack) in self._asked.items()}
        for process, _ in self._asked.values():
            os.kill(process, _SIGNAL)
        time.sleep(_ANSWER_S)
        lines: list[str] = []
        for rank, (_, stack) in self._asked.items():
            frames = _read(stack)[start[rank] :].splitlines()[1:]
            if not any(_WAITING_FILE in frame for frame in frames):
                lines.append(f"rank {rank} is busy, innermost line first:")
                lines += frames[: _end_of_program(frames, self._program)]
        return lines


def _read(stack: Path) -> str:
    return stack.read_text(errors="replace")


def _end_of_program(frames: list[str], program: str) -> int:
    """Return the number of frames up to the outermost one of the program."""
    numbers = [number for number, frame in enumerate(frames, 1) if f'"{program}"' in frame]
    return numbers[-1] if numbers else len(frames)
