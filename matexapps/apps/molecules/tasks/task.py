"""Tasks of molecules: several targets, with values that are missing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.experiment.tasks import Task
from matexapps.train.metrics import Metric


@dataclass(frozen=True)
class MoleculeTask(Task):
    """Targets of one kind, learned together.

    Predictions are estimates of an ensemble, whose ``mean`` has shape (molecules, targets).

    Attributes
    ----------
    targets : tuple of Target
    mean, scale : tuple of float
        Reference of the network's outputs, for each target.
    """

    targets: tuple[Target, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    kind: ClassVar[str]
    """As in :class:`~matexapps.apps.molecules.networks.architecture.Architecture`."""

    constant: ClassVar[str]
    """Name of the baseline that ignores structure: the mean of the training values."""

    leading: ClassVar[str]
    """Key of the main figure among those of a target."""

    leading_name: ClassVar[str]
    """Its name for a reader."""

    @classmethod
    @abstractmethod
    def objective(cls, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        """Return the loss, and the metric that gives :attr:`monitor`.

        Parameters
        ----------
        values : ndarray, shape (molecules, targets)
            NaN is missing.
        mean, scale : Tensor, shape (targets,)
            Reference of the network's outputs.
        """

    @abstractmethod
    def regions(self, predictions: Any, calibration: Values) -> Any:
        """Return the region in which each value is expected."""

    @classmethod
    @abstractmethod
    def forest(cls, **settings: Any) -> Any:
        """Return an unfitted random forest."""

    @classmethod
    @abstractmethod
    def predict_forest(cls, forest: Any, table: NDArray[Any]) -> Values:
        """Return what a fitted forest predicts, comparable with ``mean``, shape (molecules,)."""

    @abstractmethod
    def target_figures(
        self, index: int, values: Values, predictions: Sequence[Any], calibrations: Sequence[Values]
    ) -> dict[str, Any]:
        """Return the figures of one target as plain values.

        Parameters
        ----------
        index : int
            The target's.
        values : ndarray, shape (test molecules, targets)
        predictions, calibrations : sequence
            Of each training.
        """

    @abstractmethod
    def comparison(self, value: Values, predicted: Values, baseline: Values) -> dict[str, Any]:
        """Return a baseline's figures of one target, and by how much the network is better.

        Parameters
        ----------
        value, baseline : ndarray, shape (test molecules,)
        predicted : ndarray, shape (trainings, test molecules)
        """

    def report(
        self,
        values: Values,
        predictions: Sequence[Any],
        calibrations: Sequence[Any],
        baselines: Mapping[str, Values],
        weight: Values | None,
    ) -> dict[str, Any]:
        """Return the figures of each target that has test values."""
        return {
            "targets": {
                target.name: {
                    "unit": target.unit,
                    "classes": target.classes,
                    **self.target_figures(index, values, predictions, calibrations),
                    "baselines": {
                        name: self.comparison(
                            values[:, index],
                            of_trainings(predictions, index),
                            baseline[:, index],
                        )
                        for name, baseline in baselines.items()
                    },
                }
                for index, target in enumerate(self.targets)
                if np.isfinite(values[:, index]).any()
            }
        }

    @property
    def columns(self) -> list[str]:
        return [column for target in self.targets for column in self.target_columns(target)]

    @staticmethod
    @abstractmethod
    def target_columns(target: Target) -> list[str]:
        """Return the columns of a target in a table of predictions."""

    @classmethod
    @abstractmethod
    def lines(cls, network: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Return the figures of one target as text: model, what the figure is, and the figure.

        The model is empty where it is that of the line above. Only the figures depend on the
        split, so that splits can be shown side by side.
        """

    @staticmethod
    @abstractmethod
    def noise_line(name: str, floor: dict[str, Any]) -> str:
        """Return a target's noise floor as text; ``floor`` also has its unit."""


def of_trainings(predictions: Sequence[Any], index: int) -> Values:
    """Return each training's predictions of a target, shape (trainings, molecules)."""
    return np.stack([each.mean[:, index] for each in predictions])
