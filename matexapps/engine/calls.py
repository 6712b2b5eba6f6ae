"""A call that came over the wire to a rank: it runs, and its outcome goes back."""

from __future__ import annotations

import importlib
import linecache
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any

import cloudpickle

from matexapps import progress
from matexapps.engine.interrupts import ignore_interrupts, imports_finish
from matexapps.engine.local_modules import LocalModules
from matexapps.engine.rank_log import logged, note

_ENGINE_FOLDER = os.path.dirname(__file__)
_OWN_FOLDER = os.path.dirname(_ENGINE_FOLDER)
_local_modules = LocalModules()


def identify() -> tuple[int, int, int]:
    """Return this engine's rank and the world's size, as MPI tells them, and its process number.

    From then on the user's own waits on ``MPI.COMM_WORLD`` can be stopped.
    """
    find("matexapps.comm.world:make_user_world_interruptible")()
    return *come_together(), os.getpid()


def come_together() -> tuple[int, int]:
    """Return this engine's rank and the world's size, lost ranks left out."""
    rank, size = find("matexapps.comm.world:rank_and_world_size")()
    return rank, size


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
        A pickled dictionary: ``label`` (what a person calls it), ``folder`` and ``path`` (the
        notebook's working folder and its ``sys.path``), ``sources`` (file name to lines, for code
        that was written in cells), ``renew`` (whether work was cut short since all ranks
        last worked together) and ``content``, pickled by itself because only then its modules
        can be found: function (a callable, or text for :func:`find`), args and kwargs.

    Returns
    -------
    bytes
        A pickled dictionary: ``reloaded``, the names of modules that had changed on disk, and
        ``value``, or ``failure`` with what :class:`matexapps.cluster.call.failures.Failure` holds.
    """
    reloaded: list[str] = []
    try:
        outcome = {"value": _run(call, reloaded), "reloaded": reloaded}
        packed: bytes = cloudpickle.dumps(outcome)
        ignore_interrupts()
    except BaseException as error:
        ignore_interrupts()
        failure = _describe(error)
        note(failure["trace"])
        packed = cloudpickle.dumps({"failure": failure, "reloaded": reloaded})
    return packed


def _run(call: bytes, reloaded: list[str]) -> Any:
    request = cloudpickle.loads(call)
    os.chdir(request["folder"])
    sys.path.extend(entry for entry in request["path"] if entry not in sys.path)
    for name, lines in request["sources"].items():
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    folders = [request["folder"], *request["path"]]
    try:
        if request["renew"]:
            find("matexapps.comm.world:renew_worlds")()
        with imports_finish():
            reloaded += _local_modules.refresh(folders)
            function, args, kwargs = cloudpickle.loads(request["content"])
            if isinstance(function, str):
                function = find(function)
        with logged(request["label"]), progress.reporting_to(_publisher()):
            return function(*args, **kwargs)
    finally:
        _local_modules.note(folders)


def _publisher() -> progress.Sink:
    import psutil
    from ipyparallel.datapub import publish_data

    process, numbers = psutil.Process(), count()

    def publish(event: dict[str, Any]) -> None:
        # A key of its own for each event: equal keys would overwrite each other on the way.
        event = {**event, "rss_bytes": process.memory_info().rss}
        publish_data({f"{next(numbers)}": event})

    return publish


def _describe(error: BaseException) -> dict[str, Any]:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_ENGINE_FOLDER):
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
        "place": _place(trace),
        "raised_at": time.time(),
        "pickled": pickled,
    }


def _place(trace: TracebackType | None) -> str:
    """Return the innermost line of the user's own code, "" where none is on the way."""
    place = ""
    for frame in traceback.extract_tb(trace):
        if not frame.filename.startswith((_OWN_FOLDER, sys.prefix, sys.base_prefix, "<")):
            place = f"{frame.filename}, line {frame.lineno}: {frame.line}"
    return place
