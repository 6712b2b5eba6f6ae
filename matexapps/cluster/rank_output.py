"""What ranks print, shown while they run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


class RankOutput:
    """Passes on what ranks print, whole lines, each with its rank in front.

    Warnings (standard error) that several ranks print alike are shown once.

    Parameters
    ----------
    world_size : int
        With one rank there is nothing to tell apart, and nothing is put in front.
    """

    def __init__(self, world_size: int) -> None:
        self._world_size = world_size
        self._shown: dict[tuple[int, str], int] = {}
        self._warnings: set[str] = set()

    def show(self, metadata: Sequence[Any], final: bool = False) -> None:
        """Show what is new in the requests' ``stdout`` and ``stderr``, one request a rank."""
        for rank, request in enumerate(metadata):
            for name in ("stdout", "stderr"):
                text: str = request[name]
                start = self._shown.get((rank, name), 0)
                end = len(text) if final else text.rfind("\n") + 1
                if end > start:
                    self._shown[rank, name] = end
                    self._write(rank, name, text[start:end])

    def _write(self, rank: int, name: str, text: str) -> None:
        mark = f"[rank {rank}] " if self._world_size > 1 else ""
        stream = sys.stdout if name == "stdout" else sys.stderr
        for line in text.splitlines():
            if name == "stderr":
                if line in self._warnings:
                    continue
                self._warnings.add(line)
            stream.write(f"{mark}{line}\n")
        stream.flush()
