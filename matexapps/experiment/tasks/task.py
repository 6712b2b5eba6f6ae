"""What a task is: what is asked of a network, and how answers are judged, calibrated, shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from matexapps.experiment.statistics.bootstrap import Resampled
from matexapps.experiment.statistics.figures_of_merit import (
    FIGURES,
    figure_value,
    improvement,
    resampled_figures,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[Any]

NETWORK = "network"
"""Its name beside those of the baselines."""


@dataclass(frozen=True)
class Predicted:
    """Rows that no model was fitted to, and what each model predicts of them.

    Attributes
    ----------
    values : ndarray, first axis rows
        What was measured.
    network : sequence
        Predictions of each training, as the task's ``predictions`` gives them.
    baselines : mapping of str to ndarray
        Predictions of simpler methods.
    weight : ndarray, shape (rows,), or None
    """

    values: Values
    network: Sequence[Any]
    baselines: Mapping[str, Values]
    weight: Values | None = None

    @property
    def models(self) -> dict[str, Any]:
        """Predictions of the first training and of the baselines, by name."""
        return {NETWORK: self.network[0], **self.baselines}


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
        self, validation: Predicted, test: Predicted, calibrations: Sequence[Any]
    ) -> dict[str, Any]:
        """Return figures, plain values, with those of each baseline.

        Parameters
        ----------
        validation, test : Predicted
        calibrations : sequence
            Of each training.
        """

    @abstractmethod
    def better_baselines(self, validation: Predicted) -> list[dict[str, Any]]:
        """Return the baselines that are better on validation rows than the first training.

        Returns
        -------
        list of dict
            ``target``, empty where rows have one value; ``baseline``; ``figure``, its title; the
            baseline's ``value`` and that of the ``network``.
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
        """Return plain values from which :meth:`from_plain` makes the task again."""
        return {"task": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Task:
        """Make the task again of its plain values, without their ``task``."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()})


class SingleTask(Task):
    """A task with one value a row.

    Attributes
    ----------
    merits : tuple of str
        Figures of merit that every model gets with 95 % intervals, the one that decides first; of
        :data:`~matexapps.experiment.statistics.figures_of_merit.FIGURES`.
    """

    merits: ClassVar[tuple[str, ...]]

    def judged(self, predictions: Values) -> Values:
        """Return the part of predictions that the merits are computed of, last axis rows."""
        return predictions

    @abstractmethod
    def of_estimator(self, estimator: Any, features: Values) -> Values:
        """Return a fitted scikit-learn estimator's predictions, as :meth:`predictions` does."""

    def further_figures(self, test: Predicted) -> dict[str, Any]:
        """Return figures of the network alone, without intervals, plain values."""
        return {}

    def report(
        self, validation: Predicted, test: Predicted, calibrations: Sequence[Any]
    ) -> dict[str, Any]:
        """Return the merits of network and baselines, and what each says of validation rows.

        Each baseline has by how much the network is better. All intervals are over the same
        resampled rows. ``validation`` has the deciding figure of the first training, and of each
        baseline, without an interval.
        """
        models = {NETWORK: test.network, **{name: [each] for name, each in test.baselines.items()}}
        judged = {name: [self.judged(each) for each in model] for name, model in models.items()}
        figures = resampled_figures(self.merits, test.values, judged, test.weight)
        decides, network = self.merits[0], figures[NETWORK]
        return {
            **_with_intervals(network),
            f"{decides}_by_seed": [
                figure_value(decides, test.values, each, test.weight) for each in judged[NETWORK]
            ],
            **self.further_figures(test),
            "validation": self._on_validation(validation),
            "baselines": {
                name: {
                    **_with_intervals(figures[name]),
                    **_with_intervals(
                        {"network_gain": improvement(decides, network[decides], other[decides])}
                    ),
                }
                for name, other in figures.items()
                if name != NETWORK
            },
        }

    def better_baselines(self, validation: Predicted) -> list[dict[str, Any]]:
        decides, figures = self.merits[0], self._on_validation(validation)
        merit, network = FIGURES[decides], figures[decides]
        return [
            {
                "target": "",
                "baseline": name,
                "figure": merit.title,
                "value": value,
                "network": network,
            }
            for name, value in figures["baselines"].items()
            if (value < network if merit.lower_is_better else value > network)
        ]

    def _on_validation(self, validation: Predicted) -> dict[str, Any]:
        decides = self.merits[0]

        def value_of(predictions: Values) -> float:
            if not np.isfinite(validation.values).any():
                return float("nan")
            judged = self.judged(predictions)
            return figure_value(decides, validation.values, judged, validation.weight)

        return {
            decides: value_of(validation.network[0]),
            "baselines": {name: value_of(each) for name, each in validation.baselines.items()},
        }

    @abstractmethod
    def draw(self, axes: Sequence[Axes], test: Predicted) -> None:
        """Draw the models' predictions into two axes."""


def _with_intervals(figures: Mapping[str, Resampled]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, resampled in figures.items():
        estimate = resampled.estimate
        plain |= {name: estimate.value, f"{name}_interval": estimate.interval}
    return plain
