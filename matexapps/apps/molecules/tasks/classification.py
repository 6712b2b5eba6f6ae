"""Targets that are one of two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.results import Judged
from matexapps.apps.molecules.tasks.classification_loss import ClassLoss, LogLoss
from matexapps.apps.molecules.tasks.estimates import LEVEL, Values
from matexapps.apps.molecules.tasks.probabilities import (
    Probabilities,
    least_probabilities,
    prediction_sets,
    set_coverage,
)
from matexapps.apps.molecules.tasks.resampling import Estimate
from matexapps.apps.molecules.tasks.scores import SCORES, score, score_gain
from matexapps.apps.molecules.tasks.task import Task
from matexapps.train.metrics import Metric

_SCORES_SHOWN = ("ROC AUC", "average precision", "Brier score")


class Classification(Task[Probabilities]):
    """Probabilities and sets of classes, judged by ranking and calibration."""

    name = "classification"
    monitor = "log_loss"
    constant = "prevalence"
    score = "roc_auc"
    score_name = "ROC AUC"
    score_is_error = False

    def objective(self, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return ClassLoss(values, mean), LogLoss(values, mean)

    def said(self, outputs: NDArray[Any], mean: Values, scale: Values) -> Probabilities:
        return Probabilities.from_outputs(outputs, mean)

    def calibrate(self, said: Probabilities, values: Values) -> Values:
        return least_probabilities(said, values)

    def regions(self, said: Probabilities, calibration: Values) -> NDArray[np.bool_]:
        return prediction_sets(said, calibration)

    def forest(self, **settings: Any) -> RandomForestClassifier:
        return RandomForestClassifier(**settings)

    def predict_forest(self, forest: RandomForestClassifier, table: NDArray[Any]) -> Values:
        return np.asarray(forest.predict_proba(table) @ forest.classes_)

    def figures(self, values: Values, judged: Judged, place: int) -> dict[str, Any]:
        value = values[:, place]
        predicted = np.stack([one.test.mean[:, place] for one in judged.trainings])
        sets = [prediction_sets(one.test, one.calibration) for one in judged.trainings]
        known = np.isfinite(value)
        inside = [one[known, place, value[known].astype(int)].mean() for one in sets]
        by_class = np.mean([set_coverage(one, values)[place] for one in sets], axis=0)
        single = [(one[known, place].sum(1) == 1).mean() for one in sets]
        return {
            "prevalence": float(value[known].mean()),
            **_scores(value, predicted),
            "roc_auc_by_seed": [_plain(score("roc_auc", value, one).value) for one in predicted],
            "set_level": LEVEL,
            "set_coverage": float(np.mean(inside)),
            "set_coverage_by_class": [_plain(one) for one in by_class],
            "set_single": float(np.mean(single)),
            "baselines": {
                name: _beside(value, predicted, found[:, place])
                for name, found in judged.baselines.items()
            },
        }

    def rows(self, network: str, found: dict[str, Any]) -> list[tuple[str, str, str]]:
        rows = _score_rows(network, found)
        for baseline, other in found["baselines"].items():
            gain = _shown(other["network_gain"], other["network_gain_interval"], "+.3f")
            rows += [*_score_rows(baseline, other), ("", "gain in ROC AUC", gain)]
        by_class = " and ".join(
            "-" if one is None else f"{100 * one:.0f}" for one in found["set_coverage_by_class"]
        )
        held = f"{100 * found['set_coverage']:.1f} % ({by_class} % of either)"
        return [
            *rows,
            ("", "90 % sets hold", held),
            ("", "sets of one class", f"{100 * found['set_single']:.0f} %"),
            ("", "second class", f"{100 * found['prevalence']:.1f} %"),
        ]

    def noise_line(self, name: str, floor: dict[str, Any]) -> str:
        return (
            f"noise floor of {name}: Brier score {floor['deviation'] ** 2:.3g}, from "
            f"{floor['molecules']:,} molecules with more than one label"
        )

    def columns(self, target: Target) -> list[str]:
        assert target.classes is not None
        name = target.name
        return [f"{name} probability of {target.classes[1]}", f"{name} deviation", f"{name} set"]

    def cells(
        self, said: Probabilities, regions: NDArray[np.bool_], targets: Sequence[Target]
    ) -> list[list[str]]:
        rows: list[list[str]] = [[] for _ in said.mean]
        for place, target in enumerate(targets):
            assert target.classes is not None
            first, second = target.classes
            for row, p, deviation, held in zip(
                rows,
                said.mean[:, place],
                said.disagreement[:, place],
                regions[:, place],
                strict=True,
            ):
                inside = [name for name, one in zip((first, second), held, strict=True) if one]
                row += [f"{p:.6g}", f"{deviation:.6g}", " or ".join(inside)]
        return rows


def _scores(value: Values, predicted: Values) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in SCORES:
        found = score(name, value, predicted)
        figures |= {name: _plain(found.value), f"{name}_interval": _interval(found)}
    return figures


def _beside(value: Values, predicted: Values, other: Values) -> dict[str, Any]:
    gain = score_gain("roc_auc", value, predicted, other)
    return {
        **_scores(value, other),
        "network_gain": _plain(gain.value),
        "network_gain_interval": _interval(gain),
    }


def _score_rows(model: str, found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("" if place else model, shown, _shown(found[name], found[f"{name}_interval"], ".3f"))
        for place, (name, shown) in enumerate(zip(SCORES, _SCORES_SHOWN, strict=True))
    ]


def _shown(value: float | None, interval: list[float] | None, form: str) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"


def _interval(found: Estimate) -> list[float] | None:
    return [found.low, found.high] if np.isfinite(found.value) else None


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
