"""What is asked of a network: a class, or a number; how answers are judged, calibrated, shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from matexapps.errors import DataError
from matexapps.experiment.statistics.conformal import conformal_quantile
from matexapps.experiment.statistics.figures_of_merit import figure, figure_value, gain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[Any]


class Task(ABC):
    """What is asked of a network.

    Attributes
    ----------
    loss : str
        As for :class:`~matexapps.train.trainer.Trainer`.
    metrics : tuple
        Of the validation rows, epoch by epoch.
    monitor, mode : str
        Column of the history by which the epoch is chosen that stays, and whether its "min" or
        "max" is best.
    leading : str
        The figure of merit that is reported first, one of
        :data:`~matexapps.experiment.statistics.figures_of_merit.FIGURES`.
    """

    loss: ClassVar[str]
    metrics: tuple[Any, ...] = ()
    monitor: str = "validation_loss"
    mode: Literal["min", "max"] = "min"
    leading: str

    @abstractmethod
    def predictions(self, outputs: Values) -> Values:
        """Return what outputs of a network, first axis rows, say of the rows."""

    def judged(self, predictions: Values) -> Values:
        """Return the part of predictions that the leading figure is computed of, last axis rows."""
        return predictions

    @abstractmethod
    def figures(
        self, values: Values, predictions: Sequence[Values], weight: Values | None
    ) -> dict[str, Any]:
        """Return figures of test rows, plain values.

        Parameters
        ----------
        values : ndarray, shape (rows,)
        predictions : sequence of ndarray
            Of each training.
        weight : ndarray, shape (rows,), or None
        """

    def report(
        self,
        values: Values,
        predictions: Sequence[Values],
        baselines: Mapping[str, Values],
        weight: Values | None,
    ) -> dict[str, Any]:
        """Return :meth:`figures` with those of each baseline beside them.

        A baseline has its leading figure, and by how much the network is better, both with 95 %
        intervals over the same resampled rows.
        """
        return {
            **self.figures(values, predictions, weight),
            "baselines": {
                name: self._compare(values, predictions, baseline, weight)
                for name, baseline in baselines.items()
            },
        }

    def _compare(
        self,
        values: Values,
        predictions: Sequence[Values],
        baseline: Values,
        weight: Values | None,
    ) -> dict[str, Any]:
        network = [self.judged(each) for each in predictions]
        other = self.judged(baseline)
        own = figure(self.leading, values, other, weight)
        better = gain(self.leading, values, network, other, weight)
        return {
            self.leading: own.value,
            f"{self.leading}_interval": own.interval,
            "network_gain": better.value,
            "network_gain_interval": better.interval,
        }

    def calibrate(self, predictions: Values, values: Values) -> list[float]:
        """Return, from validation rows, what makes regions hold their share of new rows."""
        return []

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Columns that a table of predictions has."""

    @abstractmethod
    def cells(self, predictions: Values, calibration: Sequence[float]) -> list[list[Any]]:
        """Return the cells of these columns for each row."""

    @abstractmethod
    def draw(self, axes: Sequence[Axes], values: Values, models: dict[str, Values]) -> None:
        """Draw predictions of test rows, the network's first, into two axes."""

    def plain(self) -> dict[str, Any]:
        """Return plain values from which :func:`task_from` makes the task again."""
        return {"task": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]

    def _leading_figures(
        self, values: Values, predictions: Sequence[Values], weight: Values | None
    ) -> dict[str, Any]:
        judged = [self.judged(each) for each in predictions]
        estimate = figure(self.leading, values, judged, weight)
        return {
            self.leading: estimate.value,
            f"{self.leading}_interval": estimate.interval,
            f"{self.leading}_by_seed": [
                figure_value(self.leading, values, each, weight) for each in judged
            ],
        }


@dataclass(frozen=True)
class BinaryClassification(Task):
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
    leading = "roc_auc"

    def predictions(self, outputs: Values) -> Values:
        return np.asarray(expit(outputs.astype(np.float64).reshape(len(outputs))))

    def figures(
        self, values: Values, predictions: Sequence[Values], weight: Values | None
    ) -> dict[str, Any]:
        return {
            **self._leading_figures(values, predictions, weight),
            "average_precision": figure_value("average_precision", values, predictions, weight),
            "brier": figure_value("brier", values, predictions, weight),
        }

    @property
    def columns(self) -> list[str]:
        return [f"probability of {self.classes[1]}"]

    def cells(self, predictions: Values, calibration: Sequence[float]) -> list[list[Any]]:
        return [[f"{value:.6g}"] for value in predictions]

    def draw(self, axes: Sequence[Axes], values: Values, models: dict[str, Values]) -> None:
        from matexapps.experiment.figures import plot_reliability, plot_roc

        plot_roc(axes[0], values, models)
        plot_reliability(axes[1], values, next(iter(models.values())))


@dataclass(frozen=True)
class Classification(Task):
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
    leading = "accuracy"

    def predictions(self, outputs: Values) -> Values:
        return np.asarray(softmax(outputs.astype(np.float64), axis=1))

    def judged(self, predictions: Values) -> Values:
        return np.asarray(predictions.argmax(-1))

    def figures(
        self, values: Values, predictions: Sequence[Values], weight: Values | None
    ) -> dict[str, Any]:
        right = [each[np.arange(len(values)), values.astype(int)] for each in predictions]
        log_loss = [-np.average(np.log(np.clip(each, 1e-15, 1)), weights=weight) for each in right]
        return {
            **self._leading_figures(values, predictions, weight),
            "log_loss": float(np.mean(log_loss)),
        }

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

    def draw(self, axes: Sequence[Axes], values: Values, models: dict[str, Values]) -> None:
        from matexapps.experiment.figures import plot_confusion, plot_reliability

        probability = next(iter(models.values()))
        plot_confusion(axes[0], values, self.judged(probability), self.classes)
        right = (self.judged(probability) == values).astype(float)
        plot_reliability(axes[1], right, probability.max(1))


@dataclass(frozen=True)
class Regression(Task):
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
    leading = "rmse"

    def predictions(self, outputs: Values) -> Values:
        values = outputs.astype(np.float64).reshape(len(outputs))
        return np.asarray(values * self.scale + self.center)

    def figures(
        self, values: Values, predictions: Sequence[Values], weight: Values | None
    ) -> dict[str, Any]:
        squared = np.mean([(each - values) ** 2 for each in predictions], axis=0)
        spread = (values - np.average(values, weights=weight)) ** 2
        explained = np.average(squared, weights=weight) / np.average(spread, weights=weight)
        return {
            **self._leading_figures(values, predictions, weight),
            "mae": figure_value("mae", values, predictions, weight),
            "r2": float(1 - explained),
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

    def draw(self, axes: Sequence[Axes], values: Values, models: dict[str, Values]) -> None:
        from matexapps.experiment.figures import plot_parity, plot_residuals

        unit = f" ({self.unit})" if self.unit else ""
        predicted = next(iter(models.values()))
        plot_parity(axes[0], values, predicted, f"{self.name}{unit}")
        plot_residuals(axes[1], values, predicted, f"error of {self.name}{unit}")


TASKS: dict[str, type[Task]] = {
    kind.__name__: kind for kind in (BinaryClassification, Classification, Regression)
}


def task_from(plain: dict[str, Any]) -> Task:
    """Make a task of what :meth:`Task.plain` returned.

    Raises
    ------
    DataError
        If there is no such task.
    """
    given = dict(plain)
    name = given.pop("task", None)
    if name not in TASKS:
        raise DataError(f"unknown task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
