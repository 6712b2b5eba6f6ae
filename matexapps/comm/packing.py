"""The contents of messages: objects as bytes, arrays in pieces."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import CommunicationError

_PIECE_BYTES = 4 * 1024 * 1024


def pack(value: Any) -> bytes:
    """Return an object, pickled.

    Raises
    ------
    CommunicationError
        If it cannot be pickled.
    """
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise CommunicationError(
            f"cannot send a {type(value).__name__} to other ranks: {error}; send plain data"
        ) from error


def pack_each(
    values: Sequence[Any] | None, size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Pickle ``size`` objects.

    Returns
    -------
    ndarray of int64, shape (size,)
        Each one's number of bytes.
    ndarray of uint8
        All bytes, one object after the other.

    Raises
    ------
    ValueError
        If there are more objects, or fewer.
    """
    if values is None or len(values) != size:
        raise ValueError(f"expecting {size} items, got {0 if values is None else len(values)}")
    parts = [pickle.dumps(value) for value in values]
    joined = np.frombuffer(b"".join(parts), np.uint8)
    return np.array([len(part) for part in parts], np.int64), joined


def unpack_each(joined: NDArray[np.uint8], lengths: NDArray[np.int64]) -> list[Any]:
    """Return the objects that :func:`pack_each` has pickled."""
    # The bytes come from ranks of this job, never from a file.
    ranges = zip(starts_of(lengths), lengths, strict=True)
    return [pickle.loads(joined[start : start + n].tobytes()) for start, n in ranges]


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of several joined parts begins."""
    return np.cumsum(lengths) - lengths


def as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of an array: a view if it is contiguous, otherwise a copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def in_pieces(array: NDArray[Any]) -> list[NDArray[Any]]:
    """Return views of an array in pieces of a size that makes for fast messages.

    Raises
    ------
    CommunicationError
        If it is not contiguous.
    """
    if not array.flags.c_contiguous:
        raise CommunicationError(
            f"an array of shape {array.shape} is not C-contiguous; pass numpy.ascontiguousarray(it)"
        )
    flat = array.reshape(-1)
    step = max(1, _PIECE_BYTES // max(1, flat.itemsize))
    return [flat[start : start + step] for start in range(0, len(flat), step)]
