"""Printing, figures and questions: only those of rank 0 are real."""

from __future__ import annotations

import builtins
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from types import ModuleType
from typing import Any

from matexapps.comm.communicator import Communicator
from matexapps.transparent.patching import after_import
from matexapps.transparent.rank_zero_io.replacements import Replacements

_HEADLESS_BACKEND = "Agg"


@contextmanager
def rank_zero_output(comm: Communicator, replacements: Replacements) -> Iterator[None]:
    """Let only rank 0 print, show figures and ask; every rank gets the answer. Collective."""
    ask = builtins.input
    replacements.function(builtins, "input", lambda *words: comm.on_root(lambda: ask(*words)))
    if comm.rank == 0:
        yield
        return
    with ExitStack() as stack:
        # Left open: a logger may use it for longer than this.
        null = open(os.devnull, "w")  # noqa: SIM115
        for handler in _handlers_of({sys.stdout, sys.stderr}):
            stack.callback(handler.setStream, handler.stream)
            handler.setStream(null)
        stack.enter_context(redirect_stdout(null))
        stack.enter_context(redirect_stderr(null))
        stack.enter_context(_headless_backend())
        draw = partial(_draw_headless, replacements, stack)
        stack.enter_context(after_import("matplotlib", draw))
        yield


def _handlers_of(streams: set[Any]) -> list[logging.StreamHandler[Any]]:
    handlers = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
    return [
        handler
        for handler in handlers
        # One handler of logging's own looks up sys.stderr each time.
        if isinstance(handler, logging.StreamHandler) and vars(handler).get("stream") in streams
    ]


@contextmanager
def _headless_backend() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["MPLBACKEND"] = _HEADLESS_BACKEND
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _draw_headless(replacements: Replacements, stack: ExitStack, matplotlib: ModuleType) -> None:
    use = matplotlib.use
    if "matplotlib.pyplot" in sys.modules:
        stack.callback(use, matplotlib.get_backend())
        use(_HEADLESS_BACKEND)
    replacements.function(matplotlib, "use", lambda *_, **__: use(_HEADLESS_BACKEND))
