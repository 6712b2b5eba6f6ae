"""Reads a file in a child process first, before this process opens it.

The libraries behind HDF5, NetCDF and Parquet trust what a file says about itself: damaged bytes can
make them crash, hang, or allocate all memory. A child process reads the file first, under limits of
memory and time, with the same code that reads it afterwards. It reads small files completely; of
larger ones it reads the structure, the list of chunks, and the first and last rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import sys
from pathlib import Path

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import format_of, open_table
from matexapps.data.sources.table import BLOCK_BYTES, Table, rows_in
from matexapps.errors import DataError
from matexapps.launch.child import Child, limit_processor_time

TIME_LIMIT = 60.0
"""Time limit for one file, in seconds."""

MEMORY_LIMIT = 2**30
"""Bytes that it may take, besides what the blocks that the file is stored in need."""

_PROBED = ("HDF5", "NetCDF", "Parquet")
"""Formats whose libraries do not check what they read."""

_WHOLE_FILE = 64 * 2**20
_WHOLE_TABLE = 4 * _WHOLE_FILE


class Probe(Child):
    """A child process that reads files on trial.

    Parameters
    ----------
    seconds : float
        Time limit for one file.
    """

    def __init__(self, seconds: float = TIME_LIMIT) -> None:
        super().__init__("matexapps.data.sources.probe", {"OPENBLAS_NUM_THREADS": "1"})
        self._seconds = seconds

    def check(self, path: Path, schema: Schema) -> None:
        """Check one file, unless it is text.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        if format_of(path) not in _PROBED:
            return
        is_fresh = not self.runs
        reason, crashed = self._look(path, schema)
        if crashed and not is_fresh:
            # An earlier file may have damaged the child: only a crash of a fresh one counts against
            # this file.
            reason, _ = self._look(path, schema)
        if reason is not None:
            raise DataError(reason)

    def _look(self, path: Path, schema: Schema) -> tuple[str | None, bool]:
        """Return why a file cannot be read, if it cannot, and whether the child crashed."""
        answer = self.ask(pickle.dumps((path, schema, self._seconds)), self._seconds)
        if answer is not None:
            return json.loads(answer), False
        ended = self.end()
        if ended is None:
            happened = f"did not end within {self._seconds:g} s"
        elif ended.startswith("SIG"):
            happened = f"crashed the library that reads it ({ended})"
        else:
            happened = f"ended the process that tried it ({ended})"
        reason = f"{path} is damaged: reading it {happened}; write or copy it again"
        return reason, ended is not None


def _serve() -> None:
    """Answer each request with a line of JSON: null, or why the file cannot be read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "w")
    while True:
        try:
            path, schema, seconds = pickle.load(requests)
        except EOFError:
            return
        limit_processor_time(seconds)
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
    """Read attributes, the list of chunks, and a small table's rows, or a larger one's ends."""
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
    """Limit the memory of this process to its present size plus so many bytes, where possible."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    _serve()
