"""The memory bound of a data set."""

from __future__ import annotations

import re

from matexapps.errors import DataError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_size(size: str | float) -> int:
    """Return the bytes of a size such as ``"2GB"``, ``"512 MiB"`` or a number of bytes.

    Raises
    ------
    DataError
        If it is not a size above zero.
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([a-zA-Z]*)\s*", str(size))
    unit = _UNITS.get((match.group(2) or "B").upper()) if match else None
    try:
        value = 0 if match is None or unit is None else int(float(match.group(1)) * unit)
    except ValueError:
        value = 0
    if value <= 0:
        raise DataError(f'memory={size!r} is not a size: write for example "2GB" or "512 MiB"')
    return value


def fits(rows: int, row_bytes: int, memory: int) -> bool:
    """Whether rows fit into ``memory`` bytes: twice, because splitting copies them."""
    return 2 * rows * row_bytes <= memory
