"""How work under way tells the world how far it is.

Work calls :func:`report`; whoever shows it (a notebook's engine, a terminal) wraps the work in
:func:`reporting_to`. Neither knows the other.
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


@contextmanager
def reporting_to(sink: Sink) -> Iterator[None]:
    """Send every event reported inside the block to ``sink``."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
