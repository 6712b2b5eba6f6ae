"""The outcome of an experiment: errors of all models on the same molecules, split by split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.data.noise_floor import NoiseFloor
from matexapps.apps.molecules.results import SplitResult
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits.split import PARTS
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.apps.molecules.tasks.task import Task

_MOST_PAIRS = 20


@dataclass(frozen=True)
class Study:
    """Everything that the report of an experiment shows.

    Attributes
    ----------
    settings : ExperimentSettings
    molecules : MoleculeSet
    noise : list of NoiseFloor or None
        For each target; None where no molecule was measured twice.
    splits : list of SplitResult
        The chosen split first.
    curve : list of SplitResult
        The chosen split with fewer training molecules, the fewest first.
    ranks : int
    seconds : float
        Wall time of everything.
    """

    settings: ExperimentSettings
    molecules: MoleculeSet
    noise: list[NoiseFloor | None]
    splits: list[SplitResult]
    curve: list[SplitResult]
    ranks: int
    seconds: float

    @property
    def task(self) -> Task[Any]:
        """What kind of targets there are."""
        return task_of(self.molecules.targets)

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values, fit for JSON."""
        molecules = self.molecules
        return {
            "data": self.settings.data,
            "task": self.task.name,
            "network": self.settings.network,
            "molecules": len(molecules),
            "rejected": len(molecules.rejected),
            "rejected_rows": [asdict(row) for row in molecules.rejected],
            "stripped_rows": molecules.stripped,
            "merged_rows": sum(len(rows) - 1 for rows in molecules.rows),
            "conflicts": list(map(str, molecules.conflicts)),
            "noise_floor": {
                target.name: None if floor is None else {**asdict(floor), "unit": target.unit}
                for target, floor in zip(molecules.targets, self.noise, strict=True)
            },
            "splits": {result.kind: self._split_summary(result) for result in self.splits},
            "learning_curve": self._curve_summary(),
            "seeds": self.settings.seeds,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 2),
            "out": self.settings.out,
        }

    def _split_summary(self, result: SplitResult) -> dict[str, Any]:
        smiles, leakage = self.molecules.smiles, result.leakage
        pairs = [
            {"test": smiles[test], "learned": smiles[learned], "similarity": round(similarity, 3)}
            for test, learned, similarity in leakage.near_pairs[:_MOST_PAIRS]
        ]
        values = self.molecules.values[result.split.test]
        calibrating = np.isfinite(self.molecules.values[result.split.validation]).sum(0)
        rows = {part: len(getattr(result.split, part)) for part in PARTS}
        rate = [row["rows_per_s"] for training in result.trainings for row in training.history]
        return {
            "rows": {**rows, "left_out": len(self.molecules) - sum(rows.values())},
            "leakage": {**asdict(leakage), "near_pairs": pairs},
            "targets": {
                target.name: {
                    "unit": target.unit,
                    "classes": target.classes,
                    "calibration_values": int(calibrating[index]),
                    **self.task.figures(values, result, index),
                }
                for index, target in enumerate(self.molecules.targets)
                if np.isfinite(values[:, index]).any()
            },
            "epochs": [len(training.history) for training in result.trainings],
            "rows_per_s": round(float(np.mean(rate)), 1),
        }

    def curve_figures(self, index: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the number of training molecules and a target's figures at each point.

        The last point is that of the chosen split.
        """
        points = [*self.curve, self.splits[0]] if self.curve else []
        return [
            (
                len(result.split.train),
                self.task.figures(self.molecules.values[result.split.test], result, index),
            )
            for result in points
        ]

    def _curve_summary(self) -> dict[str, list[dict[str, Any]]]:
        score = self.task.score
        values = self.molecules.values[self.splits[0].split.test]
        return {
            target.name: [
                {
                    "molecules": molecules,
                    score: figures[score],
                    f"{score}_interval": figures[f"{score}_interval"],
                    "baselines": {
                        name: baseline[score] for name, baseline in figures["baselines"].items()
                    },
                }
                for molecules, figures in self.curve_figures(index)
            ]
            for index, target in enumerate(self.molecules.targets)
            if self.curve and np.isfinite(values[:, index]).any()
        }
