"""The outcome of an experiment: every model's errors on the same molecules, split by split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.data.noise_floor import NoiseFloor
from matexapps.apps.molecules.results import Judged
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.apps.molecules.tasks.task import Task

_SHOWN = 20


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
    curve : list of Judged
        The chosen split with fewer training molecules, the fewest first.
    ranks : int
    seconds : float
        Wall time of everything.
    """

    settings: ExperimentSettings
    molecules: MoleculeSet
    noise: list[NoiseFloor | None]
    splits: list[Judged]
    curve: list[Judged]
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
            "rejected_rows": [asdict(one) for one in molecules.rejected],
            "stripped_rows": molecules.stripped,
            "merged_rows": sum(len(rows) - 1 for rows in molecules.rows),
            "conflicts": [str(one) for one in molecules.conflicts],
            "noise_floor": {
                target.name: None if floor is None else {**asdict(floor), "unit": target.unit}
                for target, floor in zip(molecules.targets, self.noise, strict=True)
            },
            "splits": {judged.kind: self._of_split(judged) for judged in self.splits},
            "learning_curve": self._of_curve(),
            "seeds": self.settings.seeds,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 2),
            "out": self.settings.out,
        }

    def _of_split(self, judged: Judged) -> dict[str, Any]:
        parts = ("train", "validation", "test")
        smiles, leakage = self.molecules.smiles, judged.leakage
        pairs = [
            {"test": smiles[one], "learned": smiles[other], "similarity": round(similarity, 3)}
            for one, other, similarity in leakage.near_pairs[:_SHOWN]
        ]
        values = self.molecules.values[judged.split.test]
        calibrating = np.isfinite(self.molecules.values[judged.split.validation]).sum(0)
        rows = {part: len(getattr(judged.split, part)) for part in parts}
        rate = [row["rows_per_s"] for one in judged.trainings for row in one.history]
        return {
            "rows": {**rows, "left_out": len(self.molecules) - sum(rows.values())},
            "leakage": {**asdict(leakage), "near_pairs": pairs},
            "targets": {
                target.name: {
                    "unit": target.unit,
                    "classes": target.classes,
                    "calibration_values": int(calibrating[place]),
                    **self.task.figures(values, judged, place),
                }
                for place, target in enumerate(self.molecules.targets)
                if np.isfinite(values[:, place]).any()
            },
            "epochs": [len(one.history) for one in judged.trainings],
            "rows_per_s": round(float(np.mean(rate)), 1),
        }

    def curve_figures(self, place: int) -> list[tuple[int, dict[str, Any]]]:
        """Return training molecules and figures of a target, point by point of the curve.

        The last point is that of the chosen split.
        """
        points = [*self.curve, self.splits[0]] if self.curve else []
        return [
            (
                len(judged.split.train),
                self.task.figures(self.molecules.values[judged.split.test], judged, place),
            )
            for judged in points
        ]

    def _of_curve(self) -> dict[str, list[dict[str, Any]]]:
        score = self.task.score
        judged = self.molecules.values[self.splits[0].split.test]
        return {
            target.name: [
                {
                    "molecules": molecules,
                    score: found[score],
                    f"{score}_interval": found[f"{score}_interval"],
                    "baselines": {name: one[score] for name, one in found["baselines"].items()},
                }
                for molecules, found in self.curve_figures(place)
            ]
            for place, target in enumerate(self.molecules.targets)
            if self.curve and np.isfinite(judged[:, place]).any()
        }
