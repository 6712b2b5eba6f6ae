"""What comes of training and judging on one split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matexapps.apps.molecules.splits.leakage import Leakage
from matexapps.apps.molecules.splits.split import Split
from matexapps.apps.molecules.tasks.estimates import Values


@dataclass(frozen=True)
class Training:
    """One training: what it says of molecules that it has not learned, and its course.

    Attributes
    ----------
    validation, test : Estimates or Probabilities
        Whatever the task's kind of targets asks for.
    calibration : ndarray, first axis targets
        From the validation molecules: see
        :meth:`~matexapps.apps.molecules.tasks.task.Task.calibrate`.
    history : list of dict
        One row an epoch.
    """

    validation: Any
    test: Any
    calibration: Values
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class Judged:
    """One split, and how well the models do on its test molecules.

    Attributes
    ----------
    kind : str
        Of split.
    split : Split
    trainings : list of Training
        One for each seed.
    baselines : dict of str to ndarray, shape (test molecules, targets)
    leakage : Leakage
    """

    kind: str
    split: Split
    trainings: list[Training]
    baselines: dict[str, Values]
    leakage: Leakage
