"""A job: a launcher and all that it starts, none of which outlives the job.

A signal may come to this process alone, as from a batch system, or to its process group, as with
Ctrl-C. Open MPI's launcher ends its ranks on the first signal, and on a second one it leaves
without them. So it gets one only, from here: those of the group are blocked in it. Whatever is
left when it has gone is found by a mark in its environment and killed. Where this process is killed
itself, a guard does as much.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

from matexapps.launch.job_guard import GRACE_S, MARK, guarded, kill, marked
from matexapps.launch.signals import OF_GROUPS, blocked, handled, leave

_SECOND_GRACE_S = 1.0
_LOOK_EVERY_S = 0.02


@contextmanager
def job(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a launcher; whatever ends the block before its end ends all that it started.

    Parameters
    ----------
    command : sequence of str
    environment : mapping
        All its variables.
    stdin, stdout, stderr
        As for ``subprocess.Popen``.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        On a signal, as from :func:`matexapps.launch.signals.leave`, once no process of the job on
        this host is left. A second signal kills what is left at once.
    """
    this = _Job()
    with handled(this.tell), guarded(this.mark):
        try:
            with blocked(OF_GROUPS):
                this.launcher = subprocess.Popen(
                    command,
                    env={**environment, MARK: this.mark},
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                )
            this.raise_if_told()
            yield this.launcher
        except BaseException:
            this.end()
            raise


class _Job:
    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.launcher: subprocess.Popen[bytes] | None = None
        self._told: int | None = None
        self._deadline = float("inf")

    def tell(self, number: int, _frame: object) -> None:
        """Handle a signal. While the launcher is being started it is only noted."""
        if self._told is not None:
            self._deadline = min(self._deadline, time.monotonic() + _SECOND_GRACE_S)
            kill(self._left(but_launcher=True))
            return
        self._told = number
        if self.launcher is not None:
            self.raise_if_told()

    def raise_if_told(self) -> None:
        if self._told is not None:
            leave(self._told)

    def end(self) -> None:
        """Have the launcher end its ranks, and then kill what is left."""
        if self.launcher is None:
            return
        self.launcher.terminate()
        self._deadline = min(self._deadline, time.monotonic() + GRACE_S)
        while self.launcher.poll() is None and time.monotonic() < self._deadline:
            time.sleep(_LOOK_EVERY_S)
        # What waits for a device or a file system cannot be killed until that answers.
        last_look = time.monotonic() + GRACE_S
        while (left := self._left()) and time.monotonic() < last_look:
            kill(left)
            time.sleep(_LOOK_EVERY_S)
            self.launcher.poll()

    def _left(self, but_launcher: bool = False) -> list[psutil.Process]:
        spared = self.launcher.pid if but_launcher and self.launcher else None
        return [process for process in marked(self.mark) if process.pid != spared]
