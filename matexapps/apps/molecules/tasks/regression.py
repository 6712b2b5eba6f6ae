"""Targets that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.results import SplitResult
from matexapps.apps.molecules.tasks.errors import (
    mean_absolute_error,
    r_squared,
    rmse,
    rmse_difference,
)
from matexapps.apps.molecules.tasks.estimates import (
    LEVEL,
    Estimates,
    Intervals,
    Values,
    conformal_factor,
    coverage,
    intervals,
)
from matexapps.apps.molecules.tasks.regression_loss import MeanVarianceLoss, TargetRmse
from matexapps.apps.molecules.tasks.task import Task
from matexapps.train.metrics import Metric

_COLUMNS_OF_A_SPLIT = 1 / 3
_SMALL = 0.1
"""Smaller errors have three digits, as energies in hartree need; others three decimals."""


class Regression(Task[Estimates]):
    """Means and intervals, scored by their errors."""

    name = "regression"
    monitor = "relative_rmse"
    constant = "mean"
    score = "rmse"
    score_name = "RMSE"
    score_is_error = True

    def objective(self, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return MeanVarianceLoss(values, mean, scale), TargetRmse(values, mean, scale)

    def estimates(self, outputs: NDArray[Any], mean: Values, scale: Values) -> Estimates:
        return Estimates.from_outputs(outputs, mean, scale)

    def calibrate(self, estimates: Estimates, values: Values) -> Values:
        return conformal_factor(estimates, values)

    def regions(self, estimates: Estimates, calibration: Values) -> Intervals:
        return intervals(estimates, calibration)

    def forest(self, **settings: Any) -> RandomForestRegressor:
        return RandomForestRegressor(max_features=_COLUMNS_OF_A_SPLIT, **settings)

    def predict_forest(self, forest: RandomForestRegressor, table: NDArray[Any]) -> Values:
        return np.asarray(forest.predict(table))

    def figures(self, values: Values, result: SplitResult, index: int) -> dict[str, Any]:
        value, trainings = values[:, index], result.trainings
        predicted = np.stack([training.test.mean[:, index] for training in trainings])
        error = rmse(value, predicted)
        inside = [coverage(item.test, item.calibration, values)[index] for item in trainings]
        width = [
            float(np.mean(2 * item.calibration[index] * item.test.deviation[:, index]))
            for item in trainings
        ]
        return {
            "rmse": error.value,
            "rmse_interval": [error.low, error.high],
            "rmse_by_seed": [rmse(value, seed).value for seed in predicted],
            "mae": mean_absolute_error(value, predicted),
            "r2": _finite(r_squared(value, predicted)),
            "interval_level": LEVEL,
            "interval_coverage": _finite(np.mean(inside)),
            "interval_width": _finite(np.mean(width)),
            "baselines": {
                name: _comparison(value, predicted, baseline[:, index])
                for name, baseline in result.baselines.items()
            },
        }

    def rows(self, network: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
        form = ".3f" if figures["rmse"] >= _SMALL else ".3g"
        r2 = "-" if figures["r2"] is None else f"{figures['r2']:.3f}"
        rows = [
            (network, self.score_name, _format(figures["rmse"], figures["rmse_interval"], form)),
            ("", "MAE, R squared", f"{figures['mae']:{form}}, {r2}"),
        ]
        for name, baseline in figures["baselines"].items():
            gain = _format(baseline["network_gain"], baseline["network_gain_interval"], f"+{form}")
            error = _format(baseline["rmse"], baseline["rmse_interval"], form)
            rows += [(name, self.score_name, error), ("", "the network's gain", gain)]
        covered, width = figures["interval_coverage"], figures["interval_width"]
        share = "-" if covered is None else f"hold {100 * covered:.1f} %, {width:.3g} wide"
        return [*rows, ("", "90 % intervals", share)]

    def noise_line(self, name: str, floor: dict[str, Any]) -> str:
        return (
            f"noise floor of {name}: {floor['deviation']:.3g}"
            f"{' ' if floor['unit'] else ''}{floor['unit']}, the scatter of {floor['molecules']:,} "
            "molecules measured more than once"
        )

    def columns(self, target: Target) -> list[str]:
        return [str(target), *(f"{target.name} {what}" for what in ("deviation", "low", "high"))]

    def cells(
        self, estimates: Estimates, regions: Intervals, targets: Sequence[Target]
    ) -> list[list[str]]:
        values = np.stack([estimates.mean, estimates.deviation, regions.low, regions.high], 2)
        return [
            ["" if np.isnan(v) else f"{v:.6g}" for v in row]
            for row in values.reshape(len(estimates.mean), -1)
        ]


def _format(value: float, interval: list[float], form: str) -> str:
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"


def _comparison(value: Values, predicted: Values, other: Values) -> dict[str, Any]:
    error, gain = rmse(value, other), rmse_difference(value, predicted, other)
    return {
        "rmse": error.value,
        "rmse_interval": [error.low, error.high],
        "network_gain": gain.value,
        "network_gain_interval": [gain.low, gain.high],
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
