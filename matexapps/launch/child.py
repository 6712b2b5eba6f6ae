"""A child process that answers requests, for work that may crash or never end."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self


class Child:
    """A module of this package in a process of its own, which reads requests from standard input.

    It starts with the first request, and again after it has ended. In a ``with`` statement, it
    ends with the block.

    Parameters
    ----------
    module : str
        Answers each request with one line.
    environment : mapping
        Variables added to those of this process.

    Attributes
    ----------
    runs : bool
        Whether it has been started, and not been ended since.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module, self._environment = module, environment
        self._process: subprocess.Popen[bytes] | None = None

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

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """Return the answer to a request, or None if it ended or took more than ``seconds``."""
        process = self._started()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(request)
            process.stdin.flush()
        return self.line(seconds)

    def line(self, seconds: float) -> bytes | None:
        """Return its next line of output, or None if it ended or took more than ``seconds``."""
        process = self._started()
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([process.stdout], [], [], remaining)[0]:
                return None
            output = os.read(process.stdout.fileno(), 65536)
            if not output:
                process.wait()
                return None
            line += output
        return line

    def end(self) -> str | None:
        """End it, and return how it had already ended by itself, or None if it was still running.

        If the system has ended it at its limit of processor time, it counts as still running.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        status = process.poll()
        process.kill()
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
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": folders, **self._environment},
            )
        return self._process


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
