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
# A child is not a rank: with these variables MPI would mistake it for its parent.
_LAUNCHER = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "MPI_LOCAL")


class Child:
    """A module of this package in a process of its own, which reads requests from standard input.

    It starts with the first request, and again after it has ended. In a ``with`` statement, it
    ends with the block, and so do the processes that it has started.

    Parameters
    ----------
    module : str
        Answers each request with one line.
    environment : mapping
        Variables added to those of this process.
    errors : file, optional
        Receives its standard error. Default: it is discarded.

    Attributes
    ----------
    runs : bool
        Whether it has been started, and not been ended since.
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
        """Whether it has been started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """Return the answer to a request, or None if it ended or took more than ``seconds``."""
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
        """Return its next line of output, or None if it ended or took more than ``seconds``.

        If part of a line has arrived when the time is up, a later call returns the whole line.
        """
        process = self._started()
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([process.stdout], [], [], remaining)[0]:
                return None
            received = os.read(process.stdout.fileno(), 65536)
            if not received:
                process.wait()
                return None
            self._received += received
        line, end, self._received = self._received.partition(b"\n")
        return line + end

    def end(self) -> str | None:
        """End it, and return how it had already ended by itself, or None if it was still running.

        If the system has ended it at its limit of processor time, it counts as still running.
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
            inherited = {k: v for k, v in os.environ.items() if not k.startswith(_LAUNCHER)}
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
    """Make the system end this process when its parent has ended. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_processor_time(seconds: float) -> None:
    """Make the system end this process if it computes on after its parent has stopped waiting.

    Parameters
    ----------
    seconds : float
        How long the parent waits.
    """
    used = time.process_time()
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + 2 * seconds) + 1, hard))
