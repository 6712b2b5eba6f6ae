"""Signals that end a process, as exceptions, so that ``finally`` blocks run on the way out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Those that a terminal sends to a whole process group."""

_ENDING = (*TERMINAL_SIGNALS, signal.SIGTERM)


def exit_on_signal(number: int, _frame: object = None) -> None:
    """Handle a signal by leaving the program.

    Raises
    ------
    KeyboardInterrupt
        On SIGINT.
    SystemExit
        On any other signal, with 128 + its number.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


@contextmanager
def signals_handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Call ``handler`` on signals that end a process, except for those that are ignored.

    Outside the main thread this does nothing, since Python handles signals only there.
    """
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                # nohup ignores SIGHUP, and shells without job control ignore SIGINT. None stands
                # for a handler that Python did not install and cannot restore.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def signals_blocked(numbers: Sequence[int]) -> Iterator[None]:
    """Block signals in this thread, and in the processes that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
