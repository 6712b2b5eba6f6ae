"""What a domain says of itself; everything else about an experiment is the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from matexapps.data.dataset import DataSet
from matexapps.errors import TrainingError
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.reference import load_domain, reference_of
from matexapps.experiment.settings import ExperimentSettings
from matexapps.experiment.splitting import Split
from matexapps.experiment.tasks import TASKS, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Settings = TypeVar("Settings", bound=ExperimentSettings)
Prepared = TypeVar("Prepared")
"""A domain's rows, read and checked, the same on all ranks."""

Values = NDArray[Any]


def _mean(parts: Sequence[Values]) -> Values:
    return np.asarray(np.mean(parts, axis=0))


@dataclass(frozen=True)
class BaselinePredictions:
    """What a fitted baseline predicts, as the task's ``predictions`` has it.

    Attributes
    ----------
    validation, test : ndarray, first axis rows
    """

    validation: Values
    test: Values


@dataclass(frozen=True)
class Baseline:
    """A simple method to stand beside every network.

    Attributes
    ----------
    jobs : sequence of callable
        Each takes nothing, fits something to the training rows, and predicts. Jobs are shared out
        among ranks, so what they return must not depend on the rank.
    combine : callable
        From the jobs' predictions of the same rows, in order, to those of the baseline; default:
        their mean.
    """

    jobs: Sequence[Callable[[], BaselinePredictions]]
    combine: Callable[[Sequence[Values]], Values] = _mean

    def combined(self, predictions: Sequence[BaselinePredictions]) -> BaselinePredictions:
        """Return the baseline's predictions from those of its jobs, in order."""
        return BaselinePredictions(
            self.combine([each.validation for each in predictions]),
            self.combine([each.test for each in predictions]),
        )


@dataclass(frozen=True)
class ModelFacts:
    """What a kept model needs beside its weights to be built and used again.

    Attributes
    ----------
    architecture : dict
        Plain values from which, with the settings, :meth:`Domain.rebuild` makes the network.
    facts : dict
        Plain values on what the model reads and how it was trained.
    arrays : dict of str to ndarray
        Further arrays, such as the training rows that neighbors are looked for in.
    """

    architecture: dict[str, Any]
    facts: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class TrainedModel(Protocol):
    """A model as its domain sees it: see :class:`~matexapps.experiment.model.model.Model`."""

    domain: Domain[Any, Any]
    network: nn.Module
    task: Task
    calibration: Any
    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def outputs(self, features: NDArray[Any]) -> NDArray[Any]:
        """Return what the network gives for features, first axis rows, in this process."""


class Domain(ABC, Generic[Settings, Prepared]):
    """A scientific domain: which rows, which network, which task, which baselines, which report.

    Seeds and splits, training, prediction, keeping a model, intervals, recovery, resume, pictures,
    command line and notebook call are inherited. Methods run on every rank alike, with the same
    arguments; they take what they need of the ranks from ``ranks``. A domain has no state.

    Attributes
    ----------
    name : str
        As in ``matexapps NAME train``.
    title : str
        What it is about, in one line.
    settings : type
        A dataclass, from which the command line is made: its docstring is the help.
    unit : str
        What the rows are, as in "molecules".
    tasks : tuple of type
        The kinds of tasks that :meth:`task` returns.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[ExperimentSettings]]
    unit: ClassVar[str] = "rows"
    tasks: ClassVar[tuple[type[Task], ...]] = TASKS

    def __reduce__(self) -> tuple[Any, ...]:
        # By name, so that a study travels to a notebook also from a domain in a file.
        return load_domain, (reference_of(self),)

    @abstractmethod
    def prepare(self, settings: Settings, ranks: Ranks) -> Prepared:
        """Read and check the rows. Collective, and fit to be begun again."""

    @abstractmethod
    def splits(self, settings: Settings, prepared: Prepared, ranks: Ranks) -> dict[str, Split]:
        """Return the splits by name, the one whose model is kept first. Collective."""

    @abstractmethod
    def data(self, settings: Settings, prepared: Prepared, split: Split) -> DataSet:
        """Return the rows of each part, in memory."""

    @abstractmethod
    def values(self, prepared: Prepared, rows: NDArray[np.int64]) -> Values:
        """Return what was measured of these rows, first axis rows."""

    def weights(self, prepared: Prepared, rows: NDArray[np.int64]) -> Values | None:
        """Return the weight of each of these rows; None where all count alike."""
        return None

    @abstractmethod
    def task(self, settings: Settings, prepared: Prepared, split: Split) -> Task:
        """Return what is asked of the network; what it learns of values, it learns in training."""

    @abstractmethod
    def network(self, settings: Settings, prepared: Prepared, split: Split, seed: int) -> nn.Module:
        """Return an untrained network; the same seed gives the same weights."""

    def training(
        self, settings: Settings, prepared: Prepared, network: nn.Module
    ) -> dict[str, Any]:
        """Return ``epochs`` and further arguments of the Trainer.

        Settings that were given go first. The task's loss and metrics are added where this says
        nothing of them.
        """
        return {"epochs": 20}

    @abstractmethod
    def baselines(
        self, settings: Settings, prepared: Prepared, split: Split
    ) -> dict[str, Baseline]:
        """Return the simple methods by name."""

    @abstractmethod
    def audit(self, settings: Settings, prepared: Prepared, split: Split) -> Any:
        """Return what the test rows share with those learned from; a dataclass of plain values."""

    @abstractmethod
    def model_facts(
        self, settings: Settings, prepared: Prepared, split: Split, network: nn.Module
    ) -> ModelFacts:
        """Return what a kept model needs beside its weights."""

    @abstractmethod
    def rebuild(self, settings: Settings, architecture: dict[str, Any]) -> nn.Module:
        """Return a network of this architecture, whose weights are about to be loaded."""

    def check_model(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Raise a DataError if a kept model cannot be used any more; the message says why."""

    def source(self, rows: Any, **options: Any) -> Any:
        """Return what :meth:`pieces` reads, of a file or a table and what a user says of it.

        Raises
        ------
        TrainingError
            If there is no such option.
        """
        if options:
            raise TrainingError(f"{self.name} models predict without {', '.join(options)}")
        return rows

    @abstractmethod
    def pieces(self, source: Any, model: TrainedModel, size: int) -> Iterator[Any]:
        """Yield what stands in a file, or in a table in memory, piece by piece, in order.

        A piece is a sequence, or an array, of rows; a slice of it is one too.

        Parameters
        ----------
        source : path or table
            As :meth:`source` gives it.
        model : TrainedModel
        size : int
            Rows of a piece.

        Raises
        ------
        DataError
            If the rows do not fit the model; the message says why.
        """

    @abstractmethod
    def predict(self, piece: Any, model: TrainedModel) -> list[list[Any]]:
        """Return the cells of a prediction for each row of a piece, in this process.

        The last says why a row is not predicted, and is empty where it is.
        """

    @abstractmethod
    def prediction_columns(self, model: TrainedModel) -> list[str]:
        """Return the names of these cells."""

    def effort(self, row: Any) -> int:
        """Return how much work the prediction of a row is, at least 1, in any unit."""
        return 1

    def for_report(self, prepared: Prepared) -> Prepared:
        """Return what the methods below still need of the rows, when all models are trained.

        A study holds nothing else of them, so that it is small on its way to a notebook.
        """
        return prepared

    def figures(self, prepared: Prepared, result: Any) -> dict[str, Any]:
        """Return further figures of a split beside the task's, plain values.

        Parameters
        ----------
        prepared
            As :meth:`for_report` returns it.
        result : SplitResult
        """
        return {}

    def summary(self, study: Any) -> dict[str, Any]:
        """Return further figures of a study, plain values."""
        return {}

    def as_table(self, summary: dict[str, Any]) -> str:
        """Return the summary of a study as text."""
        from matexapps.experiment.report import as_table

        return as_table(summary)

    def draw(self, study: Any) -> Figure:
        """Return the picture of a study that is kept beside the model."""
        from matexapps.experiment.figures import draw_study

        return draw_study(study)

    def write_files(self, study: Any, folder: Path) -> None:
        """Write what else belongs beside a kept model."""
