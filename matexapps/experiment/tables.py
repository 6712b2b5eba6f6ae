"""Domains whose rows are tables: numbers in columns, and a label."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from matexapps.data.dataset import DataSet
from matexapps.data.rows import Rows
from matexapps.data.schema.missing import Missing
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.raw_files import RawFiles
from matexapps.data.sources.table import named_columns
from matexapps.errors import DataError, did_you_mean
from matexapps.experiment.domain import (
    Baseline,
    BaselinePredictions,
    Domain,
    ModelFacts,
    TrainedModel,
    Values,
)
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.settings import ExperimentSettings
from matexapps.experiment.splitting import Leakage, Split, audit, make_split
from matexapps.experiment.tasks import Regression, SingleTask

Settings = TypeVar("Settings", bound=ExperimentSettings)
SettingsOfTable = TypeVar("SettingsOfTable", bound="TableSettings")
Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class TableSettings(ExperimentSettings):
    """Settings of a domain whose rows are a table.

    Attributes
    ----------
    split : {"random", "stratified", "group", "time"}
        How test and validation rows are chosen.
    validation, test : float
        Shares of the rows.
    """

    split: str = "random"
    validation: float = 0.1
    test: float = 0.2


class ColumnDomain(Domain[Settings, Prepared]):
    """A domain whose models read columns of numbers, from any table that has them.

    A model's facts say what it reads, as :func:`column_facts` makes them.
    """

    def pieces(self, source: Any, model: TrainedModel, size: int) -> Iterator[NDArray[np.float32]]:
        for table, name in _tables(source, model.facts["columns"]):
            table.columns = pd.Index(self.column_names(list(table.columns)))
            features = _features(table, model.facts["columns"], name)
            Missing.declared(model.facts["missing"]).to_nan(features)
            self.check_features(features, model, name)
            for start in range(0, len(features), size):
                yield features[start : start + size]

    def column_names(self, names: list[str]) -> list[str]:
        """Return by what names models know the columns of a table."""
        return names

    def check_features(self, features: NDArray[np.float32], model: TrainedModel, name: str) -> None:
        """Raise a DataError if rows of the table called ``name`` do not fit a model."""

    def predict(self, piece: Any, model: TrainedModel) -> list[list[Any]]:
        features = np.asarray(piece)
        readable = np.isfinite(features)
        if model.facts["reads_missing"]:
            readable |= np.isnan(features)
        known = readable.all(1)
        cells: Iterator[list[Any]] = iter(())
        if known.any():
            predictions = model.task.predictions(model.outputs(features[known]))
            cells = iter(model.task.cells(predictions, model.calibration))
        blank, columns = [""] * len(model.task.columns), model.facts["columns"]
        return [
            [*next(cells), ""]
            if complete
            else [*blank, f"{columns[int(np.argmin(row))]} is not a finite number"]
            for row, complete in zip(readable, known, strict=True)
        ]

    def prediction_columns(self, model: TrainedModel) -> list[str]:
        return [*model.task.columns, "error"]


def column_facts(
    columns: Sequence[str], features: NDArray[np.float32], missing: Sequence[float] = ()
) -> dict[str, Any]:
    """Return what a :class:`ColumnDomain`'s model keeps of the columns that it reads.

    Parameters
    ----------
    columns : sequence of str
    features : ndarray, shape (rows, columns)
        The training rows': where some are missing (NaN), they may be missing in rows to predict.
    missing : sequence of float
        Numbers that stand for a missing value.
    """
    return {
        "columns": list(columns),
        "missing": [float(value) for value in missing],
        "reads_missing": bool(np.isnan(np.min(features))),
    }


class TableDomain(ColumnDomain[SettingsOfTable, Rows]):
    """A domain whose prepared rows are :class:`~matexapps.data.rows.Rows`, labels included.

    What is left to say: ``prepare``, ``task``, ``network`` and ``estimators``, the simple methods
    as scikit-learn has them. Predictions are made of any table that has the same columns.
    """

    def splits(self, settings: SettingsOfTable, prepared: Rows, ranks: Ranks) -> dict[str, Split]:
        key = prepared.label if settings.split == "stratified" else prepared.key
        shares = settings.validation, settings.test
        return {
            settings.split: make_split(settings.split, len(prepared), *shares, settings.seed, key)
        }

    def data(self, settings: SettingsOfTable, prepared: Rows, split: Split) -> DataSet:
        rows = [prepared.take(part) for part in (split.train, split.validation, split.test)]
        task = self.task(settings, prepared, split)
        if isinstance(task, Regression):
            label = [(each.label - task.center) / task.scale for each in rows]
            rows = [
                replace(each, label=values.astype(np.float32))
                for each, values in zip(rows, label, strict=True)
            ]
        return DataSet.from_rows(*rows)

    def values(self, prepared: Rows, rows: NDArray[np.int64]) -> Values:
        return np.asarray(prepared.label[rows])

    def weights(self, prepared: Rows, rows: NDArray[np.int64]) -> Values | None:
        return None if prepared.weight is None else prepared.weight[rows]

    def estimators(self, settings: SettingsOfTable) -> dict[str, Any]:
        """Return simple methods by name, as scikit-learn has them, not yet fitted."""
        return {}

    def baselines(
        self, settings: SettingsOfTable, prepared: Rows, split: Split
    ) -> dict[str, Baseline]:
        task = self.task(settings, prepared, split)
        assert isinstance(task, SingleTask)
        return {
            name: Baseline([partial(_fit_estimator, estimator, prepared, split, task)])
            for name, estimator in self.estimators(settings).items()
        }

    def for_report(self, prepared: Rows) -> Rows:
        """Return the columns without their rows."""
        return prepared.take(slice(0))

    def audit(self, settings: SettingsOfTable, prepared: Rows, split: Split) -> Leakage:
        grouped = settings.split == "group"
        groups = list(prepared.key) if prepared.key is not None and grouped else None
        return audit(prepared.features, split, groups)

    def model_facts(
        self, settings: SettingsOfTable, prepared: Rows, split: Split, network: nn.Module
    ) -> ModelFacts:
        facts = column_facts(prepared.columns, prepared.features[split.train])
        return ModelFacts({"columns": len(prepared.columns)}, facts, {})

    def rebuild(self, settings: SettingsOfTable, architecture: dict[str, Any]) -> nn.Module:
        return self.build(settings, architecture["columns"])

    @abstractmethod
    def build(self, settings: SettingsOfTable, columns: int) -> nn.Module:
        """Return an untrained network for so many columns."""

    def network(
        self, settings: SettingsOfTable, prepared: Rows, split: Split, seed: int
    ) -> nn.Module:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build(settings, len(prepared.columns))


def _fit_estimator(
    estimator: Any, rows: Rows, split: Split, task: SingleTask
) -> BaselinePredictions:
    """Fit an estimator of scikit-learn to the training rows, and predict the others."""
    train = rows.take(split.train)
    estimator.fit(train.features, train.label)
    return BaselinePredictions(
        task.of_estimator(estimator, rows.features[split.validation]),
        task.of_estimator(estimator, rows.features[split.test]),
    )


def _tables(source: Any, columns: Sequence[str]) -> Iterator[tuple[pd.DataFrame, str]]:
    """Yield a file, or a table in memory, piece by piece, each with the source's name."""
    if isinstance(source, str | Path):
        files = RawFiles(source, Schema())
        named = named_columns(files.variables)
        for block in files.blocks():
            arrays = {name: values.reshape(len(values), -1) for name, values in block.items()}
            table = {name: arrays[v.name][:, index] for name, v, index in named}
            yield pd.DataFrame(table), str(source)
    elif isinstance(source, np.ndarray):
        if source.ndim != 2 or source.shape[1] != len(columns):
            raise DataError(
                f"the rows have shape {source.shape}, and the model reads {len(columns)} columns: "
                f"{', '.join(columns)}"
            )
        yield pd.DataFrame(source, columns=list(columns)), "the array"
    elif isinstance(source, Rows):
        yield pd.DataFrame(source.features, columns=source.columns), "the table"
    else:
        yield pd.DataFrame(source), "the table"


def _features(table: pd.DataFrame, columns: Sequence[str], source: str) -> NDArray[np.float32]:
    """Return a model's columns of a table, shape (rows, columns)."""
    for name in columns:
        if name not in table.columns:
            near = did_you_mean(name, map(str, table.columns))
            raise DataError(f"{source} has no column {name!r}, which the model reads{near}")
    try:
        features = table[list(columns)].to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{source}: a cell of the model's columns is no number: {error}") from None
    return np.ascontiguousarray(features)
