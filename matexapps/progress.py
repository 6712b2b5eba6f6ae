"""Progress of running work.

The work calls :func:`report`. Whatever displays it (a notebook's engine, a terminal) wraps the work
in :func:`reporting_to`. Neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Sink = Callable[[dict[str, Any]], None]

_sink: ContextVar[Sink | None] = ContextVar("matexapps_progress_sink", default=None)


def report(event: dict[str, Any]) -> None:
    """Send one event, a dictionary of plain values, to the current sink, if there is one."""
    sink = _sink.get()
    if sink is not None:
        sink(event)


def report_work(
    what: str, done: int, total: int | None, unit: str, rank: int = 0, world_size: int = 1
) -> None:
    """Report how much of some work other than training is done.

    Parameters
    ----------
    what : str
        The work, as a user reads it: "reading events.csv".
    done : int
    total : int or None
        None if it is not known.
    unit : str
        Unit of both, such as "bytes" or "rows".
    rank, world_size : int
        The rank whose share of the work this is.
    """
    report(
        {
            "kind": "work",
            "rank": rank,
            "world_size": world_size,
            "what": what,
            "done": done,
            "total": total,
            "unit": unit,
        }
    )


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Add a name to the training events inside the block, to tell several trainings apart.

    Parameters
    ----------
    what : str
        The name, as a user reads it: "scaffold split, seed 0".
    """
    with _changed(lambda e: {**e, "what": what} if e["kind"] == "train" else e):
        yield


@contextmanager
def expecting_waits() -> Iterator[None]:
    """Leave out inside the block that ranks wait long for others: their shares take unequal time.

    Those that work must then report signs of life.
    """
    with _changed(lambda e: None if e["kind"] == "waiting" else e):
        yield


@contextmanager
def _changed(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Iterator[None]:
    sink = _sink.get()
    if sink is None:
        yield
        return

    def pass_on(event: dict[str, Any]) -> None:
        if (changed := change(event)) is not None:
            sink(changed)

    with reporting_to(pass_on):
        yield


@contextmanager
def reporting_to(sink: Sink) -> Iterator[None]:
    """Send every event reported inside the block to ``sink``."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
