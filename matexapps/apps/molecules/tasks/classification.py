"""Targets that are one of two classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.classification_loss import ClassLoss, LogLoss
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.probabilities import (
    Probabilities,
    least_probabilities,
    prediction_sets,
    set_coverage,
)
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.report import Row
from matexapps.experiment.statistics.conformal import LEVEL
from matexapps.experiment.tasks import BinaryClassification
from matexapps.train.metrics import Metric


@dataclass(frozen=True)
class MoleculeClassification(MoleculeTask):
    """Probabilities and sets of classes, judged by ranking and calibration."""

    kind = "classification"
    single = BinaryClassification
    monitor = "log_loss"

    @classmethod
    def objective(cls, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return ClassLoss(values, mean), LogLoss(values, mean)

    def predictions(self, outputs: NDArray[Any]) -> Probabilities:
        return Probabilities.from_outputs(outputs, np.array(self.mean))

    def calibrate(self, predictions: Probabilities, values: Values) -> Values:
        return least_probabilities(predictions, values)

    def regions(self, predictions: Probabilities, calibration: Values) -> NDArray[np.bool_]:
        return prediction_sets(predictions, calibration)

    def region_figures(
        self,
        index: int,
        values: Values,
        predictions: Sequence[Probabilities],
        calibrations: Sequence[Values],
    ) -> dict[str, Any]:
        value = values[:, index]
        sets = list(map(prediction_sets, predictions, calibrations))
        known = np.isfinite(value)
        inside = [item[known, index, value[known].astype(int)].mean() for item in sets]
        by_class = np.mean([set_coverage(item, values)[index] for item in sets], axis=0)
        single = [(item[known, index].sum(1) == 1).mean() for item in sets]
        return {
            "prevalence": float(value[known].mean()),
            "set_level": LEVEL,
            "set_coverage": float(np.mean(inside)),
            "set_coverage_by_class": by_class.tolist(),
            "set_single": float(np.mean(single)),
        }

    @classmethod
    def region_rows(cls, figures: dict[str, Any]) -> list[Row]:
        by_class = " and ".join(
            "-" if share is None else f"{100 * share:.0f}"
            for share in figures["set_coverage_by_class"]
        )
        covered = f"{100 * figures['set_coverage']:.1f} % ({by_class} % of either)"
        return [
            ("", "90 % sets hold", covered),
            ("", "sets of one class", f"{100 * figures['set_single']:.0f} %"),
            ("", "second class", f"{100 * figures['prevalence']:.1f} %"),
        ]

    @staticmethod
    def noise_line(name: str, floor: dict[str, Any]) -> str:
        return (
            f"noise floor of {name}: Brier score {floor['deviation'] ** 2:.3g}, from "
            f"{floor['molecules']:,} molecules with more than one label"
        )

    @staticmethod
    def target_columns(target: Target) -> list[str]:
        assert target.classes is not None
        name = target.name
        return [f"{name} probability of {target.classes[1]}", f"{name} deviation", f"{name} set"]

    def cells(self, predictions: Probabilities, calibration: Values) -> list[list[str]]:
        regions = self.regions(predictions, calibration)
        rows: list[list[str]] = [[] for _ in predictions.mean]
        for index, target in enumerate(self.targets):
            assert target.classes is not None
            columns = (
                predictions.mean[:, index],
                predictions.disagreement[:, index],
                regions[:, index],
            )
            for row, probability, deviation, inside in zip(rows, *columns, strict=True):
                names = np.array(target.classes)[inside]
                row += [f"{probability:.6g}", f"{deviation:.6g}", " or ".join(names)]
        return rows
