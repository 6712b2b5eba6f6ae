"""Several files read as one: a folder, or the files that match a pattern."""

from __future__ import annotations

import glob
import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.rows import Rows
from matexapps.data.sources.reader import Reader
from matexapps.errors import DataError

_ABOUT_DATA = ("readme", "license", "licence", "changelog")
_MOST_OPEN = 64


class SeveralFiles(Reader):
    """Rows of several files, one after the other; any of them can be read by itself.

    Parameters
    ----------
    path : Path
        The folder or pattern.
    paths : sequence of Path
        The files, in order.
    open_one : function
        Returns the reader of one of them. At most 64 are open at a time.

    Raises
    ------
    DataError
        If a file has other columns than the first one.
    """

    def __init__(
        self, path: Path, paths: Sequence[Path], open_one: Callable[[Path], Reader]
    ) -> None:
        self.path = path
        self._paths, self._open_one = paths, open_one
        self._open: OrderedDict[int, Reader] = OrderedDict()
        self._lock = threading.RLock()
        lengths = []
        for i, file in enumerate(paths):
            reader = self._reader(i)
            if i == 0:
                self.columns, self.sample_shape = reader.columns, reader.sample_shape
                self.block_rows, self._row_bytes = reader.block_rows, reader.row_bytes
                self.weighted = reader.weighted
            require_same_columns(reader, file, self, paths[0])
            lengths.append(len(reader))
        self._starts = np.cumsum([0, *lengths])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def row_bytes(self) -> int:
        return self._row_bytes

    def read(self, start: int = 0, stop: int | None = None) -> Rows:
        start, stop, _ = slice(start, stop).indices(len(self))
        stop = max(start, stop)
        parts = (self._read_piece(i, *piece) for i, piece in self._pieces(start, stop))
        return joined(stop - start, parts, start)

    def read_again(
        self,
        ranges: Sequence[tuple[int, int]],
        features: NDArray[np.float32],
        label: NDArray[Any],
        weight: NDArray[np.float64] | None,
    ) -> None:
        pieces = [piece for span in ranges for piece in self._pieces(*span)]
        done = 0
        for i, group in itertools.groupby(pieces, key=lambda piece: piece[0]):
            of_file = [span for _, span in group]
            part = slice(done, done + sum(stop - start for start, stop in of_file))
            weights = None if weight is None else weight[part]
            with self._lock:
                self._reader(i).read_again(of_file, features[part], label[part], weights)
            done = part.stop

    def stamp(self) -> tuple[object, ...]:
        return stamp_of(self._paths)

    def locate(self, row: int) -> str:
        i = self._file_of(row)
        with self._lock:
            return f"{self._paths[i]}, {self._reader(i).locate(row - int(self._starts[i]))}"

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """Yield which part of which file holds a range of rows; for no rows, one empty part."""
        i = self._file_of(min(start, len(self) - 1))
        while True:
            first, last = int(self._starts[i]), int(self._starts[i + 1])
            yield i, (start - first, min(stop, last) - first)
            start, i = last, i + 1
            if start >= stop:
                return

    def _read_piece(self, i: int, start: int, stop: int) -> tuple[Path, Rows]:
        with self._lock:
            rows = self._reader(i).read(start, stop)
        return self._paths[i], replace(rows, ids=rows.ids + self._starts[i])

    def _file_of(self, row: int) -> int:
        return int(np.searchsorted(self._starts, row, side="right")) - 1

    def _reader(self, i: int) -> Reader:
        if i not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[i] = self._open_one(self._paths[i])
        self._open.move_to_end(i)
        return self._open[i]


def stamp_of(paths: Sequence[Path]) -> tuple[object, ...]:
    """Return a value that changes when one of these files does."""
    states = [path.stat() for path in paths]
    return tuple((status.st_size, status.st_mtime_ns) for status in states)


def joined(count: int, parts: Iterable[tuple[Path, Rows]], start: int = 0) -> Rows:
    """Return ``count`` rows of several files, one after the other, numbered from ``start``.

    Each part is released before the next one is read.

    Raises
    ------
    DataError
        If the key is text in one file and numbers in another.
    """
    result: Rows | None = None
    keys: list[NDArray[Any]] = []
    at = 0
    for path, rows in parts:
        if len(rows) == count:
            return replace(rows, ids=np.arange(start, start + count, dtype=np.int64))
        if result is None:
            result = _empty(count, rows, start)
        part = slice(at, at + len(rows))
        result.features[part], result.label[part] = rows.features, rows.label
        if result.weight is not None:
            result.weight[part] = rows.weight
        if rows.key is not None:
            keys.append(rows.key)
            require_same_kind(keys[0], rows.key, path)
        at = part.stop
    assert result is not None
    return replace(result, key=np.concatenate(keys)) if keys else result


def require_same_kind(first: NDArray[Any], other: NDArray[Any], path: Path) -> None:
    """Raise a DataError if one key is text and the other one numbers."""
    if (first.dtype.kind == "O") != (other.dtype.kind == "O"):
        held = {True: "text", False: "numbers"}
        raise DataError(
            f"{path}: the split's column holds {held[other.dtype.kind == 'O']}, but "
            f"{held[first.dtype.kind == 'O']} in the files before it; write it the same way "
            "in all files"
        )


def require_same_columns(reader: Reader, path: Path, first: Reader, first_path: Path) -> None:
    """Raise a DataError unless two files have the same feature columns, in the same order."""
    if reader.columns != first.columns:
        here, there = set(reader.columns), set(first.columns)
        more = next((name for name in reader.columns if name not in there), None)
        less = next((name for name in first.columns if name not in here), None)
        if less is not None:
            how = f"it has no column {less!r}"
        elif more is not None:
            how = f"it has a column {more!r} more"
        else:
            how = "its columns stand in another order; name them with features=[...]"
        raise DataError(f"{path} does not have the columns of {first_path}: {how}")
    if reader.sample_shape != first.sample_shape:
        raise DataError(
            f"{path}: its samples have the shape {reader.sample_shape}, those of {first_path} "
            f"{first.sample_shape}; all files must have the same"
        )


def data_files(path: Path, format_of: Callable[[Path], str | None]) -> list[Path]:
    """Return the data files of a folder or of a pattern, in natural order: part-2 before part-10.

    Hidden files, files about the data such as README.txt, and files of unknown formats are skipped.

    Parameters
    ----------
    path : Path
    format_of : function
        Returns the format that a file's name indicates; None if it is unknown.

    Raises
    ------
    DataError
        If there are none, or of several formats.
    """
    if path.is_dir():
        candidates, where = list(path.iterdir()), f"{path} is a folder that holds"
    else:
        candidates = [Path(candidate) for candidate in glob.glob(str(path), recursive=True)]
        where = f"the pattern {path} matches"
    formats: dict[str, list[Path]] = {}
    for candidate in candidates:
        kind = format_of(candidate)
        hidden = candidate.name.startswith(".") or candidate.stem.lower().startswith(_ABOUT_DATA)
        if kind is not None and not hidden and candidate.is_file():
            formats.setdefault(kind, []).append(candidate)
    if not formats:
        cure = "give the name of a file or of another folder"
        if path.is_dir():
            deeper = next((p for p in path.rglob("*") if p.is_file() and format_of(p)), None)
            if deeper is not None:
                cure = f"folders in it do: give the pattern '{path}/**/*{deeper.suffix}'"
        raise DataError(f"{where} no data file; {cure}")
    if len(formats) > 1:
        held = "; ".join(f"{kind}: {_listed(formats[kind])}" for kind in sorted(formats))
        raise DataError(
            f"{where} files of several formats ({held}); choose some with a pattern such as "
            f"'{path if path.is_dir() else path.parent}/*{next(iter(formats.values()))[0].suffix}'"
        )
    (files,) = formats.values()
    return sorted(files, key=_natural)


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist is a pattern for several."""
    return any(character in str(path) for character in "*?[")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that compares numbers by value."""
    pieces = re.split(r"(\d+)", str(path))
    return [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces] + [
        (0, str(path))
    ]


def _listed(paths: list[Path]) -> str:
    names = sorted(path.name for path in paths)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _empty(count: int, like: Rows, start: int) -> Rows:
    return Rows(
        features=np.empty((count, *like.features.shape[1:]), np.float32),
        label=np.empty(count, np.float64),
        weight=None if like.weight is None else np.empty(count, np.float64),
        ids=np.arange(start, start + count, dtype=np.int64),
        columns=like.columns,
    )
