"""When an interrupt may cut work short, and when it has to wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_finish() -> Iterator[None]:
    """Hold an interrupt back to the end of a block: a module cut off in its import stays broken."""
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


def ignore_interrupts() -> None:
    """Ignore interrupts from now on: one that comes when work is over would cut off its answer.

    The kernel allows interrupts again with its next request.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
