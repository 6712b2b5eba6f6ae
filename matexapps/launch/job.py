"""A job: a launcher and all processes that it starts, which end with the job.

A signal may reach this process alone, as from a batch system, or its whole process group, as with
Ctrl-C. Open MPI's launcher ends its ranks on the first signal, but on a second one it exits without
them. So the launcher gets exactly one signal, from here, and blocks those that a terminal sends.
When it has exited, the remaining processes are found by a mark in their environment, and killed. If
this process itself is killed, a guard does the same.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil

from matexapps.launch.job_guard import GRACE_S, MARK, find_marked, guarded, kill
from matexapps.launch.signals import (
    TERMINAL_SIGNALS,
    exit_on_signal,
    signals_blocked,
    signals_handled_by,
)

_SECOND_GRACE_S = 1.0
_POLL_S = 0.02


@contextmanager
def job(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a launcher; an exception in the block ends everything that it has started.

    Parameters
    ----------
    command : sequence of str
    environment : mapping
        All of its variables.
    stdin, stdout, stderr
        As for ``subprocess.Popen``.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        On a signal, as from :func:`matexapps.launch.signals.exit_on_signal`, as soon as no process
        of the job is left on this host. A second signal kills the remaining ones at once.
    """
    this = _Job()
    with signals_handled_by(this.handle_signal), guarded(this.mark):
        try:
            with signals_blocked(TERMINAL_SIGNALS):
                this.launcher = subprocess.Popen(
                    command,
                    env={**environment, MARK: this.mark},
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                )
            this.exit_if_signaled()
            yield this.launcher
        except BaseException:
            this.end()
            raise


class _Job:
    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.launcher: subprocess.Popen[bytes] | None = None
        self._signal: int | None = None
        self._deadline = float("inf")

    def handle_signal(self, number: int, _frame: object) -> None:
        """Exit, but not before the launcher has started."""
        if self._signal is not None:
            self._deadline = min(self._deadline, time.monotonic() + _SECOND_GRACE_S)
            kill(self._remaining(with_launcher=False))
            return
        self._signal = number
        if self.launcher is not None:
            self.exit_if_signaled()

    def exit_if_signaled(self) -> None:
        if self._signal is not None:
            exit_on_signal(self._signal)

    def end(self) -> None:
        """Make the launcher end its ranks, then kill the processes that remain."""
        if self.launcher is None:
            return
        self.launcher.terminate()
        self._deadline = min(self._deadline, time.monotonic() + GRACE_S)
        while self.launcher.poll() is None and time.monotonic() < self._deadline:
            time.sleep(_POLL_S)
        # A process that waits for a device or a file system dies only when that answers.
        give_up_at = time.monotonic() + GRACE_S
        while (remaining := self._remaining()) and time.monotonic() < give_up_at:
            kill(remaining)
            time.sleep(_POLL_S)
            self.launcher.poll()

    def _remaining(self, with_launcher: bool = True) -> list[psutil.Process]:
        spared = None if with_launcher or self.launcher is None else self.launcher.pid
        return [process for process in find_marked(self.mark) if process.pid != spared]
