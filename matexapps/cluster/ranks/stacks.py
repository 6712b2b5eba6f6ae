"""Where every rank is: the Python stacks that ranks write when they receive a signal.

They have the format of Python's faulthandler: a heading, then the frames, the innermost first.
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
_COMM = f"{Path('matexapps', 'comm')}/"
_WAITING = str(Path("matexapps", "comm", "waiting.py"))
_POLL_INTERVAL_S = 0.02
_UNCHANGED_S = 0.1


@dataclass(frozen=True)
class Frame:
    """A line that is being executed, in its file and function."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.line).strip()
        location = f"{self.file}, line {self.line}, in {self.function}"
        return f"{location}: {source}" if source else location


@dataclass(frozen=True)
class Stack:
    """What a rank is doing.

    Attributes
    ----------
    frames : tuple of Frame
        From the function that the notebook called to the innermost; empty if the rank runs
        nothing.
    """

    frames: tuple[Frame, ...]

    @property
    def waits(self) -> bool:
        """Whether the rank waits for other ranks in a collective."""
        return any(frame.file.endswith(_WAITING) for frame in self.frames)

    def __str__(self) -> str:
        shown = []
        for frame in self.frames:
            if not frame.file.startswith("<frozen"):
                shown.append(f"  {frame}")
            if _COMM in frame.file:
                # How the rank waits is of no interest.
                break
        return "\n".join(shown) or "  no Python code"


def request_stacks(
    files: Sequence[Path], send: Callable[[list[int]], None], ranks: list[int], timeout_s: float
) -> dict[int, Stack]:
    """Ask ``ranks`` for their stacks and return those that arrive within ``timeout_s`` seconds.

    Parameters
    ----------
    files : sequence of Path
        The file that each rank writes to, by rank.
    send : function of a list of ranks
        Sends the signal to these ranks.
    ranks : list of int
    timeout_s : float
    """
    before = {rank: _size(files[rank]) for rank in ranks}
    send(ranks)
    deadline = time.monotonic() + timeout_s
    sizes, changed_at = dict(before), time.monotonic()
    while time.monotonic() < deadline:
        now = {rank: _size(files[rank]) for rank in ranks}
        if now != sizes:
            sizes, changed_at = now, time.monotonic()
        complete = all(sizes[rank] > before[rank] for rank in ranks)
        if complete and time.monotonic() - changed_at > _UNCHANGED_S:
            break
        time.sleep(_POLL_INTERVAL_S)
    return {
        rank: parse(_read_from(files[rank], before[rank]))
        for rank in ranks
        if sizes[rank] > before[rank]
    }


def parse(text: str) -> Stack:
    """Return the part of a stack that belongs to the notebook's call."""
    frames = [Frame(file, int(line), name) for file, line, name in _FRAME.findall(text)]
    frames.reverse()
    calls = [index for index, frame in enumerate(frames) if frame.file.endswith(_CALLS)]
    if not calls:
        return Stack(())
    return Stack(tuple(frame for frame in frames[calls[0] :] if _ENGINE not in frame.file))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read_from(path: Path, start: int) -> str:
    with open(path, errors="replace") as file:
        file.seek(start)
        return file.read()
