"""The task that asks for a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matexapps.experiment.statistics.conformal import conformal_quantile
from matexapps.experiment.statistics.figures_of_merit import figure_value, r_squared
from matexapps.experiment.tasks.task import Predicted, SingleTask, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Regression(SingleTask):
    """How much; outputs are standardized, predictions in the label's unit, with 90 % intervals.

    Attributes
    ----------
    name, unit : str
        Of the label.
    center, scale : float
        Mean and standard deviation of the training labels, in which the network's outputs count.
    """

    name: str = "value"
    unit: str = ""
    center: float = 0.0
    scale: float = 1.0

    loss = "mean_squared_error"
    merits = ("rmse",)

    def predictions(self, outputs: Values) -> Values:
        values = outputs.astype(np.float64).reshape(len(outputs))
        return np.asarray(values * self.scale + self.center)

    def of_estimator(self, estimator: Any, features: Values) -> Values:
        return np.asarray(estimator.predict(features), float)

    def further_figures(self, test: Predicted) -> dict[str, Any]:
        return {
            "mae": figure_value("mae", test.values, test.network, test.weight),
            "r2": r_squared(test.values, test.network, test.weight),
            "unit": self.unit,
        }

    def calibrate(self, predictions: Values, values: Values) -> list[float]:
        return [conformal_quantile(np.abs(predictions - values))]

    @property
    def columns(self) -> list[str]:
        unit = f" ({self.unit})" if self.unit else ""
        return [f"{self.name}{unit}", f"{self.name} low", f"{self.name} high"]

    def cells(self, predictions: Values, calibration: Sequence[float]) -> list[list[Any]]:
        reach = calibration[0]
        return [[f"{v:.6g}", f"{v - reach:.6g}", f"{v + reach:.6g}"] for v in predictions]

    def draw(self, axes: Sequence[Axes], test: Predicted) -> None:
        from matexapps.experiment.figures import plot_parity, plot_residuals

        unit = f" ({self.unit})" if self.unit else ""
        values, predicted = test.values, test.network[0]
        plot_parity(axes[0], values, predicted, f"{self.name}{unit}")
        plot_residuals(axes[1], values, predicted, f"error of {self.name}{unit}", test.weight)
