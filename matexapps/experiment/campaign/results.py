"""The outcomes of a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from numpy.typing import NDArray

from matexapps.errors import CampaignError
from matexapps.experiment.campaign.outcome import Outcome, Status, load_arrays
from matexapps.files import write_csv

_COLUMNS = ("key", "status", "error", "message", "at", "tries", "seconds")


@dataclass(frozen=True)
class Results:
    """The outcomes of a campaign.

    Attributes
    ----------
    outcomes : list of Outcome
        In the order of the tasks.
    known_before : int
        How many of them an earlier run had found.
    seconds : float
        That this run took.
    folder : Path
        Where arrays are.
    """

    outcomes: list[Outcome]
    known_before: int
    seconds: float
    folder: Path = field(repr=False)

    @property
    def failures(self) -> list[Outcome]:
        """The outcomes of tasks that are not done."""
        return [outcome for outcome in self.outcomes if outcome.status != "done"]

    def arrays(self, outcome: Outcome) -> dict[str, NDArray[Any]]:
        """Read the arrays that a task has returned, by name."""
        return load_arrays(self.folder / outcome.arrays) if outcome.arrays else {}

    def summary(self) -> dict[str, Any]:
        """Return how many tasks there are, what became of them, and how fast this run was."""
        count = Counter(outcome.status for outcome in self.outcomes)
        computed = len(self.outcomes) - self.known_before
        return {
            "tasks": len(self.outcomes),
            **{status.replace(" ", "_"): count[status] for status in get_args(Status)},
            "known_before": self.known_before,
            "computed": computed,
            "seconds": round(self.seconds, 2),
            "per_second": round(computed / max(self.seconds, 1e-9), 2),
        }

    def require_all_done(self) -> None:
        """Raise a CampaignError that shows the first failure, if there is one."""
        if not (failures := self.failures):
            return
        first = failures[0]
        raise CampaignError(
            f"{len(failures)} of {len(self.outcomes)} tasks are not done; the first is "
            f"{first.key}: {first.reason}"
        )


def write_failures(path: Path, failures: Sequence[Outcome]) -> None:
    """Write a table, CSV, with a row for each task that is not done.

    Raises
    ------
    CampaignError
        If it cannot be written.
    """
    rows = ([getattr(outcome, column) for column in _COLUMNS] for outcome in failures)
    write_csv(path, _COLUMNS, rows, CampaignError)
