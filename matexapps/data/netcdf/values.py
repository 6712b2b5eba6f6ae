r"""From the stored numbers of a NetCDF file to their values: the conventions of attributes.

The rules, for numbers:

- ``_Unsigned = "true"`` reads stored signed integers as unsigned, ``"false"`` the reverse.
- A cell is missing, NaN, where its stored value is ``_FillValue``, one of ``missing_value``, or
  outside ``valid_min``, ``valid_max`` or ``valid_range``. Without ``_FillValue``, also where it is
  the default that the NetCDF library gives to cells never written (except integers of 1 or 2 bytes,
  where it may well be data).
- ``scale_factor`` and ``add_offset`` are applied.
- Integers with such an attribute become float64, which has a NaN. All other integers stay integers.
- Times stay numbers, in the units of the file.

Texts lose NULs and blanks at their end, and are UTF-8 unless ``_Encoding`` names another encoding.
An invalid byte is read as four characters, as in ``\xfc``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from netCDF4 import default_fillvals
from numpy.typing import NDArray

_MISSING = ("_FillValue", "missing_value")
_VALID = ("valid_min", "valid_max", "valid_range")
_PACKED = ("scale_factor", "add_offset")


@dataclass(frozen=True, eq=False)
class Decoding:
    """How the stored numbers of one variable become its values.

    Attributes
    ----------
    stored : numpy.dtype
        Type of the stored numbers, native byte order, after ``_Unsigned``.
    dtype : numpy.dtype
        Type of the values.
    missing : ndarray of ``stored``
        Stored numbers that stand for no value.
    least, greatest : number or None
        Bounds of the stored numbers that are valid.
    scale, offset : float
        Factor of a stored number, and what is then added.
    """

    stored: np.dtype[Any]
    dtype: np.dtype[Any]
    missing: NDArray[Any]
    least: Any = None
    greatest: Any = None
    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def declared(cls, dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> Decoding:
        """Return the rule for numbers of type ``dtype`` with these attributes."""
        stored = _signed_as_declared(dtype.newbyteorder("="), attributes)
        given = {
            name: np.ravel(attributes[name])
            for name in (*_MISSING, *_VALID, *_PACKED)
            if name in attributes and np.asarray(attributes[name]).dtype.kind in "iuf"
        }
        missing = [_as_stored(given[name], stored) for name in _MISSING if name in given]
        if "_FillValue" not in given:
            missing.append(_never_written(stored))
        to_float = given and (stored.kind in "iu" or not given.keys().isdisjoint(_PACKED))
        least, greatest = _bounds(given, stored)
        return cls(
            stored=stored,
            dtype=np.dtype(np.float64) if to_float else stored,
            missing=np.concatenate(missing),
            least=least,
            greatest=greatest,
            scale=float(given["scale_factor"][0]) if "scale_factor" in given else 1.0,
            offset=float(given["add_offset"][0]) if "add_offset" in given else 0.0,
        )

    def values(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Return the values of stored numbers, NaN where there is none.

        Parameters
        ----------
        raw : ndarray
            As the file stores them, any byte order.

        Returns
        -------
        ndarray of ``dtype``, of the same shape, C-contiguous
        """
        native = raw.astype(raw.dtype.newbyteorder("="), order="C", copy=False)
        numbers = native.view(self.stored)
        if self.dtype.kind != "f":
            return numbers
        values = numbers.astype(self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scale != 1.0:
                values *= self.scale
            if self.offset != 0.0:
                values += self.offset
        values[self._absent(numbers)] = np.nan
        return values

    def _absent(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        absent = np.zeros(numbers.shape, np.bool_)
        for value in self.missing:
            absent |= numbers == value
        if self.least is not None:
            absent |= numbers < self.least
        if self.greatest is not None:
            absent |= numbers > self.greatest
        return absent


def texts(raw: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    """Return texts as objects of ``str``.

    Parameters
    ----------
    raw : ndarray, shape (rows,) or (rows, characters)
        Strings, or single bytes that join to texts along the second axis.
    attributes : mapping
        The variable's.
    """
    if raw.dtype.kind != "S":
        return raw
    code = _code(attributes)
    width = raw.shape[1] if raw.ndim == 2 else 1
    if not width:
        return np.full(len(raw), "", object)
    joined = np.ascontiguousarray(raw).view(f"S{width}").reshape(len(raw))
    result = np.empty(len(raw), object)
    result[:] = [text.decode(code, "backslashreplace").rstrip(" \0") for text in joined]
    return result


def _code(attributes: Mapping[str, Any]) -> str:
    name = str(attributes.get("_Encoding", "utf-8"))
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return "utf-8"
    return name


def without_coding(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that describe the values, not how they are stored."""
    coding = (*_MISSING, *_VALID, *_PACKED)
    return {name: value for name, value in attributes.items() if name not in coding}


def _signed_as_declared(dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> np.dtype[Any]:
    declared = str(attributes.get("_Unsigned", "")).lower()
    if dtype.kind == "i" and declared == "true":
        return np.dtype(f"u{dtype.itemsize}")
    if dtype.kind == "u" and declared == "false":
        return np.dtype(f"i{dtype.itemsize}")
    return dtype


def _as_stored(values: NDArray[Any], stored: np.dtype[Any]) -> NDArray[Any]:
    """Return those of ``values`` that a variable of type ``stored`` can hold, in that type."""
    native = values.astype(values.dtype.newbyteorder("="))
    if stored.kind in "iu" and native.dtype.kind in "iu" and native.itemsize == stored.itemsize:
        return native.view(stored)
    with np.errstate(over="ignore", invalid="ignore"):
        held = native.astype(stored)
    return held if stored.kind == "f" else held[held == native]


def _never_written(stored: np.dtype[Any]) -> NDArray[Any]:
    known = stored.kind == "f" or stored.itemsize >= 4
    return np.array([default_fillvals[stored.str[1:]]] if known else [], stored)


def _bounds(given: Mapping[str, NDArray[Any]], stored: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the least and greatest valid stored numbers; None for no bound."""

    def bound(name: str, index: int) -> Any:
        values = given.get(name, np.empty(0))
        if len(values) <= index:
            return None
        held = _as_stored(values[index : index + 1], stored)
        return held[0] if len(held) else values[index]

    least, greatest = bound("valid_range", 0), bound("valid_range", 1)
    return (
        bound("valid_min", 0) if least is None else least,
        bound("valid_max", 0) if greatest is None else greatest,
    )
