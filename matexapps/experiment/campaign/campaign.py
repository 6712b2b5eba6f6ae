"""Many independent tasks over ranks, cut off and resumed at will."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from matexapps.comm.single import SingleProcess
from matexapps.errors import CampaignError
from matexapps.experiment.campaign.child import TaskChild
from matexapps.experiment.campaign.journal import Journal
from matexapps.experiment.campaign.outcome import Outcome
from matexapps.experiment.campaign.results import Results, write_failures
from matexapps.experiment.campaign.rounds import Rounds
from matexapps.experiment.campaign.runner import Runner
from matexapps.experiment.campaign.task import TaskFunction, source_digest
from matexapps.experiment.ranks import Ranks

_FAILURES = "failures.csv"


class Campaign:
    """Independent tasks, run by a function in child processes, one for each rank.

    Each task is run once, whatever becomes of the others. One that raises an exception, crashes,
    or takes too long is an outcome of its own, with the reason. Outcomes are written down at once:
    run again, after a crash, a Stop, or with more tasks, a campaign runs only what is missing.
    When ranks die, the others take over their tasks. Outcomes do not depend on the number of
    ranks, if what the function returns depends on its task alone.

    Parameters
    ----------
    name : str
        What is done, in a person's words, as in "simulating events".
    function : callable
        Takes a :class:`~matexapps.experiment.campaign.task.Task` and returns a JSON value, or a
        dictionary of JSON values and NumPy arrays. Of a class, each child makes one object when it
        starts, and calls that: it can hold what is costly to make.
    folder : path
        Of the campaign alone, on a file system that all ranks share. Arrays are kept there, and a
        table of failures, ``failures.csv``.
    time_limit_s : float
        For all attempts at a task together, in seconds.
    unit : str
        What a task is, in the plural, as in "molecules".
    tries : int
        The most attempts at a task that fails or crashes.
    seed : int
        Of the tasks' seeds.
    depends_on : mapping of str to object, optional
        Plain values that all outcomes depend on, such as settings and versions. If one of them has
        changed, or the source of ``function``, the folder is refused.

    Raises
    ------
    CampaignError
        If ``tries`` or ``time_limit_s`` cannot be used.

    Examples
    --------
    >>> def area(task):
    ...     points = np.random.default_rng(task.seed).random((task.spec, 2))
    ...     return 4 * float(((points**2).sum(axis=1) < 1).mean())
    >>> campaign = Campaign("estimating pi", area, "pi", time_limit_s=10, unit="estimates")
    >>> results = campaign.run([(f"estimate {i}", 100_000) for i in range(64)], ranks)
    >>> statistics.mean(outcome.value for outcome in results.outcomes)
    """

    def __init__(
        self,
        name: str,
        function: TaskFunction,
        folder: str | Path,
        *,
        time_limit_s: float,
        unit: str = "tasks",
        tries: int = 1,
        seed: int = 0,
        depends_on: Mapping[str, Any] | None = None,
    ) -> None:
        if tries < 1:
            raise CampaignError(f"tries must be at least 1, got {tries}")
        if not 0 < time_limit_s < math.inf:
            raise CampaignError(f"time_limit_s must be above 0 and finite, got {time_limit_s}")
        self._name, self._function, self._unit = name, function, unit
        self._tries, self._time_limit_s, self._seed = tries, time_limit_s, seed
        self.folder = Path(folder)
        self._depends_on = {
            "campaign": name,
            "seed": seed,
            **(depends_on or {}),
            "function": source_digest(function),
        }

    def run(self, tasks: Iterable[tuple[str, Any]], ranks: Ranks | None = None) -> Results:
        """Run all tasks that have no outcome yet, and return all outcomes. Collective.

        Parameters
        ----------
        tasks : iterable of (str, object)
            A key, which stands for the task in the folder, and a spec for the function, which can
            be pickled. The same on all ranks.
        ranks : Ranks, optional
            Default: this process alone.

        Returns
        -------
        Results
            The same on all ranks, but for the seconds.

        Raises
        ------
        CampaignError
            If two tasks have the same key, the folder cannot be used or belongs to another
            campaign, or the function cannot be loaded. No task's failure raises anything.
        """
        began = time.monotonic()
        ranks = ranks or Ranks(SingleProcess())
        specs = _by_key(tasks)
        journal = Journal(self.folder, self._depends_on)
        with closing(journal), TaskChild(self._function, journal.arrays) as child:
            runner = Runner(child, self._seed, self._tries, self._time_limit_s)
            rounds = Rounds(specs, runner, journal, ranks, self._name, self._unit)

            def work() -> Results:
                outcomes = rounds.run(self._is_final)
                assert rounds.known_before is not None
                seconds = time.monotonic() - began
                results = Results(outcomes, rounds.known_before, seconds, journal.arrays)
                ranks.on_root(partial(write_failures, self.folder / _FAILURES, results.failures))
                return results

            return ranks.run(f"while {self._name}", work)

    def _is_final(self, outcome: Outcome) -> bool:
        return outcome.is_final(self._tries, self._time_limit_s)


def _by_key(tasks: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    specs: dict[str, Any] = {}
    for key, spec in tasks:
        if key in specs:
            raise CampaignError(f"two tasks have the key {key!r}; give each a key of its own")
        specs[key] = spec
    return specs
