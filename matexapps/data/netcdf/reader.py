"""Reads NetCDF on all ranks, classic files with PnetCDF if that library is installed.

PnetCDF passes the ranks' requests to MPI-IO, which merges them into a few large reads, as suits a
parallel file system. It must be linked to the same MPI that the ranks run on. Without it, for
NetCDF-4 files, and for rows that stay in their file, each rank reads by itself.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.netcdf.pnetcdf import PnetcdfFile, pnetcdf_library
from matexapps.data.netcdf.table import NetcdfTable
from matexapps.data.partition import share
from matexapps.data.rows import Rows, gather_rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.several_files import joined
from matexapps.data.sources.table import Table, rows_in
from matexapps.data.sources.table_reader import TableReader

_ROUND_BYTES = 64 * 2**20


class NetcdfReader(TableReader):
    """Rows of a NetCDF file.

    :meth:`read_all` uses PnetCDF where possible. That library blocks: while all ranks read a piece
    together, at most 64 MiB a rank, a stop has to wait for the end of the piece, and a rank that
    dies meanwhile leaves the others waiting. :meth:`read` never blocks like this.

    Parameters
    ----------
    table : NetcdfTable
        Closed with the reader.
    schema : Schema

    Raises
    ------
    DataError
        If a wanted column does not exist, or cannot play its role.
    """

    def __init__(self, table: NetcdfTable, schema: Schema) -> None:
        super().__init__(table, schema)
        self._netcdf, self._schema = table, schema

    def read_all(self, comm: Communicator) -> Rows:
        library = pnetcdf_library(comm) if self._netcdf.is_classic else None
        if library is None:
            return super().read_all(comm)
        comm.barrier()
        file = comm.on_all(lambda: PnetcdfFile(self.path, library))
        pieces, error = self._read_together(file, comm)
        file.close()

        def result() -> Rows:
            if error is not None:
                raise error
            return joined(sum(map(len, pieces)), ((self.path, piece) for piece in pieces))

        return gather_rows(result, comm)

    def _read_together(
        self, file: PnetcdfFile, comm: Communicator
    ) -> tuple[list[Rows], Exception | None]:
        """Return this rank's share in pieces, and what went wrong. Collective.

        Every rank takes part in all reads, even if one of them fails.
        """
        part = share(len(self), comm.rank, comm.world_size)
        held = _Held(self._netcdf)
        reader = TableReader(held, self._schema)
        row_bytes = sum(variable.row_bytes for variable in self.used)
        step = rows_in(_ROUND_BYTES, row_bytes, self.block_rows)
        longest = -(-len(self) // comm.world_size)
        pieces: list[Rows] = []
        error: Exception | None = None
        for offset in range(0, longest, step):
            start = min(part.start + offset, part.stop)
            stop = min(start + step, part.stop)
            # Unlike the waits inside the library, this one ends when a rank fails.
            comm.barrier()
            for variable in self.used:
                try:
                    held.fetch(variable.name, start, stop, file)
                except Exception as caught:
                    error = error or caught
            if error is None and (stop > start or not pieces):
                try:
                    pieces.append(reader.read(start, stop))
                except Exception as caught:
                    error = caught
        return pieces, error


class _Held(Table):
    """Some rows of a NetCDF file, in memory.

    Parameters
    ----------
    table : NetcdfTable
        The file's.
    """

    def __init__(self, table: NetcdfTable) -> None:
        self._table = table
        self.path, self.variables = table.path, table.variables
        self._values: dict[str, tuple[int, NDArray[Any]]] = {}

    def __len__(self) -> int:
        return len(self._table)

    @property
    def block_rows(self) -> int:
        return self._table.block_rows

    def fetch(self, name: str, start: int, stop: int, file: PnetcdfFile) -> None:
        """Replace the rows in memory by ``start`` to ``stop - 1`` of a variable. Collective.

        Raises
        ------
        DataError
            If they cannot be read.
        """
        array = self._table.stored(name)
        axis = self._table.row_axis(array)
        first, count = [0] * len(array.shape), list(array.shape)
        first[axis], count[axis] = (start if stop > start else 0), stop - start
        raw = file.read(name, array.dtype, tuple(first), tuple(count))
        self._values[name] = start, self._table.decode(array, raw)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        first, values = self._values[name]
        return values[start - first : stop - first]

    def close(self) -> None:
        self._values.clear()
