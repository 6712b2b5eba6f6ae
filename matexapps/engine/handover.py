"""What a rank's names hold, packed for the ranks that are started in its place."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Collection
from typing import Any

import cloudpickle

from matexapps.engine.cells import push, users_names
from matexapps.engine.interrupts import imports_finish


def digests() -> dict[str, str | None]:
    """Return a digest of what each of the user's names on this rank holds.

    Returns
    -------
    dict of str to str or None
        None where it cannot be pickled.
    """
    return {name: _digest(value) for name, value in sorted(users_names().items())}


def pack(names: Collection[str]) -> bytes:
    """Return what ``names`` hold. What two of them share, they share again on the other side."""
    held = {name: value for name, value in users_names().items() if name in names}
    return _pickled(held, _Pickler)


def unpack(packed: bytes) -> None:
    """Set names on this rank to what :func:`pack` returned on another."""
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
            # It would be one process still, and never meet the ranks beside it.
            raise pickle.PicklingError("a communicator of one process")
        return super().reducer_override(obj)


class _ContentPickler(_Pickler):
    """Writes the same for the same content: torch would write a tensor's address in memory."""

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            values = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return tuple, ([str(obj.dtype), tuple(obj.shape), values.tobytes()],)
        return super().reducer_override(obj)
