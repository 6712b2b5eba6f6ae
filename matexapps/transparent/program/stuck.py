"""Saying where a program is on a rank that keeps the others waiting."""

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
_WAITING = str(Path("matexapps", "comm", "waiting.py"))


@contextmanager
def telling_long_waits(comm: Communicator, program: Path) -> Iterator[None]:
    """Tell of long waits inside, on the real standard error. Collective.

    With them come the lines of ``program`` at which the ranks of this host are that do not wait.
    Rank 0 asks all of them, and rank 1 asks rank 0.
    """
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        own = Path(folder) / "stack"
        with own.open("w") as stack:
            faulthandler.register(_SIGNAL, stack, all_threads=False)
            everybody = comm.all_gather_object((comm.hostname, os.getpid(), own))
            try:
                with reporting_to(_Teller(comm, program, everybody).tell):
                    yield
            finally:
                faulthandler.unregister(_SIGNAL)


class _Teller:
    def __init__(
        self, comm: Communicator, program: Path, everybody: list[tuple[str, int, Path]]
    ) -> None:
        self._rank, self._program = comm.rank, str(program)
        self._asked = {
            rank: (process, stack)
            for rank, (host, process, stack) in enumerate(everybody)
            if host == comm.hostname and rank != comm.rank and (comm.rank == 0 or rank == 0)
        }
        if comm.rank > 1:
            self._asked = {}

    def tell(self, event: dict[str, Any]) -> None:
        if event["kind"] != "waiting":
            return
        what, seconds = event["what"], event["seconds"]
        lines = [f"rank {self._rank} has waited {seconds:.0f} s for other ranks in {what}"]
        if event.get("over"):
            lines = [f"rank {self._rank} goes on after {seconds:.0f} s"]
        else:
            lines += self._busy()
        print(*lines, sep="\n", file=sys.__stderr__, flush=True)

    def _busy(self) -> list[str]:
        before = {rank: _size(stack) for rank, (_, stack) in self._asked.items()}
        for process, _ in self._asked.values():
            os.kill(process, _SIGNAL)
        time.sleep(_ANSWER_S)
        lines: list[str] = []
        for rank, (_, stack) in self._asked.items():
            frames = stack.read_text(errors="replace")[before[rank] :].splitlines()[1:]
            if not any(_WAITING in frame for frame in frames):
                lines.append(f"rank {rank} is busy, innermost line first:")
                lines += frames[: _last(frames, self._program)]
        return lines


def _size(file: Path) -> int:
    return len(file.read_text(errors="replace"))


def _last(frames: list[str], program: str) -> int:
    places = [k for k, frame in enumerate(frames) if f'"{program}"' in frame]
    return places[-1] + 1 if places else len(frames)
