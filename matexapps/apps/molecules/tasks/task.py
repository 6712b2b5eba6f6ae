"""Tasks of molecules: several targets, with values that are missing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.experiment.report import Row, model_rows
from matexapps.experiment.statistics.figures_of_merit import FIGURES
from matexapps.experiment.tasks import Predicted, SingleTask, Task
from matexapps.train.metrics import Metric


@dataclass(frozen=True)
class MoleculeTask(Task):
    """Targets of one kind, learned together by an ensemble.

    Each target is judged as the task of a single value. Predictions are estimates of the ensemble,
    whose ``mean`` has shape (molecules, targets).

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

    single: ClassVar[type[SingleTask]]
    """The task of each target."""

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

    @abstractmethod
    def region_figures(
        self, index: int, values: Values, predictions: Sequence[Any], calibrations: Sequence[Values]
    ) -> dict[str, Any]:
        """Return figures of the regions of one target, plain values.

        Parameters
        ----------
        index : int
            The target's.
        values : ndarray, shape (test molecules, targets)
        predictions, calibrations : sequence
            Of each training.
        """

    def report(
        self, validation: Predicted, test: Predicted, calibrations: Sequence[Any]
    ) -> dict[str, Any]:
        """Return the figures of each target that has test values."""
        return {
            "targets": {
                target.name: {
                    **self.single().report(column(validation, index), column(test, index), ()),
                    "unit": target.unit,
                    "classes": target.classes,
                    **self.region_figures(index, test.values, test.network, calibrations),
                }
                for index, target in enumerate(self.targets)
                if np.isfinite(test.values[:, index]).any()
            }
        }

    def better_baselines(self, validation: Predicted) -> list[dict[str, Any]]:
        return [
            {**better, "target": target.name}
            for index, target in enumerate(self.targets)
            for better in self.single().better_baselines(column(validation, index))
        ]

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> MoleculeTask:
        targets = tuple(map(Target.from_plain, plain["targets"]))
        return cls(targets, tuple(plain["mean"]), tuple(plain["scale"]))

    @property
    def columns(self) -> list[str]:
        return [column for target in self.targets for column in self.target_columns(target)]

    @staticmethod
    @abstractmethod
    def target_columns(target: Target) -> list[str]:
        """Return the columns of a target in a table of predictions."""

    @classmethod
    def rows(cls, network: str, figures: dict[str, Any]) -> list[Row]:
        """Return the figures of one target as text.

        Only the figures depend on the split, so that splits can be shown side by side.
        """
        shown = {
            name: value
            for name, value in figures.items()
            if name.removesuffix("_interval") in {*FIGURES, "r2", "baselines"}
        }
        return [*model_rows(network, shown), *cls.region_rows(figures)]

    @classmethod
    @abstractmethod
    def region_rows(cls, figures: dict[str, Any]) -> list[Row]:
        """Return the figures of :meth:`region_figures` as text."""

    @staticmethod
    @abstractmethod
    def noise_line(name: str, floor: dict[str, Any]) -> str:
        """Return a target's noise floor as text; ``floor`` also has its unit."""


def column(predicted: Predicted, index: int) -> Predicted:
    """Return the known values of one target, and what each model predicts of them."""
    known = np.isfinite(predicted.values[:, index])
    return Predicted(
        predicted.values[known, index],
        [each.mean[known, index] for each in predicted.network],
        {name: each[known, index] for name, each in predicted.baselines.items()},
    )
