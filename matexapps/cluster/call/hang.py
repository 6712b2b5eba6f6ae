"""When work seems to hang: where every rank is, and which one is suspected."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from matexapps.cluster.output.notebook import Folded
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.ranks.stacks import Stack

_QUIET_S = 120.0
_STACKS_TIMEOUT_S = 1.0


class HangWatch:
    """Shows all ranks' stacks when one waits for others for too long, or nothing is heard.

    Ranks say themselves that they wait for longer than is usual for their work
    (:mod:`matexapps.comm.waiting`). Work that waits elsewhere, or computes for long without a word,
    is looked at after two minutes of silence, or after what the cluster was told, and then at ever
    longer times.

    Parameters
    ----------
    engines : Engines
    ranks : sequence of int
        The ranks that work.
    """

    def __init__(self, engines: Engines, ranks: Collection[int]) -> None:
        self._engines, self._ranks = engines, set(ranks)
        self._quiet_s = engines.hang_after_s or _QUIET_S
        self._heard_at = time.monotonic()
        self._waits: dict[int, dict[str, Any]] = {}
        self._due = False
        self._told: Folded | None = None
        self._over = False

    def end(self) -> None:
        """Leave what is shown as it is: the work is being stopped."""
        self._over = True

    def heard(self) -> None:
        """Take note that work goes on."""
        self._heard_at = time.monotonic()
        if self._told is not None and not self._waits and not self._over:
            self._told.show("The ranks seemed to hang, and went on", "")
            self._told = None

    def waiting(self, rank: int, event: dict[str, Any]) -> None:
        """Take in a rank's event about its own waiting."""
        if not event.get("over"):
            self._waits[rank] = event
            self._due = True
        elif self._waits.pop(rank, None) and not self._waits:
            self.heard()

    def lost(self, rank: int) -> None:
        """Take note that a rank is gone."""
        self._ranks.discard(rank)
        self._waits.pop(rank, None)
        self.heard()

    def look(self, unanswered: list[int]) -> None:
        """Show the stacks of the ranks that have not answered yet, if it is time to."""
        silence = time.monotonic() - self._heard_at
        if silence > self._quiet_s:
            self._quiet_s *= 2
            self._due = True
        if not self._due:
            return
        self._due = False
        stacks = self._engines.stacks(unanswered, _STACKS_TIMEOUT_S)
        if self._told is None:
            self._told = Folded(unfolded=True)
        self._told.show(self._title(stacks, unanswered, silence), report(stacks, unanswered))

    def _title(self, stacks: dict[int, Stack], unanswered: list[int], silence: float) -> str:
        if not self._waits:
            return f"Nothing heard for {silence:.0f} s; this is where the ranks are (Stop works)"
        longest = max(self._waits.values(), key=lambda event: float(event["seconds"]))
        waits = f"{rank_names(self._waits)} waiting in {longest['what']}"
        return f"{waits} for {longest['seconds']:.0f} s: {self._suspicion(stacks, unanswered)}"

    def _suspicion(self, stacks: dict[int, Stack], unanswered: list[int]) -> str:
        finished = sorted(self._ranks - set(unanswered))
        if finished:
            return f"{rank_names(finished)} finished without it"
        busy = [rank for rank in unanswered if rank not in stacks or not stacks[rank].waits]
        if busy:
            return f"{rank_names(busy)} suspected, see below (Stop works)"
        absent = sorted(set(range(self._engines.n)) - self._ranks)
        if absent:
            return f"{rank_names(absent)} not asked to run this"
        return "each waits for another in a call of its own, see below (Stop works)"


def report(stacks: dict[int, Stack], ranks: Collection[int]) -> str:
    """Return the stacks as text, ranks that are at the same place together."""
    places: dict[str, list[int]] = {}
    for rank in ranks:
        text = str(stacks[rank]) if rank in stacks else "  gives no answer, not even a stack"
        places.setdefault(text, []).append(rank)
    return "\n".join(f"{rank_names(group)}:\n{text}" for text, group in places.items())
