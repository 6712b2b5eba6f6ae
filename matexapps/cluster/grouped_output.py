"""What ranks print and draw, in a notebook: grouped by rank, and once where it is the same."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from matexapps.cluster.notebook import show
from matexapps.cluster.rank_names import rank_names

_EVERY_S = 0.25
_LINES_LIVE = 40
_LINES_KEPT = 2000
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"


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
        """Redraw what the requests' ranks have printed; figures come at the end."""
        now = time.monotonic()
        if now < self._next and not final:
            return
        self._next = now + _EVERY_S
        texts = {
            rank: as_on_a_terminal(request["stdout"]) + as_on_a_terminal(request["stderr"])
            for rank, request in zip(self._ranks, requests, strict=True)
        }
        text = grouped(texts, self._alone, _LINES_KEPT if final else _LINES_LIVE, self._logs)
        if text != self._drawn:
            self._draw(text)
        if final:
            self._show_figures(requests)

    def show_values(self, values: Mapping[int, tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """Show the last expression of each rank's cell, once where it is the same."""
        for ranks, (data, metadata) in _alike(values, lambda value: value[0]):
            if not self._alone:
                text = data.get("text/plain", "")
                gap = "\n" if "\n" in text else " "
                data = {**data, "text/plain": f"{_heading(ranks)}{gap}{text}"}
                self._head_of_rich(ranks, data)
            self._display(data, metadata)

    def _show_figures(self, requests: Sequence[Any]) -> None:
        by_rank = {
            rank: [
                (content["data"], content.get("metadata", {}))
                for content in request.get("outputs") or []
                if "data" in content
            ]
            for rank, request in zip(self._ranks, requests, strict=True)
        }
        for place in range(max(map(len, by_rank.values()), default=0)):
            here = {rank: shown[place] for rank, shown in by_rank.items() if place < len(shown)}
            for ranks, (data, metadata) in _alike(here, lambda shown: shown[0]):
                self._head_of_rich(ranks, data)
                self._display(data, metadata)

    def _head_of_rich(self, ranks: list[int], data: Mapping[str, Any]) -> None:
        # A picture or a table has no room for its rank.
        if not self._alone and set(data) - {"text/plain"}:
            self._display({"text/plain": _heading(ranks)}, {})

    def _draw(self, text: str) -> None:
        self._drawn = text
        self._handle = show({"text/plain": text}, self._handle)

    @staticmethod
    def _display(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        from IPython.display import display

        display(dict(data), metadata=dict(metadata), raw=True)


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
    parts = [part for part in [*parts, *_alike(rest, lambda lines: lines)] if part[1]]
    short = all(len(lines) == 1 for _, lines in parts)
    shown = []
    for ranks, lines in parts:
        left_out = len(lines) - most
        if left_out > 0:
            note = f"{_DIM}... {left_out:,} lines above, all of them in {logs}{_PLAIN}"
            lines = [note, *lines[-most:]]
        if alone:
            shown += lines
        elif short:
            shown.append(f"{_heading(ranks)} {lines[0]}")
        else:
            shown += [_heading(ranks), *lines]
    return "\n".join(shown)


def as_on_a_terminal(text: str) -> list[str]:
    """Return the lines of a text, a carriage return having set the line back to its begin."""
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")[: _count(text)]]


def _count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n")) if text else 0


def _heading(ranks: Sequence[int]) -> str:
    return f"{_BOLD}[{rank_names(ranks)}]{_PLAIN}"


def _alike(values: Mapping[int, Any], key: Any) -> list[tuple[list[int], Any]]:
    """Return the ranks that have the same value together, in the order of their first rank."""
    groups: dict[Hashable, tuple[list[int], Any]] = {}
    for rank in sorted(values):
        name = json.dumps(key(values[rank]), sort_keys=True, default=str)
        groups.setdefault(name, ([], values[rank]))[0].append(rank)
    return list(groups.values())
