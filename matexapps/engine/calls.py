"""A call that arrives at a rank: it runs, and its outcome is sent back."""

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
from types import TracebackType
from typing import Any

import cloudpickle

from matexapps import progress
from matexapps.engine.local_modules import LocalModules
from matexapps.engine.rank_log import logged, note

_ENGINE_FOLDER = os.path.dirname(__file__)
_PACKAGE_FOLDER = os.path.dirname(_ENGINE_FOLDER)
_local_modules = LocalModules()


def identify() -> tuple[int, int, int]:
    """Return this engine's rank, the size of its world, as MPI has them, and its process number.

    From then on, waits of the user's own on ``MPI.COMM_WORLD`` can be interrupted.
    """
    resolve("matexapps.comm.world:make_user_world_interruptible")()
    return *rank_and_world_size(), os.getpid()


def rank_and_world_size() -> tuple[int, int]:
    """Return this engine's rank and the size of its world, without lost ranks."""
    rank, size = resolve("matexapps.comm.world:rank_and_world_size")()
    return rank, size


def describe_ranks() -> list[dict[str, Any]]:
    """Return what :func:`matexapps.devices.describe` returns: a row for each rank."""
    describe = resolve("matexapps.devices:describe")
    with resolve("matexapps.comm.world:open_world")() as comm:
        rows: list[dict[str, Any]] = describe(comm)
    return rows


def resolve(name: str) -> Callable[..., Any]:
    """Return the function with the name ``"package.module:name"``."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


@contextmanager
def imports_finish() -> Iterator[None]:
    """Defer an interrupt to the end of the block: an interrupted import leaves a broken module."""
    deferred: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: deferred.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if deferred:
        raise KeyboardInterrupt


def execute(call: bytes) -> bytes:
    """Run one call and pickle its outcome.

    Parameters
    ----------
    call : bytes
        A pickled dictionary: ``label`` (for the log), ``folder`` and ``path`` (the notebook's
        working folder and its ``sys.path``), ``sources`` (file name to lines, for code of cells),
        ``renew`` (whether communicators must be renewed first) and ``content``, which is pickled
        separately because its modules can only be found after the above is set: function (a
        callable, or a name for :func:`resolve`), args and kwargs.

    Returns
    -------
    bytes
        A pickled dictionary: ``reloaded``, the names of modules that had changed on disk; and
        ``value``, or ``failure`` with the fields of
        :class:`matexapps.cluster.call.rank_exceptions.RankException`.
    """
    reloaded: list[str] = []
    try:
        outcome = {"value": _run(call, reloaded), "reloaded": reloaded}
        packed: bytes = cloudpickle.dumps(outcome)
        _ignore_interrupts()
    except BaseException as error:
        _ignore_interrupts()
        failure = _describe(error)
        note(failure["trace"])
        packed = cloudpickle.dumps({"failure": failure, "reloaded": reloaded})
    return packed


def _ignore_interrupts() -> None:
    # An interrupt after the work would cut off the answer. The kernel allows them again with its
    # next request.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(call: bytes, reloaded: list[str]) -> Any:
    request = cloudpickle.loads(call)
    os.chdir(request["folder"])
    sys.path.extend(entry for entry in request["path"] if entry not in sys.path)
    for name, lines in request["sources"].items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    folders = [request["folder"], *request["path"]]
    try:
        if request["renew"]:
            resolve("matexapps.comm.world:renew_worlds")()
        with imports_finish():
            reloaded += _local_modules.refresh(folders)
            function, args, kwargs = cloudpickle.loads(request["content"])
            if isinstance(function, str):
                function = resolve(function)
        with logged(request["label"]), progress.reporting_to(_publisher()):
            return function(*args, **kwargs)
    finally:
        _local_modules.note(folders)


def _publisher() -> progress.Sink:
    import psutil
    from ipyparallel.datapub import publish_data

    process, numbers = psutil.Process(), count()

    def publish(event: dict[str, Any]) -> None:
        # Each event has a key of its own: equal keys would overwrite each other on the way.
        event = {**event, "rss_bytes": process.memory_info().rss}
        publish_data({f"{next(numbers)}": event})

    return publish


def _describe(error: BaseException) -> dict[str, Any]:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_ENGINE_FOLDER):
        trace = trace.tb_next
    try:
        # Only if it can be unpickled too, as the receiver must do.
        pickled: bytes | None = cloudpickle.dumps(error)
        cloudpickle.loads(pickled)
    except Exception:
        pickled = None
    return {
        "host": socket.gethostname(),
        "type_name": type(error).__name__,
        "message": str(error),
        "trace": "".join(traceback.format_exception(type(error), error, trace)).rstrip(),
        "location": _users_location(trace),
        "raised_at": time.time(),
        "pickled": pickled,
    }


def _users_location(trace: TracebackType | None) -> str:
    """Return the innermost line of the user's own code, "" if there is none."""
    location = ""
    for frame in traceback.extract_tb(trace):
        if not frame.filename.startswith((_PACKAGE_FOLDER, sys.prefix, sys.base_prefix, "<")):
            location = f"{frame.filename}, line {frame.lineno}: {frame.line}"
    return location
