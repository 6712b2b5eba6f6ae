"""What runs on an engine: a call that came over the wire, with its progress and its failure."""

from __future__ import annotations

import importlib
import linecache
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import cloudpickle

from matexapps import progress


def identify() -> tuple[int, int]:
    """Return this engine's rank and the world's size, as MPI tells them."""
    with find("matexapps.comm.world:open_world")() as comm:
        return comm.rank, comm.world_size


def describe_ranks() -> list[dict[str, Any]]:
    """Return what :func:`matexapps.devices.describe` says: a row for each rank."""
    describe = find("matexapps.devices:describe")
    with find("matexapps.comm.world:open_world")() as comm:
        rows: list[dict[str, Any]] = describe(comm)
    return rows


def find(name: str) -> Callable[..., Any]:
    """Return the function that ``"package.module:name"`` names."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


def execute(call: bytes) -> bytes:
    """Run one call and pack its outcome.

    Parameters
    ----------
    call : bytes
        A pickled dictionary: ``folder`` and ``path`` (the notebook's working folder and its
        ``sys.path``), ``sources`` (file name to lines, for functions that were written in cells)
        and ``content``, pickled by itself because only then its modules can be found: function
        (a callable, or text for :func:`find`), args and kwargs.

    Returns
    -------
    bytes
        A pickled dictionary: ``value``, or ``failure`` with what
        :class:`matexapps.cluster.failures.Failure` holds.
    """
    try:
        packed: bytes = cloudpickle.dumps({"value": _run(call)})
        _ignore_interrupts()
    except BaseException as error:
        _ignore_interrupts()
        packed = cloudpickle.dumps({"failure": _describe(error)})
    return packed


def _ignore_interrupts() -> None:
    # An interrupt that comes when the work is over would keep the answer from being sent. The
    # kernel allows interrupts again with its next request.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(call: bytes) -> Any:
    request = cloudpickle.loads(call)
    os.chdir(request["folder"])
    sys.path.extend(entry for entry in request["path"] if entry not in sys.path)
    for name, lines in request["sources"].items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    with _imports_finish():
        function, args, kwargs = cloudpickle.loads(request["content"])
        if isinstance(function, str):
            function = find(function)
    with progress.reporting_to(_publisher()):
        return function(*args, **kwargs)


@contextmanager
def _imports_finish() -> Iterator[None]:
    """Hold an interrupt back to the end of a block: a module cut off in its import stays broken."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


def _publisher() -> progress.Sink:
    from ipyparallel.datapub import publish_data

    numbers = count()

    def publish(event: dict[str, Any]) -> None:
        # A key of its own for each event: equal keys would overwrite each other on the way.
        publish_data({f"{next(numbers)}": event})

    return publish


def _describe(error: BaseException) -> dict[str, Any]:
    own = sys.modules[__name__].__file__
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == own:
        trace = trace.tb_next
    try:
        # Only if it can also be read again, as the receiver will have to.
        pickled: bytes | None = cloudpickle.dumps(error)
        cloudpickle.loads(pickled)
    except Exception:
        pickled = None
    return {
        "host": socket.gethostname(),
        "type_name": type(error).__name__,
        "message": str(error),
        "trace": "".join(traceback.format_exception(type(error), error, trace)).rstrip(),
        "raised_at": time.time(),
        "pickled": pickled,
    }
