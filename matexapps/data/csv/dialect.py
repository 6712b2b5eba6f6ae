"""How a CSV file is written: compression, delimiter, header.

Rules
    A file that begins with gzip's two bytes is gzip, whatever its name.
    Lines at its start that begin with ``#`` are comments, and the first line is the one after
    them.
    The delimiter is the one of comma, tab, semicolon and bar that occurs most often outside
    quotes in the first line that is not empty; a single space where none of them occurs.
    The first line is a header where none of its cells is a number. One cell that is a number
    makes it data, so a header that holds a number, such as a year, needs ``header=True``.
    Without a header, the last comment names the columns if it has as many names, as numpy's
    savetxt writes it; otherwise they are called column_0, column_1, ...
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from matexapps.data.schema.schema import Schema, default_names
from matexapps.errors import DataError

DELIMITERS = (",", "\t", ";", "|")
BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
_LONGEST_LINE = 16 * 2**20
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_FORMATS = {
    b"\x89HDF": "an HDF5 file: rename it to end in .h5",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
}


@dataclass(frozen=True)
class Dialect:
    """How one file is written.

    Attributes
    ----------
    gzip : bool
    delimiter : str
    names : list of str
        Names of all columns, in the file's order.
    header_lines : int
        Lines of the file before the first row of data.
    data_starts : int
        Bytes of the text before the first row of data: a byte-order mark and the header.
    first_line_bytes : int
        Length of the first line that is not empty.
    """

    gzip: bool
    delimiter: str
    names: list[str]
    header_lines: int
    data_starts: int
    first_line_bytes: int


def open_bytes(path: Path) -> IO[bytes]:
    """Open a plain or gzip file as the bytes of its text."""
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def open_text(path: Path, offset: int = 0) -> IO[str]:
    """Open a plain or gzip file as text from a byte on; bytes that are not UTF-8 do not raise."""
    binary = open_bytes(path)
    binary.seek(offset)
    encoding = "utf-8" if offset else "utf-8-sig"
    return io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="")


def is_gzip(path: Path) -> bool:
    """Whether the file begins as gzip does."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def detect(path: Path, schema: Schema) -> Dialect:
    """Detect how a file is written, where ``schema`` does not say.

    Raises
    ------
    DataError
        If the file is empty or not text, or its header cannot be used.
    """
    try:
        return _detect(path, schema)
    except PermissionError:
        raise DataError(f"{path} cannot be opened: permission denied") from None
    except BROKEN_GZIP as error:
        raise DataError(
            f"{path}, row 1: the gzip stream is broken ({error}); download or copy the file again"
        ) from None


def _detect(path: Path, schema: Schema) -> Dialect:
    compressed = is_gzip(path)
    if path.suffix.lower() == ".gz" and not compressed and path.stat().st_size:
        raise DataError(
            f"{path} ends in .gz but is not a gzip file; download it again or rename it"
        )
    with open_bytes(path) as binary:
        mark = len(_BYTE_ORDER_MARK) if binary.read(3) == _BYTE_ORDER_MARK else 0
    with open_text(path) as text:
        comments, first = _first_lines(path, text)
        delimiter = _delimiter(first) if schema.delimiter is None else schema.delimiter
        _check_delimiter(delimiter)
        text.seek(0)
        taken: list[int] = []
        measured = _measured(text, taken)
        for _ in comments:
            next(measured)
        before, bytes_before = len(comments), sum(taken)
        lines = csv.reader(measured, delimiter=delimiter)
        try:
            cells = next(cells for cells in lines if cells)
        except csv.Error as error:
            raise DataError(f"{path}, row 1: no table can be read here ({error})") from None
        lines_used = before + lines.line_num
    if delimiter == " " and "" in cells:
        raise DataError(
            f"{path}, row {lines_used}: several spaces stand between the cells; write it again "
            "with one comma or tab between them"
        )
    if len(cells) < 2:
        raise DataError(
            f"{path} has only one column, {cells[0][:60]!r}; if another character stands between "
            "its cells, give it as delimiter="
        )
    header = schema.header if schema.header is not None else not any(_is_number(c) for c in cells)
    given = None if header else _names_in_comment(comments, delimiter, len(cells))
    names = _names(path, cells if given is None else given, header or given is not None, schema)
    return Dialect(
        compressed,
        delimiter,
        names,
        lines_used if header else before,
        mark + (sum(taken) if header else bytes_before),
        len(first.encode(errors="replace")),
    )


def _check_delimiter(delimiter: str) -> None:
    if len(delimiter) != 1:
        raise DataError(f"delimiter={delimiter!r} is not one character: use for example ','")
    if not delimiter.isascii() or delimiter in '"\r\n':
        raise DataError(
            f"delimiter={delimiter!r} cannot stand between cells: use an ASCII character other "
            "than a quote or a line end, for example ','"
        )


def _measured(text: IO[str], taken: list[int]) -> Iterator[str]:
    """Yield the lines of a text, and append how many bytes each one takes in the file."""
    for line in text:
        taken.append(len(line.encode(errors="surrogateescape")))
        yield line


def _first_lines(path: Path, text: IO[str]) -> tuple[list[str], str]:
    """Return the lines up to the last comment, and the next one that is not empty.

    Also checks that this is text.
    """
    line = text.readline(_LONGEST_LINE)
    start = line[:16].encode(errors="surrogateescape")
    for magic, what in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise DataError(f"{path} is not CSV but {what}")
    passed: list[str] = []
    comments = 0
    while line.startswith("#") or (line and not line.strip("\r\n")):
        passed.append(line)
        comments = len(passed) if line.startswith("#") else comments
        line = text.readline(_LONGEST_LINE)
    if not line:
        raise DataError(f"{path} is empty: it has no rows")
    if "\0" in line or _mostly_unprintable(line):
        raise DataError(f"{path}, row 1: this is binary data, not text in columns")
    if len(line) == _LONGEST_LINE:
        raise DataError(
            f"{path}, row 1: no line ends within {_LONGEST_LINE // 2**20} MiB, so this is not CSV"
        )
    return passed[:comments], line


def _names_in_comment(comments: list[str], delimiter: str, count: int) -> list[str] | None:
    """Return the names in the last comment if there are so many; None otherwise."""
    if not comments:
        return None
    text = comments[-1].lstrip("#").strip()
    try:
        names = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return None
    return names if len(names) == count and not any(map(_is_number, names)) else None


def _mostly_unprintable(line: str) -> bool:
    sample = line[:4096]
    odd = sum(not c.isprintable() and c not in "\t\r\n" for c in sample)
    return odd > 0.3 * len(sample)


def _delimiter(line: str) -> str:
    outside = "".join(line.strip(" \r\n").split('"')[::2])
    best = max(DELIMITERS, key=outside.count)
    if outside.count(best):
        return best
    return " " if " " in outside else ","


def _names(path: Path, cells: list[str], header: bool, schema: Schema) -> list[str]:
    if header:
        names = [cell.strip() for cell in cells]
        if any("\udc80" <= c <= "\udcff" for name in names for c in name):
            raise DataError(f"{path}, row 1: the header is not UTF-8 text: save the file as UTF-8")
        seen: dict[str, int] = {}
        for position, name in enumerate(names):
            if name and name in seen:
                raise DataError(
                    f"{path}, row 1: columns {seen[name]} and {position} (from 0) are both called "
                    f"{name!r}; give each column a name of its own"
                )
            seen[name] = position
        return names
    if schema.columns is None:
        return default_names(len(cells))
    if len(schema.columns) != len(cells):
        raise DataError(
            f"{path}, row 1: {len(cells)} columns, but columns= names {len(schema.columns)}"
        )
    twice = next((n for n in schema.columns if list(schema.columns).count(n) > 1), None)
    if twice is not None:
        raise DataError(f"columns= names {twice!r} twice; give each column a name of its own")
    return list(schema.columns)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
