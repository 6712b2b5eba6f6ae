"""One computing process, asked for one molecule at a time, for no longer than it may take."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from matexapps.apps.molecules.quantum.geometry import NotComputed
from matexapps.errors import DataError, MissingExtraError

_START_S = 120.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def check_installed() -> None:
    """Raise a MissingExtraError where tblite is not installed."""
    if importlib.util.find_spec("tblite") is None:
        raise MissingExtraError(
            "GFN2-xTB is computed by the package 'tblite', which is not installed; install it "
            "with: pip install 'matexapps[quantum]'"
        )


class XtbProcess:
    """Starts the process when it is first needed, and again after it has ended."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def compute(self, smiles: str, seed: int, again: bool, seconds: float) -> list[float | None]:
        """Return the values of one molecule; None stands for those that do not exist.

        Raises
        ------
        NotComputed
            If there are none, it took more than ``seconds``, or the process crashed.
        DataError
            If the process cannot be started.
        """
        child = self._running()
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(json.dumps([smiles, seed, again, seconds]).encode() + b"\n")
            child.stdin.flush()
        answer = _line(child, seconds)
        if answer is None:
            still_runs = child.poll() is None
            self._end()
            if still_runs:
                raise NotComputed(f"not done within {seconds:.3g} s")
            raise NotComputed(f"crashed the process that computed it ({_how_ended(child)})")
        found = json.loads(answer)
        if isinstance(found, str):
            raise NotComputed(found)
        values: list[float | None] = found
        return values

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = _start()
            if _line(self._child, _START_S) is None:
                child = self._child
                self._end()
                raise DataError(
                    f"tblite cannot be used here: the process that loads it {_how_ended(child)}; "
                    "try `python -c 'import tblite.interface'`"
                )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _start() -> subprocess.Popen[bytes]:
    folders = os.pathsep.join(folder for folder in sys.path if folder)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "matexapps.apps.molecules.quantum.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": folders, **dict.fromkeys(_THREADS, "1")},
    )


def _line(child: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """Return the child's next line, None if it ended or the time is over."""
    assert child.stdout is not None
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            return None
        got = os.read(child.stdout.fileno(), 65536)
        if not got:
            child.wait()
            return None
        line += got
    return line


def _how_ended(child: subprocess.Popen[bytes]) -> str:
    status = child.returncode
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
