"""The outcome of an experiment: every model's errors on the same molecules, split by split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matexapps.apps.molecules.molecule_set import MoleculeSet
from matexapps.apps.molecules.noise import NoiseFloor
from matexapps.apps.molecules.outcome import Judged
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.tasks import task_of

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
            "task": task_of(molecules.targets).name,
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
        task, values = task_of(self.molecules.targets), self.molecules.values[judged.split.test]
        rate = [row["rows_per_s"] for one in judged.trainings for row in one.history]
        return {
            "rows": {part: len(getattr(judged.split, part)) for part in parts},
            "leakage": leakage,
            "targets": {
                target.name: {
                    "unit": target.unit,
                    "classes": target.classes,
                    **task.figures(values, judged, place),
                }
                for place, target in enumerate(self.molecules.targets)
                if np.isfinite(values[:, place]).any()
            },
            "epochs": [len(one.history) for one in judged.trainings],
            "rows_per_s": round(float(np.mean(rate)), 1),
        }
