"""Signals that end a process, as exceptions: what was begun is then ended on the way out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

OF_GROUPS = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Those that a terminal sends to a process group."""

_ENDING = (*OF_GROUPS, signal.SIGTERM)


def leave(number: int, _frame: object = None) -> None:
    """Handle a signal by leaving.

    Raises
    ------
    KeyboardInterrupt
        On SIGINT.
    SystemExit
        On any other one, with 128 + its number.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


@contextmanager
def handled(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Have ``handler`` called on signals that end a process, but for those that are ignored.

    Nothing changes outside the main thread, which Python lets alone handle signals.
    """
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                # nohup has SIGHUP ignored, and shells without job control SIGINT. None stands for
                # a handler that is not Python's, and cannot be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def blocked(numbers: Sequence[int]) -> Iterator[None]:
    """Block signals in this thread, and in the processes that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
