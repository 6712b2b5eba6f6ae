"""What a task is: what is asked of a network, and how answers are judged, calibrated, shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray

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
    """

    loss: ClassVar[str]
    metrics: tuple[Any, ...] = ()
    monitor: str = "validation_loss"
    mode: Literal["min", "max"] = "min"

    @abstractmethod
    def predictions(self, outputs: Values) -> Any:
        """Return what outputs of a network, first axis rows, say of the rows."""

    @abstractmethod
    def report(
        self,
        values: Values,
        predictions: Sequence[Any],
        calibrations: Sequence[Any],
        baselines: Mapping[str, Values],
        weight: Values | None,
    ) -> dict[str, Any]:
        """Return figures of test rows, plain values, with those of each baseline.

        Parameters
        ----------
        values : ndarray, first axis rows
        predictions, calibrations : sequence
            Of each training.
        baselines : mapping of str to ndarray
            Predictions of simpler methods.
        weight : ndarray, shape (rows,), or None
        """

    def calibrate(self, predictions: Any, values: Values) -> Any:
        """Return, from validation rows, what makes regions hold their share of new rows."""
        return []

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Columns that a table of predictions has."""

    @abstractmethod
    def cells(self, predictions: Any, calibration: Any) -> list[list[Any]]:
        """Return the cells of these columns for each row."""

    def plain(self) -> dict[str, Any]:
        """Return plain values from which :func:`task_from` makes the task again."""
        return {"task": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]


class SingleTask(Task):
    """A task with one value a row.

    Attributes
    ----------
    leading : str
        The figure of merit that is reported first, one of
        :data:`~matexapps.experiment.statistics.figures_of_merit.FIGURES`.
    """

    leading: str

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
        calibrations: Sequence[Any],
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

    @abstractmethod
    def draw(self, axes: Sequence[Axes], values: Values, models: dict[str, Values]) -> None:
        """Draw predictions of test rows, the network's first, into two axes."""

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
