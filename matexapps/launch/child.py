"""A child process that answers requests, for work that may crash or never end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

_PR_SET_PDEATHSIG = 1
# A child is no rank: with these, MPI would take it for its parent.
_OF_LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "MPI_LOCAL")


class Child:
    """A module of this package in a process of its own, asked through its standard input.

    It starts when it is first asked, and again after it has ended. Used in a ``with`` statement,
    it ends with that, and so do the processes that it has started.

    Parameters
    ----------
    module : str
        Answers each request with one line.
    environment : mapping
        What is added to this process's.
    errors : file, optional
        Where its standard error goes; nowhere without.

    Attributes
    ----------
    runs : bool
        Whether it was started and not ended since.
    """

    def __init__(
        self, module: str, environment: Mapping[str, str], errors: IO[bytes] | None = None
    ) -> None:
        self._module, self._environment = module, environment
        self._errors = subprocess.DEVNULL if errors is None else errors
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def runs(self) -> bool:
        return self._process is not None

    @property
    def crashed(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """Return the answer to a request, None if it ended or took longer than ``seconds``."""
        self.send(request)
        return self.line(seconds)

    def send(self, request: bytes) -> None:
        """Send a request; :meth:`line` returns the answer."""
        process = self._started()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(request)
            process.stdin.flush()

    def line(self, seconds: float) -> bytes | None:
        """Return the next line it writes, None if it ended or took longer than ``seconds``.

        A line that has come in part when the time is over is returned by a later call.
        """
        process = self._started()
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                return None
            received = os.read(process.stdout.fileno(), 65536)
            if not received:
                process.wait()
                return None
            self._received += received
        line, end, self._received = self._received.partition(b"\n")
        return line + end

    def end(self) -> str | None:
        """End it, and return how it had ended by itself, None if it still ran.

        One that the system ended because it went on computing counts as running.
        """
        process, self._process, self._received = self._process, None, b""
        if process is None:
            return None
        status = process.poll()
        # Its group: a child that has crashed may have left processes behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if status is None or status == -signal.SIGXCPU:
            return None
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            folders = os.pathsep.join(folder for folder in sys.path if folder)
            inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OF_LAUNCHERS)}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**inherited, "PYTHONPATH": folders, **self._environment},
                # A terminal's interrupt is for this process, which then ends the child.
                start_new_session=True,
            )
        return self._process


def die_with_parent() -> None:
    """Have the system end this process when the one that started it is gone (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_processor_time(seconds: float) -> None:
    """Have the system end this process if it goes on computing after nobody waits for it.

    Parameters
    ----------
    seconds : float
        How long the other side waits.
    """
    used = time.process_time()
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + 2 * seconds) + 1, hard))
