"""The outcome of an experiment: scores of every model on the same rows, and what they amount to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.report.bootstrap import (
    Estimate,
    bootstrap_auc,
    bootstrap_auc_difference,
)
from matexapps.apps.higgs.report.curves import background_rejection
from matexapps.apps.higgs.report.significance import (
    Yields,
    best_threshold,
    scan_thresholds,
    significance_at,
)
from matexapps.apps.higgs.settings import ExperimentSettings
from matexapps.data.rows import Rows

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Training:
    """One training's scores, probabilities of signal, and its course.

    Attributes
    ----------
    validation, test : ndarray of float64, shape (rows of that part,)
    history : list of dict
        One row an epoch.
    """

    validation: Scores
    test: Scores
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class Study:
    """Everything that the report of an experiment is made of.

    Attributes
    ----------
    settings : ExperimentSettings
    validation, test : Rows
        The rows that chose thresholds, and those that judge.
    trainings : list of Training
        One for each seed.
    baselines : dict of str to ndarray of float64, shape (test rows,)
        Scores of the test rows by each simpler method.
    yields : Yields
        Events expected in the full sample.
    train_rows, ranks : int
    seconds : float
        Wall time of everything.
    """

    settings: ExperimentSettings
    validation: Rows
    test: Rows
    trainings: list[Training]
    baselines: dict[str, Scores]
    yields: Yields
    train_rows: int
    ranks: int
    seconds: float

    def threshold(self, training: Training) -> float:
        """Return the cut with the largest significance on the validation rows."""
        rows = self.validation
        scan = scan_thresholds(rows.label, training.validation, rows.weight, yields=self.yields)
        return best_threshold(scan)

    def significance(self, training: Training) -> float:
        """Return the significance on the test rows of the cut that the validation rows choose."""
        rows = self.test
        return significance_at(
            self.threshold(training), rows.label, training.test, rows.weight, yields=self.yields
        )

    def estimates(self) -> dict[str, tuple[Estimate, Estimate | None]]:
        """Return, for each model, its AUC and how far the network's AUC lies above it.

        The AUC is the mean over trainings; intervals are 95 % bootstrap intervals over test rows,
        the same resampled rows for both sides of a difference. The network comes first.
        """
        label, weight = self.test.label, self.test.weight
        scores = self.test_scores
        found: dict[str, tuple[Estimate, Estimate | None]] = {
            self.settings.network: (bootstrap_auc(label, scores, weight), None)
        }
        for name, score in self.baselines.items():
            found[name] = (
                bootstrap_auc(label, score, weight),
                bootstrap_auc_difference(label, scores, score, weight),
            )
        return found

    @property
    def test_scores(self) -> Scores:
        """Scores of the test rows, shape (trainings, rows)."""
        return np.stack([training.test for training in self.trainings])

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values, fit for JSON."""
        label, weight = self.test.label, self.test.weight
        (network, (area, _)), *others = self.estimates().items()
        rejection = [
            float(background_rejection(label, scores, weight, signal_efficiency=0.5))
            for scores in self.test_scores
        ]
        significance = [self.significance(training) for training in self.trainings]
        rate = [row["rows_per_s"] for training in self.trainings for row in training.history]
        return {
            "data": self.settings.data,
            "network": network,
            "auc": area.value,
            "auc_interval": [area.low, area.high],
            "auc_by_seed": [
                bootstrap_auc(label, s, weight, resamples=1).value for s in self.test_scores
            ],
            "background_rejection_at_half_signal": float(np.mean(rejection)),
            "ams": float(np.mean(significance)),
            "ams_by_seed": significance,
            "ams_thresholds": [self.threshold(training) for training in self.trainings],
            "expected_events": asdict(self.yields),
            "baselines": {
                name: {
                    "auc": area.value,
                    "auc_interval": [area.low, area.high],
                    "network_gain": gain.value,
                    "network_gain_interval": [gain.low, gain.high],
                }
                for name, (area, gain) in others
                if gain is not None
            },
            "rows": {
                "train": self.train_rows,
                "validation": len(self.validation),
                "test": len(self.test),
            },
            "epochs": [len(training.history) for training in self.trainings],
            "seeds": len(self.trainings),
            "ranks": self.ranks,
            "rows_per_s": round(float(np.mean(rate)), 1),
            "seconds": round(self.seconds, 2),
        }
