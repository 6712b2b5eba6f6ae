"""What ranks print, in a notebook: grouped by rank, and only once where it is equal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from matexapps.cluster.output.display import show
from matexapps.cluster.output.rank_names import group_equal, heading

_INTERVAL_S = 0.25
# Earlier text is not read again for each new line.
_MAX_CHARACTERS = 400_000
_MAX_LINES_LIVE = 40
_MAX_LINES_FINAL = 2000
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class GroupedOutput:
    """One output of a cell, redrawn in place while ranks print.

    Parameters
    ----------
    ranks : sequence of int
        The ranks that print.
    headings : bool
        Whether each group is preceded by the names of its ranks.
    logs : str
        Where text that is too long to be shown can be read.
    """

    def __init__(self, ranks: Sequence[int], headings: bool, logs: str) -> None:
        self._ranks, self._headings, self._logs = list(ranks), headings, logs
        self._handle: Any = None
        self._shown = ""
        self._next = 0.0

    def show(self, printed: Sequence[dict[str, str]], final: bool = False) -> None:
        """Redraw what the ranks have printed: ``stdout`` and ``stderr`` of each."""
        now = time.monotonic()
        if now < self._next and not final:
            return
        self._next = now + _INTERVAL_S
        lines = {
            rank: terminal_lines(streams["stdout"][-_MAX_CHARACTERS:])
            + terminal_lines(streams["stderr"][-_MAX_CHARACTERS:])
            for rank, streams in zip(self._ranks, printed, strict=True)
        }
        limit = _MAX_LINES_FINAL if final else _MAX_LINES_LIVE
        text = format_groups(lines, self._headings, limit, self._logs)
        if text != self._shown:
            self._shown = text
            self._handle = show({"text/plain": text}, self._handle)


def format_groups(
    lines_by_rank: Mapping[int, list[str]], headings: bool, limit: int, logs: str
) -> str:
    """Return the ranks' lines as one text: first what all begin with, then what differs.

    Parameters
    ----------
    lines_by_rank : mapping of int to list of str
    headings : bool
        Whether each group is preceded by the names of its ranks.
    limit : int
        The largest number of lines of a group; the last ones are shown.
    logs : str
        Where the others can be read.
    """
    common = 0
    shortest = min(map(len, lines_by_rank.values()), default=0)
    first = next(iter(lines_by_rank.values()), [])
    while common < shortest and all(
        lines[common] == first[common] for lines in lines_by_rank.values()
    ):
        common += 1
    rest = {rank: lines[common:] for rank, lines in lines_by_rank.items()}
    groups = [(sorted(lines_by_rank), first[:common]), *group_equal(rest, lambda lines: lines)]
    groups = [(ranks, lines) for ranks, lines in groups if lines]
    short = all(len(lines) == 1 for _, lines in groups)
    shown = []
    for ranks, lines in groups:
        if len(lines) > limit:
            note = f"{_DIM}... the last {limit:,} lines; all of them are in {logs}{_PLAIN}"
            lines = [note, *lines[-limit:]]
        if not headings:
            shown += lines
        elif short:
            shown.append(f"{heading(ranks)} {lines[0]}")
        else:
            shown += [heading(ranks), *lines]
    return "\n".join(shown)


def terminal_lines(text: str) -> list[str]:
    """Return the lines of a text as a terminal shows them: a carriage return overwrites a line."""
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")[: _count(text)]]


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n")) if text else 0
