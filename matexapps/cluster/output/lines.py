"""What ranks print, as plain lines while they run: in a terminal, and in headless runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from matexapps.cluster.output.rank_names import rank_names

_PATIENCE_S = 1.0


class LineOutput:
    """Writes what ranks print, in complete lines, each preceded by the names of its ranks.

    A line that all ranks print at the same position of their output is written once. So is a
    warning (a line of standard error) that several ranks print.

    Parameters
    ----------
    ranks : sequence of int
        The ranks that print.
    headings : bool
        Whether lines are preceded by the names of their ranks.
    """

    def __init__(self, ranks: Sequence[int], headings: bool) -> None:
        self._ranks, self._headings = list(ranks), headings
        self._taken: dict[tuple[int, str], int] = {}
        self._waiting: dict[int, list[str]] = {rank: [] for rank in ranks}
        self._warnings: set[str] = set()
        self._deadline: float | None = None

    def show(self, printed: Sequence[dict[str, str]], final: bool = False) -> None:
        """Write what is new in the ranks' ``stdout`` and ``stderr``."""
        for rank, streams in zip(self._ranks, printed, strict=True):
            self._waiting[rank] += self._new_lines(rank, "stdout", streams["stdout"], final)
            for line in self._new_lines(rank, "stderr", streams["stderr"], final):
                if line not in self._warnings:
                    self._warnings.add(line)
                    self._write(sys.stderr, [rank], line)
        self._release(final)

    def _new_lines(self, rank: int, name: str, text: str, final: bool) -> list[str]:
        start = self._taken.get((rank, name), 0)
        end = len(text) if final else text.rfind("\n") + 1
        if end <= start:
            return []
        self._taken[rank, name] = end
        return text[start:end].splitlines()

    def _release(self, final: bool) -> None:
        waiting = self._waiting
        while all(waiting.values()):
            firsts = {rank: lines.pop(0) for rank, lines in waiting.items()}
            if len(set(firsts.values())) == 1:
                self._write(sys.stdout, self._ranks, firsts[self._ranks[0]])
            else:
                for rank, line in firsts.items():
                    self._write(sys.stdout, [rank], line)
            self._deadline = None
        if not any(waiting.values()):
            return
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + _PATIENCE_S
        if final or now > self._deadline:
            # A rank prints more than others, or earlier: its lines are not held back for long.
            for rank, lines in waiting.items():
                for line in lines:
                    self._write(sys.stdout, [rank], line)
                lines.clear()
            self._deadline = None

    def _write(self, stream: Any, ranks: list[int], line: str) -> None:
        prefix = f"[{rank_names(ranks)}] " if self._headings else ""
        stream.write(f"{prefix}{line}\n")
        stream.flush()
