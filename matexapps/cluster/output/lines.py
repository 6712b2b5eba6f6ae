"""What ranks print, as plain lines while they run: in a terminal, and in headless runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from matexapps.cluster.output.rank_names import rank_names

_PATIENCE_S = 1.0


class LineOutput:
    """Passes on what ranks print, whole lines, each with its ranks in front.

    A line that all ranks print at the same place of their output is shown once. Warnings (standard
    error) that several ranks print alike are shown once too.

    Parameters
    ----------
    ranks : sequence of int
        The ranks of the requests. With one rank of one there is nothing to tell apart, and nothing
        is put in front.
    world_size : int
    """

    def __init__(self, ranks: Sequence[int], world_size: int) -> None:
        self._ranks, self._alone = list(ranks), world_size == 1
        self._taken: dict[tuple[int, str], int] = {}
        self._waiting: dict[int, list[str]] = {rank: [] for rank in ranks}
        self._warnings: set[str] = set()
        self._patient_until: float | None = None

    def show(self, requests: Sequence[Any], final: bool = False) -> None:
        """Show what is new in the requests' ``stdout`` and ``stderr``, one request a rank."""
        for rank, request in zip(self._ranks, requests, strict=True):
            self._waiting[rank] += self._new_lines(rank, "stdout", request["stdout"], final)
            for line in self._new_lines(rank, "stderr", request["stderr"], final):
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
            self._patient_until = None
        if not any(waiting.values()):
            return
        now = time.monotonic()
        if self._patient_until is None:
            self._patient_until = now + _PATIENCE_S
        if final or now > self._patient_until:
            # Somebody prints more than others, or earlier: nobody's lines shall be kept back.
            for rank, lines in waiting.items():
                for line in lines:
                    self._write(sys.stdout, [rank], line)
                lines.clear()
            self._patient_until = None

    def _write(self, stream: Any, ranks: list[int], line: str) -> None:
        mark = "" if self._alone else f"[{rank_names(ranks)}] "
        stream.write(f"{mark}{line}\n")
        stream.flush()
