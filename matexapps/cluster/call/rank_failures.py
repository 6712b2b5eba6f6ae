"""Ranks that die during a call, and whether the other ranks go on without them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matexapps.cluster.ranks.engines import Engines

# In this time the other ranks notice the failure themselves, or reach code that tolerates it.
_GRACE_S = 2.0


class RankFailures:
    """The ranks of a call that died during it.

    Parameters
    ----------
    engines : Engines
    ranks : sequence of int
        The ranks of the call.

    Attributes
    ----------
    dead : list of int
    """

    def __init__(self, engines: Engines, ranks: Sequence[int]) -> None:
        self._engines, self._ranks = engines, ranks
        self.dead: list[int] = []
        self._noticed_at = 0.0
        self._tolerant: Counter[int] = Counter()
        self._tolerated: Counter[int] = Counter()

    def update(self, rank: int, event: dict[str, Any]) -> None:
        """Note that a rank tolerates failures from now on, or no more, or went on after some."""
        if event["kind"] == "fault_tolerant":
            self._tolerant[rank] += 1 if event["on"] else -1
        else:
            self._tolerated[rank] += event["failed"]

    def detect(self, busy: list[int]) -> list[int]:
        """Return those of the busy ranks that have died since the last time."""
        new = [rank for rank in self._engines.dead() if rank in busy and rank not in self.dead]
        if new:
            self.dead += new
            self._noticed_at = time.monotonic()
        return new

    @property
    def fatal(self) -> bool:
        """Whether a rank died, and the others neither went on nor tolerate it."""
        if self.tolerated or time.monotonic() - self._noticed_at < _GRACE_S:
            return False
        return not any(self._tolerant[rank] for rank in self._ranks if rank not in self.dead)

    @property
    def tolerated(self) -> bool:
        """Whether the other ranks went on without all that died."""
        return max(self._tolerated.values(), default=0) >= len(self.dead)
