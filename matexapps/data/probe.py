"""Looks through a file in a process of its own, before this one opens it.

The C libraries behind HDF5 and NetCDF trust what a file says of itself: damaged bytes can make
them crash, never end, or ask for all memory. A child process reads the file first, under a limit
of memory and of time, with the code that reads it afterwards. Small files it reads whole; of
larger ones it reads the structure, the list of chunks, and the first and last rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from matexapps.data.formats import format_of, open_table
from matexapps.data.schema import Schema
from matexapps.data.table import BLOCK_BYTES, Table, rows_in
from matexapps.errors import DataError

TIME_LIMIT = 60.0
"""Seconds that looking through one file may take."""

MEMORY_LIMIT = 2**30
"""Bytes that it may take, besides what the blocks that the file is stored in need."""

_WHOLE_FILE = 64 * 2**20
_WHOLE_TABLE = 4 * _WHOLE_FILE


def check_readable(path: Path, schema: Schema) -> None:
    """Raise a DataError if reading ``path`` fails, crashes, or does not end.

    Text is not looked at: these libraries do not parse it.

    Parameters
    ----------
    path : Path
    schema : Schema

    Raises
    ------
    DataError
        Naming the file and what happened.
    """
    with Probe() as probe:
        probe.check(path, schema)


class Probe:
    """A child process that looks through files, started when needed and after each crash.

    Use it in a ``with`` statement, which ends the child.

    Parameters
    ----------
    seconds : float
        How long one file may take.
    """

    def __init__(self, seconds: float = TIME_LIMIT) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def check(self, path: Path, schema: Schema) -> None:
        """Look through one file, unless it is text.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        if format_of(path) not in ("HDF5", "NetCDF"):
            return
        is_fresh = self._child is None
        reason, crashed = self._ask(path, schema)
        if crashed and not is_fresh:
            # An earlier file may have upset the child: only a fresh one's end is this file's doing.
            reason, _ = self._ask(path, schema)
        if reason is not None:
            raise DataError(reason)

    def _ask(self, path: Path, schema: Schema) -> tuple[str | None, bool]:
        """Return why a file cannot be read, if so, and whether the child crashed."""
        if self._child is None:
            self._child = _start()
        child = self._child
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump((path, schema, self._seconds), child.stdin)
            child.stdin.flush()
        answer = self._answer(child)
        if answer is not None:
            return json.loads(answer), False
        still_runs = child.poll() is None
        self._end()
        if still_runs or child.returncode == -signal.SIGXCPU:
            happened = f"did not end within {self._seconds:g} s"
        elif child.returncode < 0:
            name = signal.Signals(-child.returncode).name
            happened = f"crashed the library that reads it ({name})"
        else:
            happened = f"ended the process that tried it (exit status {child.returncode})"
        reason = f"{path} is damaged: reading it {happened}; write or copy it again"
        return reason, not still_runs

    def _answer(self, child: subprocess.Popen[bytes]) -> bytes | None:
        """Return the child's line, None if it died or the time is over."""
        assert child.stdout is not None
        deadline = time.monotonic() + self._seconds
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
        [sys.executable, "-P", "-m", "matexapps.data.probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": folders, "OPENBLAS_NUM_THREADS": "1"},
    )


def _serve() -> None:
    """Answer each request with one line of JSON: null, or why the file cannot be read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "w")
    while True:
        try:
            path, schema, seconds = pickle.load(requests)
        except EOFError:
            return
        _limit_processor_time(seconds)
        _limit_memory(MEMORY_LIMIT)
        answers.write(json.dumps(_looked_through(path, schema)) + "\n")
        answers.flush()


def _looked_through(path: Path, schema: Schema) -> str | None:
    try:
        table = open_table(path, schema)
        try:
            _limit_memory(MEMORY_LIMIT + 4 * table.block_rows * _row_bytes(table))
            _read(table)
        finally:
            table.close()
    except DataError as error:
        return str(error)
    except MemoryError:
        return f"{path} needs more memory than a file of its size should; write or copy it again"
    except Exception as error:
        return f"{path} cannot be read ({type(error).__name__}: {error}); write or copy it again"
    return None


def _read(table: Table) -> None:
    """Read attributes, list of chunks, and all of a small table, the ends of a larger one."""
    table.check_storage()
    table.attributes()
    for variable in table.variables:
        table.attributes(variable.name)
    rows = len(table)
    if table.path.stat().st_size <= _WHOLE_FILE and rows * _row_bytes(table) <= _WHOLE_TABLE:
        for _ in table.blocks():
            pass
        return
    step = rows_in(BLOCK_BYTES, _row_bytes(table), table.block_rows)
    for start, stop in ((0, min(step, rows)), (max(0, rows - step), rows)):
        for variable in table.variables:
            table.read(variable.name, start, stop)


def _row_bytes(table: Table) -> int:
    return sum(variable.row_bytes for variable in table.variables)


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has now, where that can be limited."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_processor_time(seconds: float) -> None:
    """Have the system end this process if it goes on computing after nobody waits for it."""
    used = time.process_time()
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + 2 * seconds) + 1, hard))


if __name__ == "__main__":
    _serve()
