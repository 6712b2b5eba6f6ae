"""A whole domain in a few lines: which of three growers a wine comes from (scikit-learn)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.datasets import load_wine
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from matexapps.data.rows import Rows
from matexapps.experiment.cli.app import run_domain
from matexapps.experiment.splitting import Split, make_split
from matexapps.experiment.tables import TableDomain, TableSettings
from matexapps.experiment.tasks import Classification
from matexapps.train.standardize import Standardize


@dataclass(frozen=True)
class WineSettings(TableSettings):
    """Settings.

    Attributes
    ----------
    width : int
        Units of the hidden layer.
    """

    data: str = "wine of scikit-learn"
    network: str = "mlp"
    seeds: int = 3
    width: int = 16


class Wine(TableDomain[WineSettings]):
    name, title, unit = "wine", "Tell the grower of a wine from its chemistry.", "wines"
    settings = WineSettings

    def prepare(self, settings, ranks):
        table = ranks.on_root(load_wine)
        return Rows.from_arrays(table.data, table.target, columns=table.feature_names)

    def splits(self, settings, prepared, ranks) -> dict[str, Split]:
        shares = settings.validation, settings.test, settings.seed
        return {
            kind: make_split(kind, len(prepared), *shares, prepared.label)
            for kind in ("stratified", "random")
        }

    def task(self, settings, prepared, split):
        return Classification(classes=("barolo", "grignolino", "barbera"))

    def build(self, settings, columns) -> nn.Module:
        hidden = nn.Linear(columns, settings.width), nn.ReLU(), nn.Dropout(0.1)
        return nn.Sequential(Standardize(columns), *hidden, nn.Linear(settings.width, 3))

    def training(self, settings, prepared, network) -> dict[str, Any]:
        return {"epochs": 20, "batch_size": 16}

    def estimators(self, settings) -> dict[str, Any]:
        scaled = make_pipeline(StandardScaler(), LogisticRegression())
        return {"logistic_regression": scaled, "most_frequent": DummyClassifier()}


WINE = Wine()

if __name__ == "__main__":
    run_domain(WINE)
