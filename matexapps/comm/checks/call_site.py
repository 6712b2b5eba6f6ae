"""Where in a program a collective was called, for the message that needs to say so."""

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
    """Return place and line of the call into ``matexapps.comm`` that is under way.

    A call from within matexapps or a library is followed, on a line of its own, by the innermost
    place in the user's own program.
    """
    calls = [frame for frame in _frames() if not _file(frame).startswith(_COMM)]
    own = next((frame for frame in calls if _is_own(_file(frame))), None)
    text = _described(calls[0])
    return text if own in (None, calls[0]) else f"{text}\n      called from {_described(own)}"


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _is_own(file: str) -> bool:
    return not file.startswith((_PACKAGE, *_LIBRARIES, "<frozen "))


def _described(frame: FrameType) -> str:
    file = _file(frame)
    name = os.path.relpath(file, os.path.dirname(_PACKAGE[:-1]))
    if not file.startswith(_PACKAGE):
        name = os.path.basename(file)
    place = f"{name}:{frame.f_lineno}"
    line = linecache.getline(file, frame.f_lineno, frame.f_globals).strip()
    if not line:
        return f"{place} in {frame.f_code.co_name}"
    return f"{place}: {line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + '...'}"
