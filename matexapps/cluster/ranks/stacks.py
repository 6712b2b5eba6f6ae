"""Where every rank is: the Python stacks that ranks write when a signal asks them to.

The form is that of Python's faulthandler: a heading, then the frames, the innermost first.
"""

from __future__ import annotations

import linecache
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
_ENGINE = f"{Path('matexapps', 'engine')}/"
_CALLS = f"{_ENGINE}calls.py"
_PACKAGE = str(Path(__file__).parents[2])
_COMM = f"{Path('matexapps', 'comm')}/"
_WAITING = str(Path("matexapps", "comm", "waiting.py"))
_LOOK_EVERY_S = 0.02
_SETTLED_S = 0.1


@dataclass(frozen=True)
class Frame:
    """A line that is being executed."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.line).strip()
        place = f"{self.file}, line {self.line}, in {self.function}"
        return f"{place}: {source}" if source else place


@dataclass(frozen=True)
class Stack:
    """What a rank is doing.

    Attributes
    ----------
    frames : tuple of Frame
        From the function that the notebook called, to the innermost; none where the rank gave no
        answer, or runs nothing.
    """

    frames: tuple[Frame, ...]

    @property
    def waits(self) -> bool:
        """Whether the rank waits for others in a collective."""
        return any(frame.file.endswith(_WAITING) for frame in self.frames)

    @property
    def place(self) -> str:
        """The innermost line outside of libraries, which is most often the user's own."""
        own = [frame for frame in self.frames if not _of_a_library(frame.file)]
        return str((own or list(self.frames))[-1]) if self.frames else "no Python code"

    def __str__(self) -> str:
        shown = []
        for frame in self.frames:
            if not frame.file.startswith("<frozen"):
                shown.append(f"  {frame}")
            if _COMM in frame.file:
                # How the waiting is done says nothing.
                break
        return "\n".join(shown) or "  no Python code"


def ask(
    files: Sequence[Path], send: Callable[[list[int]], None], ranks: list[int], timeout_s: float
) -> dict[int, Stack]:
    """Ask ``ranks`` for their stacks and return those that come within ``timeout_s`` seconds.

    Parameters
    ----------
    files : sequence of Path
        Where each rank writes them, by rank.
    send : function of a list of ranks
        Sends the signal.
    ranks : list of int
    timeout_s : float
    """
    before = {rank: _size(files[rank]) for rank in ranks}
    send(ranks)
    deadline = time.monotonic() + timeout_s
    sizes, since = dict(before), time.monotonic()
    while time.monotonic() < deadline:
        now = {rank: _size(files[rank]) for rank in ranks}
        if now != sizes:
            sizes, since = now, time.monotonic()
        complete = all(sizes[rank] > before[rank] for rank in ranks)
        if complete and time.monotonic() - since > _SETTLED_S:
            break
        time.sleep(_LOOK_EVERY_S)
    return {
        rank: parse(_from(files[rank], before[rank]))
        for rank in ranks
        if sizes[rank] > before[rank]
    }


def parse(text: str) -> Stack:
    """Return the part of a stack that belongs to the notebook's call."""
    frames = [Frame(file, int(line), name) for file, line, name in _FRAME.findall(text)]
    frames.reverse()
    calls = [place for place, frame in enumerate(frames) if frame.file.endswith(_CALLS)]
    if not calls:
        return Stack(())
    return Stack(tuple(frame for frame in frames[calls[0] :] if _ENGINE not in frame.file))


def _of_a_library(file: str) -> bool:
    return "site-packages" in file or "/lib/python" in file or file.startswith(_PACKAGE)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _from(path: Path, start: int) -> str:
    with open(path, errors="replace") as file:
        file.seek(start)
        return file.read()
