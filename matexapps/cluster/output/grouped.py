"""What ranks print, in a notebook: grouped by rank, and once where it is the same."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from matexapps.cluster.output.notebook import show
from matexapps.cluster.output.rank_names import alike, heading

_EVERY_S = 0.25
# What came before is not looked at again with each new line.
_CHARACTERS = 400_000
_LINES_LIVE = 40
_LINES_KEPT = 2000
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class GroupedOutput:
    """One output of a cell, redrawn in place while ranks print.

    Parameters
    ----------
    ranks : sequence of int
        The ranks of the requests.
    world_size : int
        With one rank there is nothing to tell apart, and no headings are drawn.
    logs : str
        Where to find what is too long to be shown.
    """

    def __init__(self, ranks: Sequence[int], world_size: int, logs: str) -> None:
        self._ranks, self._alone, self._logs = list(ranks), world_size == 1, logs
        self._handle: Any = None
        self._drawn = ""
        self._next = 0.0

    def show(self, requests: Sequence[Any], final: bool = False) -> None:
        """Redraw what the requests' ranks have printed, one request a rank."""
        now = time.monotonic()
        if now < self._next and not final:
            return
        self._next = now + _EVERY_S
        texts = {
            rank: as_on_a_terminal(request["stdout"][-_CHARACTERS:])
            + as_on_a_terminal(request["stderr"][-_CHARACTERS:])
            for rank, request in zip(self._ranks, requests, strict=True)
        }
        text = grouped(texts, self._alone, _LINES_KEPT if final else _LINES_LIVE, self._logs)
        if text != self._drawn:
            self._drawn = text
            self._handle = show({"text/plain": text}, self._handle)


def grouped(texts: Mapping[int, list[str]], alone: bool, most: int, logs: str) -> str:
    """Return the ranks' lines as one text: first what all begin with, then what differs.

    Parameters
    ----------
    texts : mapping of int to list of str
        Each rank's lines.
    alone : bool
        Whether there is one rank only, and headings would say nothing.
    most : int
        The most lines of a group, the last ones.
    logs : str
        Where the others are.
    """
    common = 0
    shortest = min(map(len, texts.values()), default=0)
    first = next(iter(texts.values()), [])
    while common < shortest and all(lines[common] == first[common] for lines in texts.values()):
        common += 1
    parts = [(sorted(texts), first[:common])]
    rest = {rank: lines[common:] for rank, lines in texts.items()}
    parts = [part for part in [*parts, *alike(rest, lambda lines: lines)] if part[1]]
    short = all(len(lines) == 1 for _, lines in parts)
    shown = []
    for ranks, lines in parts:
        if len(lines) > most:
            note = f"{_DIM}... the last {most:,} lines; all of them are in {logs}{_PLAIN}"
            lines = [note, *lines[-most:]]
        if alone:
            shown += lines
        elif short:
            shown.append(f"{heading(ranks)} {lines[0]}")
        else:
            shown += [heading(ranks), *lines]
    return "\n".join(shown)


def as_on_a_terminal(text: str) -> list[str]:
    """Return the lines of a text, a carriage return having set the line back to its begin."""
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")[: _count(text)]]


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n")) if text else 0
