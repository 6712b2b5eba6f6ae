"""Targets that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
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
from matexapps.apps.molecules.tasks.task import MoleculeTask, of_trainings
from matexapps.experiment.statistics.conformal import LEVEL
from matexapps.experiment.statistics.figures_of_merit import figure, figure_value, gain, r_squared
from matexapps.train.metrics import Metric

_COLUMNS_OF_A_SPLIT = 1 / 3
_SMALL = 0.1
"""Smaller errors have three digits, as energies in hartree need; others three decimals."""


@dataclass(frozen=True)
class MoleculeRegression(MoleculeTask):
    """Means and intervals, judged by their errors."""

    kind = "regression"
    monitor = "relative_rmse"
    constant = "mean"
    leading = "rmse"
    leading_name = "RMSE"

    @classmethod
    def objective(cls, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return MeanVarianceLoss(values, mean, scale), TargetRmse(values, mean, scale)

    def predictions(self, outputs: NDArray[Any]) -> Estimates:
        return Estimates.from_outputs(outputs, np.array(self.mean), np.array(self.scale))

    def calibrate(self, predictions: Estimates, values: Values) -> Values:
        return conformal_factor(predictions, values)

    def regions(self, predictions: Estimates, calibration: Values) -> Intervals:
        return intervals(predictions, calibration)

    @classmethod
    def forest(cls, **settings: Any) -> RandomForestRegressor:
        return RandomForestRegressor(max_features=_COLUMNS_OF_A_SPLIT, **settings)

    @classmethod
    def predict_forest(cls, forest: RandomForestRegressor, table: NDArray[Any]) -> Values:
        return np.asarray(forest.predict(table))

    def target_figures(
        self,
        index: int,
        values: Values,
        predictions: Sequence[Estimates],
        calibrations: Sequence[Values],
    ) -> dict[str, Any]:
        value, predicted = values[:, index], of_trainings(predictions, index)
        trainings = list(zip(predictions, calibrations, strict=True))
        inside = [coverage(each, factor, values)[index] for each, factor in trainings]
        width = [
            np.mean(2 * factor[index] * each.deviation[:, index]) for each, factor in trainings
        ]
        error = figure("rmse", value, predicted)
        return {
            "rmse": error.value,
            "rmse_interval": error.interval,
            "rmse_by_seed": [figure_value("rmse", value, seed) for seed in predicted],
            "mae": figure_value("mae", value, predicted),
            "r2": r_squared(value, predicted),
            "interval_level": LEVEL,
            "interval_coverage": float(np.mean(inside)),
            "interval_width": float(np.mean(width)),
        }

    def comparison(self, value: Values, predicted: Values, baseline: Values) -> dict[str, Any]:
        error = figure("rmse", value, baseline)
        better = gain("rmse", value, predicted, baseline)
        return {
            "rmse": error.value,
            "rmse_interval": error.interval,
            "network_gain": better.value,
            "network_gain_interval": better.interval,
        }

    @classmethod
    def lines(cls, network: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
        form = ".3f" if figures["rmse"] >= _SMALL else ".3g"
        r2 = "-" if figures["r2"] is None else f"{figures['r2']:.3f}"
        lines = [
            (network, cls.leading_name, _format(figures["rmse"], figures["rmse_interval"], form)),
            ("", "MAE, R squared", f"{figures['mae']:{form}}, {r2}"),
        ]
        for name, baseline in figures["baselines"].items():
            better = _format(
                baseline["network_gain"], baseline["network_gain_interval"], f"+{form}"
            )
            error = _format(baseline["rmse"], baseline["rmse_interval"], form)
            lines += [(name, cls.leading_name, error), ("", "the network's gain", better)]
        covered, width = figures["interval_coverage"], figures["interval_width"]
        share = "-" if covered is None else f"hold {100 * covered:.1f} %, {width:.3g} wide"
        return [*lines, ("", "90 % intervals", share)]

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


def _format(value: float, interval: list[float], form: str) -> str:
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"
