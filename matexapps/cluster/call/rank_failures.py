"""Ranks that die during a call: whether the others go on without them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matexapps.cluster.ranks.engines import Engines

# Within which the others meet the loss by themselves, or come to where they are prepared for it.
_GRACE_S = 2.0


class Losses:
    """The ranks of a call that died in it.

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
        self._prepared: Counter[int] = Counter()
        self._survived: Counter[int] = Counter()

    def take_in(self, rank: int, event: dict[str, Any]) -> None:
        """Take in what a rank says: that it is prepared for losses, or went on after one."""
        if event["kind"] == "prepared":
            self._prepared[rank] += 1 if event["on"] else -1
        else:
            self._survived[rank] += event["lost"]

    def look(self, unanswered: list[int]) -> list[int]:
        """Return which of the ranks that gave no answer have died since the last time."""
        new = [r for r in self._engines.dead() if r in unanswered and r not in self.dead]
        if new:
            self.dead += new
            self._noticed_at = time.monotonic()
        return new

    @property
    def fatal(self) -> bool:
        """Whether a rank died, and the others neither went on nor are prepared to."""
        if self.survived or time.monotonic() - self._noticed_at < _GRACE_S:
            return False
        return not any(self._prepared[rank] for rank in self._ranks if rank not in self.dead)

    @property
    def survived(self) -> bool:
        """Whether the others went on without all that died."""
        return max(self._survived.values(), default=0) >= len(self.dead)
