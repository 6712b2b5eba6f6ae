"""When work seems to hang: where every rank is, and which one is suspected."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from matexapps.cluster.output.display import Folded
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.ranks.stacks import Stack

_QUIET_S = 120.0
_STACKS_TIMEOUT_S = 1.0


class HangWatch:
    """Shows all ranks' stacks when a rank waits for others for too long, or all ranks are silent.

    Ranks report themselves when they wait for longer than is usual for their work
    (:mod:`matexapps.comm.waiting`). Work that waits elsewhere, or computes without a sign of life,
    is examined after two minutes of silence, or after the cluster's ``hang_after_s``, and then at
    ever longer intervals.

    Parameters
    ----------
    engines : Engines
    ranks : collection of int
        The ranks that work.
    """

    def __init__(self, engines: Engines, ranks: Collection[int]) -> None:
        self._engines, self._ranks = engines, set(ranks)
        self._quiet_s = engines.hang_after_s or _QUIET_S
        self._last_activity = time.monotonic()
        self._waits: dict[int, dict[str, Any]] = {}
        self._due = False
        self._shown: Folded | None = None
        self._frozen = False

    def freeze(self) -> None:
        """Leave what is shown as it is, because the work is being stopped."""
        self._frozen = True

    def note_activity(self) -> None:
        """Note that the work goes on."""
        self._last_activity = time.monotonic()
        if self._shown is not None and not self._waits and not self._frozen:
            self._shown.show("The ranks seemed to hang, and went on", "")
            self._shown = None

    def update(self, rank: int, event: dict[str, Any]) -> None:
        """Note that a rank reported a long wait, or the end of it."""
        if not event.get("over"):
            self._waits[rank] = event
            self._due = True
        elif self._waits.pop(rank, None) and not self._waits:
            self.note_activity()

    def remove(self, rank: int) -> None:
        """Note that a rank is gone."""
        self._ranks.discard(rank)
        self._waits.pop(rank, None)
        self.note_activity()

    def check(self, busy: list[int]) -> None:
        """Show the stacks of the ranks that are still busy, if it is time to."""
        silence = time.monotonic() - self._last_activity
        if silence > self._quiet_s:
            self._quiet_s *= 2
            self._due = True
        if not self._due:
            return
        self._due = False
        stacks = self._engines.stacks(busy, _STACKS_TIMEOUT_S)
        if self._shown is None:
            self._shown = Folded(unfolded=True)
        self._shown.show(self._title(stacks, busy, silence), format_stacks(stacks, busy))

    def _title(self, stacks: dict[int, Stack], busy: list[int], silence: float) -> str:
        if not self._waits:
            return f"No sign of life for {silence:.0f} s; the ranks are here (Stop works)"
        longest = max(self._waits.values(), key=lambda event: float(event["seconds"]))
        waits = f"{rank_names(self._waits)} waiting in {longest['what']}"
        return f"{waits} for {longest['seconds']:.0f} s: {self._suspicion(stacks, busy)}"

    def _suspicion(self, stacks: dict[int, Stack], busy: list[int]) -> str:
        finished = sorted(self._ranks - set(busy))
        if finished:
            return f"{rank_names(finished)} finished without it"
        computing = [rank for rank in busy if rank not in stacks or not stacks[rank].waits]
        if computing:
            return f"{rank_names(computing)} suspected, see below (Stop works)"
        absent = sorted(set(range(self._engines.n)) - self._ranks)
        if absent:
            return f"{rank_names(absent)} not asked to run this"
        return "the ranks wait for each other in different calls, see below (Stop works)"


def format_stacks(stacks: dict[int, Stack], ranks: Collection[int]) -> str:
    """Return the stacks as text; ranks with equal stacks share one."""
    groups: dict[str, list[int]] = {}
    for rank in ranks:
        text = str(stacks[rank]) if rank in stacks else "  gives no answer, not even a stack"
        groups.setdefault(text, []).append(rank)
    return "\n".join(f"{rank_names(group)}:\n{text}" for text, group in groups.items())
