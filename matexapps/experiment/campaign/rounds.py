"""How ranks share the tasks of a campaign.

All ranks hold the same list of tasks. They work for a tenth of a second, tell each other what they
have finished and what they are running, and deal out anew all tasks that nobody has begun. So a
fast rank takes more of them, and the last ones go to ranks that are idle. Children go on computing
meanwhile. Which rank runs a task makes no difference to its outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from matexapps import progress
from matexapps.data.partition import share
from matexapps.experiment.campaign.journal import Journal
from matexapps.experiment.campaign.outcome import Outcome
from matexapps.experiment.campaign.runner import Runner
from matexapps.experiment.ranks import Ranks

_ROUND_S = 0.1
_REPORT_EVERY_S = 0.3
_MOST_IN_A_ROUND = 1000


class Rounds:
    """One rank's part in a campaign.

    Parameters
    ----------
    specs : mapping of str to object
        All tasks by key, the same on all ranks.
    runner : Runner
    journal : Journal
    ranks : Ranks
    what, unit : str
        For reports of progress.

    Attributes
    ----------
    known_before : int or None
        How many tasks need not be run; None before :meth:`run`.
    """

    def __init__(
        self,
        specs: Mapping[str, Any],
        runner: Runner,
        journal: Journal,
        ranks: Ranks,
        what: str,
        unit: str,
    ) -> None:
        self._specs, self._runner, self._journal, self._ranks = specs, runner, journal, ranks
        self._what, self._unit = what, unit
        self.known_before: int | None = None
        self._own: list[Outcome] = []
        self._reported = 0.0

    def run(self, is_final: Callable[[Outcome], bool]) -> list[Outcome]:
        """Run all tasks that have no outcome yet, and return all outcomes. Collective.

        Called again after a rank failure, it goes on with the task under way.

        Parameters
        ----------
        is_final : callable
            Whether a task with an earlier outcome need not be run again.
        """
        ranks = self._ranks
        number, earlier = ranks.on_root(self._journal.begin)
        known = {key: o for key, o in earlier.items() if key in self._specs and is_final(o)}
        if self.known_before is None:
            self.known_before = len(known)
        ranks.on_all(lambda: self._journal.open(number, ranks.rank))
        self._run_pending([key for key in self._specs if key not in known])
        for outcomes in ranks.gather(self._own):
            known.update((outcome.key, outcome) for outcome in outcomes)
        return [known[key] for key in self._specs]

    def _run_pending(self, keys: Sequence[str]) -> None:
        ranks, pending = self._ranks, dict.fromkeys(keys)
        finished = [outcome.key for outcome in self._own]
        while True:
            states = ranks.gather((finished, self._runner.running))
            for key in (key for keys, _ in states for key in keys):
                pending.pop(key, None)
            self._report(len(pending))
            if not pending:
                return
            queue = deal(pending, [running for _, running in states], ranks.rank)
            finished = ranks.on_all(lambda queue=queue: self._work(queue))  # type: ignore[misc]

    def _work(self, keys: Sequence[str]) -> list[str]:
        """Run tasks until the round is over; return the keys of those that are finished."""
        finished = []
        tasks = [(key, self._specs[key]) for key in keys]
        for outcome in self._runner.run(tasks, time.monotonic() + _ROUND_S):
            self._journal.write(outcome)
            self._own.append(outcome)
            finished.append(outcome.key)
        return finished

    def _report(self, pending: int) -> None:
        """Report what this rank has done; its total is that and its share of what is left."""
        now = time.monotonic()
        if pending and now - self._reported < _REPORT_EVERY_S:
            return
        self._reported = now
        rank, world_size, done = self._ranks.rank, self._ranks.world_size, len(self._own)
        left = share(pending, rank, world_size)
        total = done + left.stop - left.start
        progress.report_work(self._what, done, total, self._unit, rank, world_size)


def deal(pending: Iterable[str], running: Sequence[str | None], rank: int) -> list[str]:
    """Return the tasks that a rank may begin in the next round.

    The lists of all ranks have no task in common. Idle ranks are dealt to first, so that no task
    waits behind a long one on another rank.

    Parameters
    ----------
    pending : iterable of str
        The keys of all tasks that are not finished.
    running : sequence of str or None
        The key of the task that each rank is running, None where it is idle.
    """
    ranks = len(running)
    order = sorted(range(ranks), key=lambda other: running[other] is not None)
    waiting = (key for key in pending if key not in running)
    return list(islice(waiting, order.index(rank), ranks * _MOST_IN_A_ROUND, ranks))
