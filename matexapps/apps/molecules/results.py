"""What training and testing on one split return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matexapps.apps.molecules.splits.leakage import Leakage
from matexapps.apps.molecules.splits.split import Split
from matexapps.apps.molecules.tasks.estimates import Values


@dataclass(frozen=True)
class TrainingResult:
    """One training: its predictions of molecules that it has not learned from, and its history.

    Attributes
    ----------
    validation, test : Estimates or Probabilities
        Depending on the task.
    calibration : ndarray, first axis targets
        From the validation molecules: see
        :meth:`~matexapps.apps.molecules.tasks.task.Task.calibrate`.
    history : list of dict
        One row per epoch.
    """

    validation: Any
    test: Any
    calibration: Values
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class SplitResult:
    """One split, and the predictions of all models for its test molecules.

    Attributes
    ----------
    kind : str
        Of split.
    split : Split
    trainings : list of TrainingResult
        One for each seed.
    baselines : dict of str to ndarray, shape (test molecules, targets)
    leakage : Leakage
    """

    kind: str
    split: Split
    trainings: list[TrainingResult]
    baselines: dict[str, Values]
    leakage: Leakage
