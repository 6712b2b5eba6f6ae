"""Tasks that ask for a class: one of two, or one of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, softmax

from matexapps.experiment.statistics.conformal import conformal_quantile
from matexapps.experiment.tasks.task import Predicted, SingleTask, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class BinaryClassification(SingleTask):
    """Which of two classes; outputs are logits of class 1, predictions its probability.

    Attributes
    ----------
    classes : tuple of two str
        Names of class 0 and class 1.
    """

    classes: tuple[str, ...] = ("0", "1")

    loss = "binary_cross_entropy"
    metrics = ("roc_auc",)
    monitor = "roc_auc"
    mode = "max"
    merits = ("roc_auc", "average_precision", "brier")

    def predictions(self, outputs: Values) -> Values:
        return np.asarray(expit(outputs.astype(np.float64).reshape(len(outputs))))

    def of_estimator(self, estimator: Any, features: Values) -> Values:
        # Training rows of a single class leave a single column.
        return np.asarray(estimator.predict_proba(features) @ estimator.classes_, float)

    @property
    def columns(self) -> list[str]:
        return [f"probability of {self.classes[1]}"]

    def cells(self, predictions: Values, calibration: Sequence[float]) -> list[list[Any]]:
        return [[f"{value:.6g}"] for value in predictions]

    def draw(self, axes: Sequence[Axes], test: Predicted) -> None:
        from matexapps.experiment.figures import plot_reliability, plot_roc

        plot_roc(axes[0], test.values, test.models, test.weight)
        plot_reliability(axes[1], test.values, test.network[0], test.weight)


@dataclass(frozen=True)
class Classification(SingleTask):
    """Which of several classes; outputs are logits, predictions probabilities.

    Labels are the classes' numbers, from 0. ``calibrate`` and ``cells`` give conformal sets: the
    most probable classes, as many as hold the right one for 90 % of new rows (Sadinle, Lei,
    Wasserman, J. Am. Stat. Assoc. 114 (2019) 223).

    Attributes
    ----------
    classes : tuple of str
    """

    classes: tuple[str, ...] = ()

    loss = "cross_entropy"
    metrics = ("accuracy",)
    merits = ("accuracy",)

    def predictions(self, outputs: Values) -> Values:
        return np.asarray(softmax(outputs.astype(np.float64), axis=1))

    def judged(self, predictions: Values) -> Values:
        return np.asarray(predictions.argmax(-1))

    def of_estimator(self, estimator: Any, features: Values) -> Values:
        probability = np.zeros((len(features), len(self.classes)))
        probability[:, estimator.classes_.astype(int)] = estimator.predict_proba(features)
        return probability

    def further_figures(self, test: Predicted) -> dict[str, Any]:
        right = [each[np.arange(len(each)), test.values.astype(int)] for each in test.network]
        log_loss = [
            -np.average(np.log(np.clip(each, 1e-15, 1)), weights=test.weight) for each in right
        ]
        return {"log_loss": float(np.mean(log_loss))}

    def calibrate(self, predictions: Values, values: Values) -> list[float]:
        right = predictions[np.arange(len(values)), values.astype(int)]
        return [min(1.0, conformal_quantile(1 - right, floor=1.0))]

    @property
    def columns(self) -> list[str]:
        return ["class", *(f"probability of {name}" for name in self.classes), "90 % set"]

    def cells(self, predictions: Values, calibration: Sequence[float]) -> list[list[Any]]:
        least = 1 - calibration[0]
        return [
            [
                self.classes[int(row.argmax())],
                *(f"{value:.6g}" for value in row),
                " ".join(n for n, v in zip(self.classes, row, strict=True) if v >= least),
            ]
            for row in predictions
        ]

    def draw(self, axes: Sequence[Axes], test: Predicted) -> None:
        from matexapps.experiment.figures import plot_confusion, plot_reliability

        values, probability = test.values, test.network[0]
        plot_confusion(axes[0], values, self.judged(probability), self.classes, test.weight)
        right = (self.judged(probability) == values).astype(float)
        plot_reliability(axes[1], right, probability.max(1), test.weight)
