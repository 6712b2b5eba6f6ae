"""Rows of CSV, TSV, SDF, Parquet and SMILES files, read one after the other.

Parquet is read by the data layer, which in turn reads SDF and SMILES files by
:func:`memory_table`. CSV is read here, cell by cell: numbers stay as they are written, and a table
may have a single column.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from rdkit import Chem, rdBase

from matexapps.data.parquet import ParquetTable
from matexapps.data.sources.formats import format_of
from matexapps.data.sources.memory_table import MemoryTable
from matexapps.errors import DataError

STRUCTURE_NAMES = ("smiles", "canonical_smiles", "isosmiles", "structure")
"""What columns of structures are usually called, in any case."""

_SEPARATORS = {"CSV": ",", "TSV": "\t"}
_OTHER_SEPARATORS = (";", "\t", ",", "|")
_BROKEN_FILE = (OSError, EOFError, zlib.error)
_LARGEST_CELL = 2**24


class Table:
    """The columns of a file and its rows, which can be read once.

    Parameters
    ----------
    names : list of str
        Column names. An SDF names its properties entry by entry: the list grows while rows are
        read, and a row has no cells for names that came after it.
    rows : iterator of sequence
        Cells, as text or as the objects that the file stores; None or "" where there is no value.
    structure, title : str or None
        Names of the columns that hold the structure and the name of a molecule, where the format
        has exactly one of each.
    """

    def __init__(
        self,
        names: list[str],
        rows: Iterator[Sequence[object]],
        structure: str | None = None,
        title: str | None = None,
    ) -> None:
        self.names, self.structure, self.title = names, structure, title
        self._rows = rows

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[Sequence[object]]:
        """Yield the cells of each row: those of all columns, or of these, "" where one is short."""
        if columns is None:
            yield from self._rows
            return
        positions = [self.names.index(name) for name in columns]
        for cells in self._rows:
            yield [cells[i] if i < len(cells) else "" for i in positions]

    def columns(self) -> list[list[object]]:
        """Return the cells of each column; rows that are too short end in None."""
        rows = list(self.rows())
        width = len(self.names)
        padded = [[*cells, *[None] * (width - len(cells))] for cells in rows]
        return [[cells[i] for cells in padded] for i in range(width)]


class _ParquetRows(Table):
    """Reads only the columns that are asked for."""

    def __init__(self, table: ParquetTable) -> None:
        super().__init__(table.names, iter(()))
        self._table = table

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[Sequence[object]]:
        return self._table.rows(columns or self.names)


def memory_table(path: Path) -> MemoryTable:
    """Return the columns of an SDF or SMILES file, for the data layer.

    Raises
    ------
    DataError
        As :func:`open_table`.
    """
    with open_table(path) as table:
        columns = table.columns()
    return MemoryTable(path, dict(zip(table.names, columns, strict=True)))


@contextmanager
def open_table(path: Path, *, lenient: bool = False) -> Iterator[Table]:
    """Open a file of molecules.

    Parameters
    ----------
    path : Path
        ``.csv`` and ``.tsv`` with a header; ``.sdf``, whose properties are columns; ``.smi``, with
        a SMILES and optionally a name on each line; each also with ``.gz``; ``.parquet``.
    lenient : bool
        Whether bytes that are not UTF-8 are replaced by U+FFFD, and surplus cells are dropped.
        Otherwise both are errors.

    Raises
    ------
    DataError
        If there is no such file, its format is unknown, or it cannot be read. Reading rows raises
        it, too.
    """
    kind = _format_of(path)
    try:
        if kind == "Parquet":
            with closing(ParquetTable(path)) as parquet:
                yield _ParquetRows(parquet)
            return
        with _opened(path) as file:
            if kind == "SDF":
                names = ["structure", "_Name"]
                yield Table(names, _sdf_rows(path, file, names), *names)
                return
            lines = io.TextIOWrapper(
                file, "utf-8-sig", errors="replace" if lenient else "strict", newline=""
            )
            if kind == "SMILES":
                names = ["smiles", "name"]
                yield Table(names, _smiles_rows(lines), *names)
            else:
                yield _separated_table(path, lines, _SEPARATORS[kind], lenient)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason}, 0x{error.object[error.start]:02x}): save "
            "it as UTF-8, which spreadsheets call 'CSV UTF-8'"
        ) from None
    except (*_BROKEN_FILE, csv.Error) as error:
        raise DataError(f"{path} cannot be read as {kind}: {error}") from None


def _format_of(path: Path) -> str:
    """Return CSV, TSV, SMILES, SDF or Parquet."""
    kind, ending = format_of(path), Path(path.name.lower().removesuffix(".gz")).suffix
    if kind == "CSV":
        kind = ending[1:].upper()
    if kind not in (*_SEPARATORS, "SMILES", "SDF", "Parquet"):
        raise DataError(
            f"{path}: molecules are read from .csv, .tsv, .smi, .parquet and .sdf files, not from "
            f"{ending or 'a file without an ending'!r}"
        )
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    return kind


def _opened(path: Path) -> IO[bytes]:
    is_gzip = path.suffix.lower() == ".gz"
    return gzip.open(path) if is_gzip else open(path, "rb")  # type: ignore[return-value]


def _separated_table(path: Path, lines: Iterable[str], separator: str, lenient: bool) -> Table:
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    names = next(reader, [])
    if not names:
        raise DataError(f"{path} is empty: its first line must name the columns")
    others = [text for text in _OTHER_SEPARATORS if text in names[0]]
    if len(names) == 1 and others:
        raise DataError(
            f"{path} has one column, {names[0]!r}: its cells seem to be separated by "
            f"{others[0]!r}; a .csv file needs commas between them, and a .tsv file tabs"
        )
    return Table(names, _separated_rows(path, reader, len(names), lenient))


def _separated_rows(
    path: Path, reader: Iterable[list[str]], columns: int, lenient: bool
) -> Iterator[Sequence[object]]:
    for number, cells in enumerate(reader, start=1):
        if len(cells) > columns and not lenient:
            raise DataError(
                f"{path}, row {number}: expected {columns} cells, as the header has, got "
                f"{len(cells)}; quote cells that contain the separator"
            )
        yield cells[:columns]


def _smiles_rows(lines: Iterable[str]) -> Iterator[Sequence[object]]:
    """Yield SMILES and name of each line; a first line that is a header is skipped.

    A header begins with one of :data:`STRUCTURE_NAMES`, none of which is a SMILES.
    """
    for number, line in enumerate(lines):
        words = line.split(maxsplit=1)
        smiles = words[0] if words else ""
        if number > 0 or smiles.lower() not in STRUCTURE_NAMES:
            yield smiles, "".join(words[1:]).strip()


def _sdf_rows(path: Path, file: IO[bytes], names: list[str]) -> Iterator[Sequence[object]]:
    """Yield the entries, and append to ``names`` what they call their properties."""
    try:
        with rdBase.BlockLogs():
            for molecule in Chem.ForwardSDMolSupplier(file):
                cells: dict[str, object] = {}
                if molecule is not None:
                    cells = molecule.GetPropsAsDict(autoConvertStrings=False)
                    cells["structure"] = Chem.MolToSmiles(molecule)
                    cells["_Name"] = molecule.GetProp("_Name")
                names.extend(name for name in cells if name not in names)
                yield [cells.get(name) for name in names]
    except (*_BROKEN_FILE, SystemError) as error:  # RDKit wraps errors of decompression
        raise DataError(f"{path} cannot be read as SDF: {error.__cause__ or error}") from None
