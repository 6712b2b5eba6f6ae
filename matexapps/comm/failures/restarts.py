"""Whether a loss makes all ranks start again, rather than go on without the lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_wanted = False


def restarts() -> bool:
    """Whether a loss makes all ranks start again."""
    return _wanted


@contextmanager
def restarting() -> Iterator[None]:
    """Inside, a ``RankFailureError`` comes through to whoever starts all ranks again."""
    global _wanted
    before, _wanted = _wanted, True
    try:
        yield
    finally:
        _wanted = before
