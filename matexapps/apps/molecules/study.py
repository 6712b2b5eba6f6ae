"""The outcome of an experiment: every model's errors on the same molecules, split by split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matexapps.apps.molecules.leakage import Leakage
from matexapps.apps.molecules.molecule_set import MoleculeSet
from matexapps.apps.molecules.noise import NoiseFloor
from matexapps.apps.molecules.report.errors import (
    mean_absolute_error,
    r_squared,
    rmse,
    rmse_difference,
)
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits import Split
from matexapps.apps.molecules.uncertainty import LEVEL, Estimates, Values, coverage

_SHOWN = 20


@dataclass(frozen=True)
class Training:
    """One training: what it says of molecules that it has not learned, and its course.

    Attributes
    ----------
    validation, test : Estimates
    factor : ndarray, shape (targets,)
        Deviations that the intervals reach, from the validation molecules.
    history : list of dict
        One row an epoch.
    """

    validation: Estimates
    test: Estimates
    factor: Values
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


@dataclass(frozen=True)
class Study:
    """Everything that the report of an experiment is made of.

    Attributes
    ----------
    settings : ExperimentSettings
    molecules : MoleculeSet
    noise : list of NoiseFloor or None
        For each target; None where no molecule was measured twice.
    splits : list of Judged
        The chosen split first.
    ranks : int
    seconds : float
        Wall time of everything.
    """

    settings: ExperimentSettings
    molecules: MoleculeSet
    noise: list[NoiseFloor | None]
    splits: list[Judged]
    ranks: int
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values, fit for JSON."""
        molecules = self.molecules
        return {
            "data": self.settings.data,
            "network": self.settings.network,
            "molecules": len(molecules),
            "rejected": len(molecules.rejected),
            "rejected_rows": [asdict(one) for one in molecules.rejected],
            "merged_rows": sum(len(rows) - 1 for rows in molecules.rows),
            "conflicts": [str(one) for one in molecules.conflicts],
            "noise_floor": {
                target.name: None if floor is None else asdict(floor)
                for target, floor in zip(molecules.targets, self.noise, strict=True)
            },
            "splits": {judged.kind: self._of_split(judged) for judged in self.splits},
            "seeds": self.settings.seeds,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 2),
        }

    def _of_split(self, judged: Judged) -> dict[str, Any]:
        parts = ("train", "validation", "test")
        leakage = {**asdict(judged.leakage), "identical": judged.leakage.identical[:_SHOWN]}
        rate = [row["rows_per_s"] for one in judged.trainings for row in one.history]
        return {
            "rows": {part: len(getattr(judged.split, part)) for part in parts},
            "leakage": leakage,
            "targets": {
                target.name: {"unit": target.unit, **self._of_target(judged, place)}
                for place, target in enumerate(self.molecules.targets)
                if np.isfinite(self.molecules.values[judged.split.test, place]).any()
            },
            "epochs": [len(one.history) for one in judged.trainings],
            "rows_per_s": round(float(np.mean(rate)), 1),
        }

    def _of_target(self, judged: Judged, place: int) -> dict[str, Any]:
        value = self.molecules.values[judged.split.test, place]
        predicted = np.stack([one.test.mean[:, place] for one in judged.trainings])
        error = rmse(value, predicted)
        inside = [
            coverage(one.test, one.factor, self.molecules.values[judged.split.test])[place]
            for one in judged.trainings
        ]
        width = [
            float(np.mean(2 * one.factor[place] * one.test.deviation[:, place]))
            for one in judged.trainings
        ]
        return {
            "rmse": error.value,
            "rmse_interval": [error.low, error.high],
            "rmse_by_seed": [rmse(value, one).value for one in predicted],
            "mae": mean_absolute_error(value, predicted),
            "r2": r_squared(value, predicted),
            "interval_level": LEVEL,
            "interval_coverage": _finite(np.mean(inside)),
            "interval_width": _finite(np.mean(width)),
            "baselines": {
                name: _beside(value, predicted, found[:, place])
                for name, found in judged.baselines.items()
            },
        }


def _beside(value: Values, predicted: Values, other: Values) -> dict[str, Any]:
    error, gain = rmse(value, other), rmse_difference(value, predicted, other)
    return {
        "rmse": error.value,
        "rmse_interval": [error.low, error.high],
        "network_gain": gain.value,
        "network_gain_interval": [gain.low, gain.high],
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
