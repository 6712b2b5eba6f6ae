"""Prints, figures and questions: rank 0's alone are real."""

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
from unittest import mock

from matexapps.comm.communicator import Communicator
from matexapps.transparent.after_import import after_import
from matexapps.transparent.rank_zero_io.replacing import Replacing

_QUIET_BACKEND = "Agg"


@contextmanager
def rank_zero_output(comm: Communicator, replacing: Replacing) -> Iterator[None]:
    """Let rank 0 alone print, show figures and ask, and every rank have the answer."""
    ask = builtins.input
    replacing.function(builtins, "input", lambda *words: comm.on_root(lambda: ask(*words)))
    if comm.rank == 0:
        yield
        return
    with ExitStack() as stack:
        # Left open: a logger may keep it for longer than this.
        nowhere = open(os.devnull, "w")  # noqa: SIM115
        for handler in _handlers_of({sys.stdout, sys.stderr}):
            stack.callback(handler.setStream, handler.stream)
            handler.setStream(nowhere)
        stack.enter_context(redirect_stdout(nowhere))
        stack.enter_context(redirect_stderr(nowhere))
        stack.enter_context(mock.patch.dict(os.environ, MPLBACKEND=_QUIET_BACKEND))
        stack.enter_context(after_import("matplotlib", partial(_draw_quietly, replacing, stack)))
        yield


def _handlers_of(streams: set[Any]) -> list[logging.StreamHandler[Any]]:
    found = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
    return [
        handler
        for handler in found
        # One handler of logging's own looks up sys.stderr each time.
        if isinstance(handler, logging.StreamHandler) and vars(handler).get("stream") in streams
    ]


def _draw_quietly(replacing: Replacing, stack: ExitStack, matplotlib: ModuleType) -> None:
    use = matplotlib.use
    if "matplotlib.pyplot" in sys.modules:
        stack.callback(use, matplotlib.get_backend())
        use(_QUIET_BACKEND)
    replacing.function(matplotlib, "use", lambda *_, **__: use(_QUIET_BACKEND))
