"""The values of a rank's names, pickled for the ranks that are started in its place."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Collection
from typing import Any

import cloudpickle

from matexapps.engine.calls import imports_finish
from matexapps.engine.cells import push, users_names


def digests() -> dict[str, str | None]:
    """Return a digest of the value of each of the user's names on this rank.

    Returns
    -------
    dict of str to str or None
        None if a value cannot be pickled.
    """
    return {name: _digest(value) for name, value in sorted(users_names().items())}


def pack(names: Collection[str]) -> bytes:
    """Pickle the values of ``names``. Objects that two of them share stay shared."""
    values = {name: value for name, value in users_names().items() if name in names}
    return _pickled(values, _Pickler)


def unpack(packed: bytes) -> None:
    """Set the names on this rank that :func:`pack` pickled on another one."""
    with imports_finish():
        values = cloudpickle.loads(packed)
    push(values)


def _digest(value: Any) -> str | None:
    try:
        _pickled(value, _Pickler)
        return hashlib.sha256(_pickled(value, _ContentPickler)).hexdigest()
    except Exception:
        return None


def _pickled(value: Any, pickler: type[cloudpickle.Pickler]) -> bytes:
    with io.BytesIO() as buffer:
        pickler(buffer).dump(value)
        return buffer.getvalue()


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        single = sys.modules.get("matexapps.comm.single")
        if single is not None and isinstance(obj, single.SingleProcess):
            # On the new ranks it would still be a world of one process.
            raise pickle.PicklingError("a communicator of one process")
        return super().reducer_override(obj)


class _ContentPickler(_Pickler):
    """Pickles equal values equally: torch would write a tensor's address in memory."""

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            values = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return tuple, ([str(obj.dtype), tuple(obj.shape), values.tobytes()],)
        return super().reducer_override(obj)
