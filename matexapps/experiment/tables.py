"""Domains whose rows are tables: numbers in columns, and a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from matexapps.data.dataset import DataSet
from matexapps.data.rows import Rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.raw_files import RawFiles
from matexapps.data.sources.table import named_columns
from matexapps.errors import DataError, did_you_mean
from matexapps.experiment.domain import Baseline, Domain, ModelFacts, TrainedModel, Values
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.settings import ExperimentSettings
from matexapps.experiment.splitting import Leakage, Split, audit, make_split
from matexapps.experiment.tasks import Classification, Regression, Task

Settings = TypeVar("Settings", bound="TableSettings")


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


class TableDomain(Domain[Settings, Rows]):
    """A domain whose prepared rows are :class:`~matexapps.data.rows.Rows`, labels included.

    What is left to say: ``prepare``, ``task``, ``network`` and ``estimators``, the simple methods
    as scikit-learn has them. Predictions are made of any table that has the same columns.

    Attributes
    ----------
    reads_missing : bool
        Whether networks take NaN for a missing value; otherwise such rows are not predicted.
    """

    reads_missing: ClassVar[bool] = False

    def splits(self, settings: Settings, prepared: Rows, ranks: Ranks) -> dict[str, Split]:
        key = prepared.label if settings.split == "stratified" else prepared.key
        shares = settings.validation, settings.test
        return {
            settings.split: make_split(settings.split, len(prepared), *shares, settings.seed, key)
        }

    def data(self, settings: Settings, prepared: Rows, split: Split) -> DataSet:
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

    def estimators(self, settings: Settings) -> dict[str, Any]:
        """Return simple methods by name, as scikit-learn has them, not yet fitted."""
        return {}

    def baselines(self, settings: Settings, prepared: Rows, split: Split) -> dict[str, Baseline]:
        task = self.task(settings, prepared, split)
        return {
            name: Baseline([partial(_fit_estimator, estimator, prepared, split, task)])
            for name, estimator in self.estimators(settings).items()
        }

    def audit(self, settings: Settings, prepared: Rows, split: Split) -> Leakage:
        grouped = settings.split == "group"
        groups = list(prepared.key) if prepared.key is not None and grouped else None
        return audit(prepared.features, split, groups)

    def model_facts(
        self, settings: Settings, prepared: Rows, split: Split, network: nn.Module
    ) -> ModelFacts:
        columns = list(prepared.columns)
        return ModelFacts({"columns": len(columns)}, {"columns": columns}, {})

    def rebuild(self, settings: Settings, architecture: dict[str, Any]) -> nn.Module:
        return self.build(settings, architecture["columns"])

    def build(self, settings: Settings, columns: int) -> nn.Module:
        """Return an untrained network for so many columns."""
        raise NotImplementedError(f"{type(self).__name__} must define build or rebuild")

    def network(self, settings: Settings, prepared: Rows, split: Split, seed: int) -> nn.Module:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build(settings, len(prepared.columns))

    def pieces(self, source: Any, model: TrainedModel, size: int) -> Iterator[NDArray[np.float32]]:
        columns = model.facts["columns"]
        if isinstance(source, str | Path):
            yield from _pieces_of_file(source, columns, size)
            return
        features = _features(source, columns)
        for start in range(0, len(features), size):
            yield features[start : start + size]

    def predict(self, piece: Any, model: TrainedModel) -> list[list[Any]]:
        features = np.asarray(piece)
        known = np.isfinite(features).all(1) | self.reads_missing
        predictions = model.task.predictions(model.outputs(features[known]))
        cells = iter(model.task.cells(predictions, model.calibration))
        blank = [""] * len(model.task.columns)
        return [
            [*next(cells), ""] if complete else [*blank, _why(row, model.facts["columns"])]
            for row, complete in zip(features, known, strict=True)
        ]

    def prediction_columns(self, model: TrainedModel) -> list[str]:
        return [*model.task.columns, "error"]


def _fit_estimator(estimator: Any, rows: Rows, split: Split, task: Task) -> Values:
    """Fit an estimator of scikit-learn; return its predictions of the test rows."""
    train, test = rows.take(split.train), rows.take(split.test)
    estimator.fit(train.features, train.label)
    if isinstance(task, Regression):
        return np.asarray(estimator.predict(test.features), float)
    probability = np.asarray(estimator.predict_proba(test.features), float)
    return probability if isinstance(task, Classification) else probability[:, 1]


def _pieces_of_file(
    source: str | Path, columns: Sequence[str], size: int
) -> Iterator[NDArray[np.float32]]:
    files = RawFiles(source, Schema())
    named = named_columns(files.variables)
    for block in files.blocks():
        arrays = {name: values.reshape(len(values), -1) for name, values in block.items()}
        table = pd.DataFrame({name: arrays[v.name][:, index] for name, v, index in named})
        features = _features(table, columns, str(source))
        for start in range(0, len(features), size):
            yield features[start : start + size]


def _features(table: Any, columns: Sequence[str], source: str = "the table") -> NDArray[np.float32]:
    """Return a model's columns of a table, shape (rows, columns)."""
    if isinstance(table, Rows):
        table = pd.DataFrame(table.features, columns=table.columns)
    if isinstance(table, np.ndarray):
        if table.ndim != 2 or table.shape[1] != len(columns):
            raise DataError(
                f"the rows have shape {table.shape}, and the model reads {len(columns)} columns: "
                f"{', '.join(columns)}"
            )
        table = pd.DataFrame(table, columns=list(columns))
    for name in columns:
        if name not in table.columns:
            near = did_you_mean(name, map(str, table.columns))
            raise DataError(f"{source} has no column {name!r}, which the model reads{near}")
    try:
        features = table[list(columns)].to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{source}: a cell of the model's columns is no number: {error}") from None
    return np.ascontiguousarray(features)


def _why(row: NDArray[np.float32], columns: Sequence[str]) -> str:
    """Return why a row is not predicted."""
    return f"{columns[int(np.argmin(np.isfinite(row)))]} is not a finite number"
