"""Tasks: everything that depends on the kind of the targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.results import SplitResult
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.train.metrics import Metric

E = TypeVar("E")
"""Estimates of an ensemble, whose ``mean`` has shape (molecules, targets)."""


class Task(ABC, Generic[E]):
    """A kind of targets.

    Attributes
    ----------
    name : str
        As in :class:`~matexapps.apps.molecules.networks.architecture.Architecture`.
    monitor : str
        Column of the history by which the best epoch is chosen; lower is better.
    constant : str
        Name of the baseline that ignores structure: the mean of the training values.
    score : str
        Key of the main figure among those of :meth:`figures`.
    score_name : str
        Its name for a reader.
    score_is_error : bool
        Whether better models have a score closer to zero.
    """

    name: str
    monitor: str
    constant: str
    score: str
    score_name: str
    score_is_error: bool

    @abstractmethod
    def objective(self, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        """Return the loss, and the metric that gives :attr:`monitor`.

        Parameters
        ----------
        values : ndarray, shape (molecules, targets)
            NaN is missing.
        mean, scale : Tensor, shape (targets,)
            Reference of the network's outputs.
        """

    @abstractmethod
    def estimates(self, outputs: NDArray[Any], mean: Values, scale: Values) -> E:
        """Return estimates from a network's outputs, shape (molecules, members, targets, ...)."""

    @abstractmethod
    def calibrate(self, estimates: E, values: Values) -> Values:
        """Return, for each target, what regions need to cover their share of such molecules."""

    @abstractmethod
    def regions(self, estimates: E, calibration: Values) -> Any:
        """Return the region in which each value is expected."""

    @abstractmethod
    def forest(self, **settings: Any) -> Any:
        """Return an unfitted random forest."""

    @abstractmethod
    def predict_forest(self, forest: Any, table: NDArray[Any]) -> Values:
        """Return what a fitted forest predicts, comparable with ``mean``, shape (molecules,)."""

    @abstractmethod
    def figures(self, values: Values, result: SplitResult, index: int) -> dict[str, Any]:
        """Return the figures of one target as plain values, fit for JSON.

        Parameters
        ----------
        values : ndarray, shape (test molecules, targets)
        result : SplitResult
        index : int
            The target's.
        """

    @abstractmethod
    def rows(self, network: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Return the figures of one target as text: model, what the figure is, and the figure.

        The model is empty where it is that of the row above. Only the figures depend on the
        split, so that splits can be shown side by side.
        """

    @abstractmethod
    def noise_line(self, name: str, floor: dict[str, Any]) -> str:
        """Return a target's noise floor as text; ``floor`` also has its unit."""

    @abstractmethod
    def columns(self, target: Target) -> list[str]:
        """Return the columns of a target in a table of predictions."""

    @abstractmethod
    def cells(self, estimates: E, regions: Any, targets: Sequence[Target]) -> list[list[str]]:
        """Return the cells of these columns for all targets, a list for each molecule."""
