"""What a task is: all that depends on what kind of values the targets have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.results import Judged
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.train.metrics import Metric

Said = TypeVar("Said")
"""What an ensemble says of molecules, in which ``mean`` has shape (molecules, targets)."""


class Task(ABC, Generic[Said]):
    """A kind of targets.

    Attributes
    ----------
    name : str
        As in an architecture.
    monitor : str
        Column of the history, lower is better, by which the epoch is chosen that stays.
    constant : str
        Name of the baseline that knows no structure: the mean of the training values.
    score : str
        Key of the figure that leads, among those of :meth:`figures`.
    score_name : str
        The same for a person.
    score_is_error : bool
        Whether it falls towards zero, the better a model is.
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
            What the network's outputs are relative to.
        """

    @abstractmethod
    def said(self, outputs: NDArray[Any], mean: Values, scale: Values) -> Said:
        """Return what a network's outputs, shape (molecules, members, targets, ...), say."""

    @abstractmethod
    def calibrate(self, said: Said, values: Values) -> Values:
        """Return what makes regions hold their share of molecules like these, for each target."""

    @abstractmethod
    def regions(self, said: Said, calibration: Values) -> Any:
        """Return in which region each value is expected."""

    @abstractmethod
    def forest(self, **settings: Any) -> Any:
        """Return a random forest that is not yet fitted."""

    @abstractmethod
    def predict_forest(self, forest: Any, table: NDArray[Any]) -> Values:
        """Return what a fitted forest says, shape (molecules,), to be compared with ``mean``."""

    @abstractmethod
    def figures(self, values: Values, judged: Judged, place: int) -> dict[str, Any]:
        """Return the figures of one target, plain values fit for JSON.

        Parameters
        ----------
        values : ndarray, shape (test molecules, targets)
        judged : Judged
        place : int
            The target's.
        """

    @abstractmethod
    def rows(self, network: str, found: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Return the figures of one target for a person: model, what is told, and the figure.

        Model is empty in further rows of the same. Models and what is told are the same whatever
        the figures, so that rows of several splits can stand side by side.
        """

    @abstractmethod
    def noise_line(self, name: str, floor: dict[str, Any]) -> str:
        """Return a target's noise floor for a person; ``floor`` has its unit, too."""

    @abstractmethod
    def columns(self, target: Target) -> list[str]:
        """Return the columns that a table of predictions has for a target."""

    @abstractmethod
    def cells(self, said: Said, regions: Any, targets: Sequence[Target]) -> list[list[str]]:
        """Return the cells of those columns, of all targets, a list for each molecule."""
