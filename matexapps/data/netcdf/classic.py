"""Checks a classic NetCDF file (CDF-1, CDF-2, CDF-5): does it hold all the bytes its header claims?

The C library reads zeros where a file is truncated. The header says where each variable's values
are, so this can be checked before the library sees the file. The layout is that of "The NetCDF
Classic Format Specification" by Unidata, with the CDF-5 changes of the PnetCDF project.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from matexapps.errors import DataError

CLASSIC_MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")

_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}


@dataclass(frozen=True)
class _Claim:
    """Where a variable's values start, how many bytes they take (in one record), and the name."""

    name: str
    begin: int
    size: int
    in_records: bool


def check_classic(path: Path) -> None:
    """Raise a DataError if a classic file is shorter than its header says, or the header invalid.

    Parameters
    ----------
    path : Path
        A file that starts with one of ``CLASSIC_MAGIC``.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        records, claims = _Header(file, path, size).claims()
    recorded = [claim.size for claim in claims if claim.in_records]
    # A lone record variable is stored without padding.
    record = recorded[0] if len(recorded) == 1 else sum(map(_padded, recorded))
    for claim in claims:
        if claim.in_records and not records:
            continue
        end = claim.begin + claim.size + (record * (records - 1) if claim.in_records else 0)
        if claim.size and end > size:
            raise DataError(
                f"{path} is truncated: the values of variable {claim.name!r} end at byte {end}, "
                f"but the file has {size} bytes; write or copy it again"
            )


class _Header:
    """Reads a header from its first byte to its last."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self._file, self._path, self._size = file, path, size
        version = self._bytes(4)[3]
        self._count_bytes = 8 if version == 5 else 4
        self._offset_bytes = 4 if version == 1 else 8

    def claims(self) -> tuple[int, list[_Claim]]:
        """Return the number of records and what each variable claims."""
        records = self._count()
        lengths = []
        for _ in range(self._list(_DIMENSIONS)):
            self._name()
            lengths.append(self._count())
        self._skip_attributes()
        return records, [self._variable(lengths) for _ in range(self._list(_VARIABLES))]

    def _variable(self, lengths: list[int]) -> _Claim:
        name = self._name()
        axes = [self._count() for _ in range(self._plausible(self._count(), self._count_bytes))]
        if any(axis >= len(lengths) for axis in axes):
            raise self._fault(f"variable {name!r} has a dimension that is not there")
        self._skip_attributes()
        item = self._type_bytes()
        self._count()
        begin = self._integer(self._offset_bytes)
        in_records = bool(axes) and lengths[axes[0]] == 0
        shape = [lengths[axis] for axis in axes[in_records:]]
        return _Claim(name, begin, item * math.prod(shape), in_records)

    def _skip_attributes(self) -> None:
        for _ in range(self._list(_ATTRIBUTES)):
            self._name()
            self._bytes(_padded(self._type_bytes() * self._count()))

    def _list(self, tag: int) -> int:
        """Return the number of elements of the list that starts here; 0 if it is absent."""
        given, count = self._integer(4), self._count()
        if given != tag and (given or count):
            raise self._fault(f"a list starts with {given}, not {tag}")
        return self._plausible(count, self._count_bytes)

    def _name(self) -> str:
        length = self._count()
        return self._bytes(_padded(length))[:length].decode(errors="replace")

    def _type_bytes(self) -> int:
        number = self._integer(4)
        if number not in _TYPE_BYTES:
            raise self._fault(f"type {number} does not exist")
        return _TYPE_BYTES[number]

    def _count(self) -> int:
        return self._integer(self._count_bytes)

    def _integer(self, size: int) -> int:
        return int.from_bytes(self._bytes(size), "big")

    def _plausible(self, count: int, least_bytes: int) -> int:
        """Return ``count`` if so many elements of this size fit into the rest of the file."""
        if count * least_bytes > self._size - self._file.tell():
            raise self._fault(f"a list claims {count} elements")
        return count

    def _bytes(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise self._fault("it ends in the middle")
        return self._file.read(count)

    def _fault(self, what: str) -> DataError:
        return DataError(
            f"{self._path} has a broken NetCDF header ({what}, before byte {self._file.tell()}); "
            "write or copy it again"
        )


def _padded(size: int) -> int:
    return -(-size // 4) * 4
