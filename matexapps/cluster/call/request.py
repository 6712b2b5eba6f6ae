"""What is sent to a rank to make it run a function."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle

from matexapps.errors import ClusterError


def pack_request(
    label: str,
    renew: bool,
    function: Callable[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bytes:
    """Return a call as :func:`matexapps.engine.calls.execute` takes it.

    Raises
    ------
    ClusterError
        If function or arguments cannot be pickled.
    """
    request: bytes = cloudpickle.dumps(
        {
            "label": label,
            "folder": os.getcwd(),
            "path": sys.path,
            "sources": _cell_sources(),
            "renew": renew,
            "content": _pickled((function, args, kwargs)),
        }
    )
    return request


def _pickled(content: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(content)
    except Exception as error:
        raise ClusterError(
            f"the function or an argument cannot be sent to the ranks ({error}); "
            "send file names and settings, and open files or connections on the ranks"
        ) from error
    return packed


def _cell_sources() -> dict[str, list[str]]:
    # The code of cells is in no file, but a rank's traceback should show its lines too.
    return {
        name: entry[2]
        for name, entry in linecache.cache.items()
        if len(entry) == 4 and entry[1] is None and ("ipykernel" in name or name.startswith("Cell"))
    }
