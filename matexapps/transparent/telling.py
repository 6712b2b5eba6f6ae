"""Telling the program's own lines from those of libraries, and telling its author of them."""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_NOT_THE_PROGRAM = (
    _PACKAGE, "<frozen ", *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib"))
)  # fmt: skip


def called_by_the_program() -> bool:
    """Whether the function that asks was called by a line of the program's own."""
    return not sys._getframe(2).f_code.co_filename.startswith(_NOT_THE_PROGRAM)


def warn(message: str) -> None:
    """Warn at the innermost line of the program's own that is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_PROGRAM):
        frame = frame.f_back
    if frame is None:
        warnings.warn(message, stacklevel=2)
    else:
        warnings.warn_explicit(
            message, UserWarning, frame.f_code.co_filename, frame.f_lineno,
            registry=frame.f_globals.setdefault("__warningregistry__", {}),
        )  # fmt: skip
