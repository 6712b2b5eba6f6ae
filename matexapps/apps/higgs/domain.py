"""Higgs as a domain of experiments: which events, networks, baselines and figures."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from matexapps.apps.higgs.baselines import make_baselines
from matexapps.apps.higgs.data import canonical_name
from matexapps.apps.higgs.model import build_network, default_training, empty_network
from matexapps.apps.higgs.prepared import HiggsRows, prepare_rows
from matexapps.apps.higgs.report.curves import background_rejection
from matexapps.apps.higgs.report.significance import (
    Yields,
    best_threshold,
    scan_thresholds,
    significance_at,
)
from matexapps.apps.higgs.schema import COLUMNS, FEATURES
from matexapps.apps.higgs.settings import TITLE, HiggsSettings
from matexapps.apps.higgs.units import check_units, typical_momentum
from matexapps.data.dataset import DataSet
from matexapps.data.schema.schema import default_names
from matexapps.experiment.domain import Baseline, ModelFacts, TrainedModel, Values
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.results import SplitResult
from matexapps.experiment.splitting import Leakage, Split, audit
from matexapps.experiment.tables import ColumnDomain, column_facts
from matexapps.experiment.tasks import BinaryClassification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HALF = 0.5
"""Signal efficiency at which the background rejection is reported."""


class Higgs(ColumnDomain[HiggsSettings, HiggsRows]):
    """Signal or background, from the quantities that a detector measures of a collision."""

    name = "higgs"
    title = TITLE
    settings = HiggsSettings
    unit = "events"

    def prepare(self, settings: HiggsSettings, ranks: Ranks) -> HiggsRows:
        return prepare_rows(settings, ranks)

    def splits(
        self, settings: HiggsSettings, prepared: HiggsRows, ranks: Ranks
    ) -> dict[str, Split]:
        return {prepared.split: prepared.numbers}

    def data(self, settings: HiggsSettings, prepared: HiggsRows, split: Split) -> DataSet:
        return DataSet.from_rows(prepared.balanced, prepared.validation, prepared.test)

    def values(self, prepared: HiggsRows, rows: NDArray[np.int64]) -> Values:
        return prepared.label[rows]

    def weights(self, prepared: HiggsRows, rows: NDArray[np.int64]) -> Values | None:
        return None if prepared.weight is None else prepared.weight[rows]

    def task(
        self, settings: HiggsSettings, prepared: HiggsRows, split: Split
    ) -> BinaryClassification:
        return BinaryClassification(classes=("background", "signal"))

    def network(
        self, settings: HiggsSettings, prepared: HiggsRows, split: Split, seed: int
    ) -> nn.Module:
        return build_network(settings.network, prepared.train.features, seed=seed)

    def training(
        self, settings: HiggsSettings, prepared: HiggsRows, network: nn.Module
    ) -> dict[str, Any]:
        return default_training(settings.network)

    def baselines(
        self, settings: HiggsSettings, prepared: HiggsRows, split: Split
    ) -> dict[str, Baseline]:
        return make_baselines(prepared.balanced, prepared.validation, prepared.test, settings.seed)

    def audit(self, settings: HiggsSettings, prepared: HiggsRows, split: Split) -> Leakage:
        leakage = audit([part.features for part in prepared.parts], split)
        ids = prepared.ids
        pairs = [(int(ids[row]), int(ids[other])) for row, other in leakage.examples]
        return replace(leakage, examples=pairs)

    def model_facts(
        self, settings: HiggsSettings, prepared: HiggsRows, split: Split, network: nn.Module
    ) -> ModelFacts:
        rows = prepared.train
        columns = self.column_names(rows.columns)
        facts = column_facts(columns, rows.features, prepared.missing)
        if columns == list(FEATURES):
            facts["typical_momentum"] = typical_momentum(rows.features)
        return ModelFacts({"columns": len(columns)}, facts, {})

    def rebuild(self, settings: HiggsSettings, architecture: dict[str, Any]) -> nn.Module:
        return empty_network(settings.network, architecture["columns"])

    def column_names(self, names: list[str]) -> list[str]:
        """Return the names of the HIGGS schema, for columns of other spellings or without names."""
        if names == default_names(len(names)):
            known = {len(columns): list(columns) for columns in (FEATURES, COLUMNS)}
            return known.get(len(names), names)
        canonical = {name: canonical_name(name) for name in names}
        return [canonical[name] if canonical[name] in FEATURES else name for name in names]

    def check_features(self, features: NDArray[np.float32], model: TrainedModel, name: str) -> None:
        if (trained := model.facts.get("typical_momentum")) is not None:
            check_units(features, trained, name)

    def for_report(self, prepared: HiggsRows) -> HiggsRows:
        """Return the test rows alone, for a look at what the network makes of their columns."""
        none = slice(0)
        return replace(
            prepared, train=prepared.train.take(none), validation=prepared.validation.take(none)
        )

    def figures(self, prepared: HiggsRows, result: SplitResult) -> dict[str, Any]:
        """Return background rejection, and the significance of a cut that validation rows choose.

        ``ams`` is the approximate median significance on the test rows, in standard deviations.
        """
        test, yields = result.test, prepared.yields
        thresholds = [_threshold(result, seed, yields) for seed in range(len(result.trainings))]
        significance = [
            significance_at(threshold, test.values, scores, test.weight, yields=yields)
            for threshold, scores in zip(thresholds, test.network, strict=True)
        ]
        rejection = [
            background_rejection(test.values, scores, test.weight, signal_efficiency=_HALF)
            for scores in test.network
        ]
        return {
            "background_rejection_at_half_signal": float(np.mean(rejection)),
            "ams": float(np.mean(significance)),
            "ams_by_seed": significance,
            "ams_thresholds": thresholds,
            "expected_events": asdict(yields),
        }

    def draw(self, study: Any) -> Figure:
        from matexapps.apps.higgs.report.figures import draw_study

        (result,) = study.results
        yields = study.prepared.yields
        return draw_study(study.settings.data, yields, result, _threshold(result, 0, yields))


def _threshold(result: SplitResult, training: int, yields: Yields) -> float:
    """Return the cut with the largest significance on the validation rows."""
    rows = result.validation
    scan = scan_thresholds(rows.values, rows.network[training], rows.weight, yields=yields)
    return best_threshold(scan)


HIGGS = Higgs()
