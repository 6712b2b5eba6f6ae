"""The user's own lines, told apart from those of libraries by their files."""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = (
    _PACKAGE, "<frozen ", *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib"))
)  # fmt: skip


def called_by_user_code() -> bool:
    """Whether the function that asks was called from a line of the user's own."""
    return not sys._getframe(2).f_code.co_filename.startswith(_LIBRARIES)


def warn(message: str) -> None:
    """Warn at the innermost line of the user's own that is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    if frame is None:
        warnings.warn(message, stacklevel=2)
    else:
        warnings.warn_explicit(
            message, UserWarning, frame.f_code.co_filename, frame.f_lineno,
            registry=frame.f_globals.setdefault("__warningregistry__", {}),
        )  # fmt: skip
