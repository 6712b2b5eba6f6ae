"""Targets that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor, nn

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.results import Judged
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
"""Errors below have three digits, as those of energies in hartree need; others three decimals."""


class Regression(Task[Estimates]):
    """Means and intervals, judged by their errors."""

    name = "regression"
    monitor = "relative_rmse"
    constant = "mean"
    score = "rmse"
    score_name = "RMSE"
    score_is_error = True

    def objective(self, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return MeanVarianceLoss(values, mean, scale), TargetRmse(values, mean, scale)

    def said(self, outputs: NDArray[Any], mean: Values, scale: Values) -> Estimates:
        return Estimates.from_outputs(outputs, mean, scale)

    def calibrate(self, said: Estimates, values: Values) -> Values:
        return conformal_factor(said, values)

    def regions(self, said: Estimates, calibration: Values) -> Intervals:
        return intervals(said, calibration)

    def forest(self, **settings: Any) -> RandomForestRegressor:
        return RandomForestRegressor(max_features=_COLUMNS_OF_A_SPLIT, **settings)

    def predict_forest(self, forest: RandomForestRegressor, table: NDArray[Any]) -> Values:
        return np.asarray(forest.predict(table))

    def figures(self, values: Values, judged: Judged, place: int) -> dict[str, Any]:
        value = values[:, place]
        predicted = np.stack([one.test.mean[:, place] for one in judged.trainings])
        error = rmse(value, predicted)
        inside = [coverage(one.test, one.calibration, values)[place] for one in judged.trainings]
        width = [
            float(np.mean(2 * one.calibration[place] * one.test.deviation[:, place]))
            for one in judged.trainings
        ]
        return {
            "rmse": error.value,
            "rmse_interval": [error.low, error.high],
            "rmse_by_seed": [rmse(value, one).value for one in predicted],
            "mae": mean_absolute_error(value, predicted),
            "r2": _finite(r_squared(value, predicted)),
            "interval_level": LEVEL,
            "interval_coverage": _finite(np.mean(inside)),
            "interval_width": _finite(np.mean(width)),
            "baselines": {
                name: _beside(value, predicted, found[:, place])
                for name, found in judged.baselines.items()
            },
        }

    def rows(self, network: str, found: dict[str, Any]) -> list[tuple[str, str, str]]:
        form = ".3f" if found["rmse"] >= _SMALL else ".3g"
        r2 = "-" if found["r2"] is None else f"{found['r2']:.3f}"
        rows = [
            (network, self.score_name, _shown(found["rmse"], found["rmse_interval"], form)),
            ("", "MAE, R squared", f"{found['mae']:{form}}, {r2}"),
        ]
        for baseline, other in found["baselines"].items():
            gain = _shown(other["network_gain"], other["network_gain_interval"], f"+{form}")
            rows += [
                (baseline, self.score_name, _shown(other["rmse"], other["rmse_interval"], form)),
                ("", "the network's gain", gain),
            ]
        held, width = found["interval_coverage"], found["interval_width"]
        share = "-" if held is None else f"hold {100 * held:.1f} %, {width:.3g} wide"
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
        self, said: Estimates, regions: Intervals, targets: Sequence[Target]
    ) -> list[list[str]]:
        values = np.stack([said.mean, said.deviation, regions.low, regions.high], 2)
        return [
            ["" if np.isnan(v) else f"{v:.6g}" for v in row]
            for row in values.reshape(len(said.mean), -1)
        ]


def _shown(value: float, interval: list[float], form: str) -> str:
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"


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
