"""Targets that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.estimates import (
    Estimates,
    Intervals,
    Values,
    conformal_factor,
    coverage,
    intervals,
)
from matexapps.apps.molecules.tasks.regression_loss import MeanVarianceLoss, TargetRmse
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.report import Row
from matexapps.experiment.statistics.conformal import LEVEL
from matexapps.experiment.tasks import Regression
from matexapps.train.metrics import Metric


@dataclass(frozen=True)
class MoleculeRegression(MoleculeTask):
    """Means and intervals, judged by their errors."""

    kind = "regression"
    single = Regression
    monitor = "relative_rmse"

    @classmethod
    def objective(cls, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return MeanVarianceLoss(values, mean, scale), TargetRmse(values, mean, scale)

    def predictions(self, outputs: NDArray[Any]) -> Estimates:
        return Estimates.from_outputs(outputs, np.array(self.mean), np.array(self.scale))

    def calibrate(self, predictions: Estimates, values: Values) -> Values:
        return conformal_factor(predictions, values)

    def regions(self, predictions: Estimates, calibration: Values) -> Intervals:
        return intervals(predictions, calibration)

    def region_figures(
        self,
        index: int,
        values: Values,
        predictions: Sequence[Estimates],
        calibrations: Sequence[Values],
    ) -> dict[str, Any]:
        trainings = list(zip(predictions, calibrations, strict=True))
        inside = [coverage(each, factor, values)[index] for each, factor in trainings]
        width = [
            np.mean(2 * factor[index] * each.deviation[:, index]) for each, factor in trainings
        ]
        return {
            "interval_level": LEVEL,
            "interval_coverage": float(np.mean(inside)),
            "interval_width": float(np.mean(width)),
        }

    @classmethod
    def region_rows(cls, figures: dict[str, Any]) -> list[Row]:
        covered, width = figures["interval_coverage"], figures["interval_width"]
        share = "-" if covered is None else f"hold {100 * covered:.1f} %, {width:.3g} wide"
        return [("", "90 % intervals", share)]

    @staticmethod
    def noise_line(name: str, floor: dict[str, Any]) -> str:
        return (
            f"noise floor of {name}: {floor['deviation']:.3g}"
            f"{' ' if floor['unit'] else ''}{floor['unit']}, the scatter of {floor['molecules']:,} "
            "molecules measured more than once"
        )

    @staticmethod
    def target_columns(target: Target) -> list[str]:
        return [str(target), *(f"{target.name} {what}" for what in ("deviation", "low", "high"))]

    def cells(self, predictions: Estimates, calibration: Values) -> list[list[str]]:
        regions = self.regions(predictions, calibration)
        values = np.stack([predictions.mean, predictions.deviation, regions.low, regions.high], 2)
        return [
            ["" if np.isnan(v) else f"{v:.6g}" for v in row]
            for row in values.reshape(len(predictions.mean), -1)
        ]
