"""The line of a program that calls a collective, for error messages."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import FrameType

_COMM = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(_COMM)) + os.sep
_LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_LONGEST_LINE = 100


def call_site() -> str:
    """Return file, line number and source line of the current call into ``matexapps.comm``.

    If matexapps itself or a library makes the call, a second line follows with the innermost line
    of the user's own program.
    """
    callers = [frame for frame in _frames() if not _file(frame).startswith(_COMM)]
    user = next((frame for frame in callers if _is_user_code(_file(frame))), None)
    text = _describe(callers[0])
    return text if user in (None, callers[0]) else f"{text}\n      called from {_describe(user)}"


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _is_user_code(file: str) -> bool:
    return not file.startswith((_PACKAGE, *_LIBRARIES, "<frozen "))


def _describe(frame: FrameType) -> str:
    file = _file(frame)
    name = os.path.relpath(file, os.path.dirname(_PACKAGE[:-1]))
    if not file.startswith(_PACKAGE):
        name = os.path.basename(file)
    position = f"{name}:{frame.f_lineno}"
    line = linecache.getline(file, frame.f_lineno, frame.f_globals).strip()
    if not line:
        return f"{position} in {frame.f_code.co_name}"
    if len(line) > _LONGEST_LINE:
        line = line[: _LONGEST_LINE - 3] + "..."
    return f"{position}: {line}"
