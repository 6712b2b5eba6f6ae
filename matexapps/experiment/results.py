"""What comes of an experiment: predictions of every model on the same rows, split by split."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.experiment.domain import Domain
from matexapps.experiment.model.folder import PICTURE, REPORT, write_json
from matexapps.experiment.model.model import Model
from matexapps.experiment.report import BETTER, better_baseline_lines, with_better_baselines
from matexapps.experiment.settings import ExperimentSettings
from matexapps.experiment.splitting import Split
from matexapps.experiment.tasks import Predicted, Task


@dataclass(frozen=True)
class Training:
    """One training: what it says of rows that it has not learned from, and its course.

    Attributes
    ----------
    seed : int
    validation, test
        As the task's ``predictions`` gives them.
    calibration
        From the validation rows: see :meth:`~matexapps.experiment.tasks.Task.calibrate`.
    history : list of dict
        One row an epoch.
    """

    seed: int
    validation: Any
    test: Any
    calibration: Any
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class SplitResult:
    """One split, and how well every model does on its validation and test rows.

    Attributes
    ----------
    name : str
    split : Split
    task : Task
    trainings : list of Training
        One for each seed.
    validation, test : Predicted
        The rows of these parts, and what every model predicts of them.
    leakage
        What the test rows share with those learned from; a dataclass.
    """

    name: str
    split: Split
    task: Task
    trainings: list[Training]
    validation: Predicted
    test: Predicted
    leakage: Any

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values, fit for JSON."""
        rate = [row["rows_per_s"] for each in self.trainings for row in each.history]
        calibrations = [each.calibration for each in self.trainings]
        return {
            "rows": self.split.sizes,
            "part_of": self.split.part_of,
            "leakage": asdict(self.leakage),
            **self.task.report(self.validation, self.test, calibrations),
            "epochs": [len(each.history) for each in self.trainings],
            "rows_per_s": round(float(np.mean(rate)), 1) if rate else None,
        }


@dataclass
class Study:
    """An experiment that has been run.

    Attributes
    ----------
    domain : Domain
    settings : ExperimentSettings
    prepared
        What the domain's report needs of its rows.
    results : list of SplitResult
        The split whose model is kept first.
    model : Model
        Of the first seed on the first split.
    ranks : int
    seconds : float
        Wall time of everything.
    """

    domain: Domain[Any, Any]
    settings: ExperimentSettings
    prepared: Any
    results: list[SplitResult]
    model: Model
    ranks: int
    seconds: float
    _summary: dict[str, Any] = field(default_factory=dict, repr=False)

    def summary(self) -> dict[str, Any]:
        """Return all figures as plain values, fit for JSON."""
        if not self._summary:
            self._summary = _finite(
                {
                    "domain": self.domain.name,
                    "data": self.settings.data,
                    "network": self.settings.network,
                    "splits": {
                        result.name: {
                            **result.summary(),
                            **self.domain.figures(self.prepared, result),
                        }
                        for result in self.results
                    },
                    "seeds": self.settings.seeds,
                    "ranks": self.ranks,
                    "seconds": round(self.seconds, 2),
                    "out": self.settings.out,
                    BETTER: self.model.facts[BETTER],
                    **self.domain.summary(self),
                }
            )
        return self._summary

    def report(self) -> str:
        """Return the figures as text: every model on the same test rows, split by split."""
        summary = self.summary()
        return with_better_baselines(self.domain.as_table(summary), summary[BETTER])

    def plot(self) -> Any:
        """Draw the results; returns the matplotlib figure."""
        figure = self.domain.draw(self)
        if warnings := better_baseline_lines(self.model.facts[BETTER]):
            figure.suptitle("\n".join(filter(None, [figure.get_suptitle(), *warnings])))
        return figure

    def save(self, folder: str | Path) -> None:
        """Keep the model with all figures, their picture, and what else the domain has to say.

        Raises
        ------
        DataError
            If the folder cannot be written, or holds something else.
        """

        def add(partial: Path) -> None:
            write_json(partial / REPORT, self.summary())
            self.plot().savefig(partial / PICTURE, dpi=100)
            self.domain.write_files(self, partial)

        self.model.save(folder, add)


def _finite(value: Any) -> Any:
    """Return plain values in which None stands for every number that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
