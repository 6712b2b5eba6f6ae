"""Targets that are one of two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.results import SplitResult
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

_SCORE_TITLES = ("ROC AUC", "average precision", "Brier score")


class Classification(Task[Probabilities]):
    """Probabilities and sets of classes, scored by ranking and calibration."""

    name = "classification"
    monitor = "log_loss"
    constant = "prevalence"
    score = "roc_auc"
    score_name = "ROC AUC"
    score_is_error = False

    def objective(self, values: Values, mean: Tensor, scale: Tensor) -> tuple[nn.Module, Metric]:
        return ClassLoss(values, mean), LogLoss(values, mean)

    def estimates(self, outputs: NDArray[Any], mean: Values, scale: Values) -> Probabilities:
        return Probabilities.from_outputs(outputs, mean)

    def calibrate(self, estimates: Probabilities, values: Values) -> Values:
        return least_probabilities(estimates, values)

    def regions(self, estimates: Probabilities, calibration: Values) -> NDArray[np.bool_]:
        return prediction_sets(estimates, calibration)

    def forest(self, **settings: Any) -> RandomForestClassifier:
        return RandomForestClassifier(**settings)

    def predict_forest(self, forest: RandomForestClassifier, table: NDArray[Any]) -> Values:
        return np.asarray(forest.predict_proba(table) @ forest.classes_)

    def figures(self, values: Values, result: SplitResult, index: int) -> dict[str, Any]:
        value, trainings = values[:, index], result.trainings
        predicted = np.stack([training.test.mean[:, index] for training in trainings])
        sets = [prediction_sets(item.test, item.calibration) for item in trainings]
        known = np.isfinite(value)
        inside = [item[known, index, value[known].astype(int)].mean() for item in sets]
        by_class = np.mean([set_coverage(item, values)[index] for item in sets], axis=0)
        single = [(item[known, index].sum(1) == 1).mean() for item in sets]
        return {
            "prevalence": float(value[known].mean()),
            **_scores(value, predicted),
            "roc_auc_by_seed": [_plain(score("roc_auc", value, seed).value) for seed in predicted],
            "set_level": LEVEL,
            "set_coverage": float(np.mean(inside)),
            "set_coverage_by_class": list(map(_plain, by_class)),
            "set_single": float(np.mean(single)),
            "baselines": {
                name: _comparison(value, predicted, baseline[:, index])
                for name, baseline in result.baselines.items()
            },
        }

    def rows(self, network: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
        rows = _score_rows(network, figures)
        for name, baseline in figures["baselines"].items():
            gain = _format(baseline["network_gain"], baseline["network_gain_interval"], "+.3f")
            rows += [*_score_rows(name, baseline), ("", "gain in ROC AUC", gain)]
        by_class = " and ".join(
            "-" if share is None else f"{100 * share:.0f}"
            for share in figures["set_coverage_by_class"]
        )
        covered = f"{100 * figures['set_coverage']:.1f} % ({by_class} % of either)"
        return [
            *rows,
            ("", "90 % sets hold", covered),
            ("", "sets of one class", f"{100 * figures['set_single']:.0f} %"),
            ("", "second class", f"{100 * figures['prevalence']:.1f} %"),
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
        self, estimates: Probabilities, regions: NDArray[np.bool_], targets: Sequence[Target]
    ) -> list[list[str]]:
        rows: list[list[str]] = [[] for _ in estimates.mean]
        for index, target in enumerate(targets):
            assert target.classes is not None
            columns = (
                estimates.mean[:, index],
                estimates.disagreement[:, index],
                regions[:, index],
            )
            for row, probability, deviation, inside in zip(rows, *columns, strict=True):
                names = np.array(target.classes)[inside]
                row += [f"{probability:.6g}", f"{deviation:.6g}", " or ".join(names)]
        return rows


def _scores(value: Values, predicted: Values) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in SCORES:
        estimate = score(name, value, predicted)
        figures |= {name: _plain(estimate.value), f"{name}_interval": _interval(estimate)}
    return figures


def _comparison(value: Values, predicted: Values, baseline: Values) -> dict[str, Any]:
    gain = score_gain("roc_auc", value, predicted, baseline)
    return {
        **_scores(value, baseline),
        "network_gain": _plain(gain.value),
        "network_gain_interval": _interval(gain),
    }


def _score_rows(model: str, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = [
        ("", title, _format(figures[name], figures[f"{name}_interval"], ".3f"))
        for name, title in zip(SCORES, _SCORE_TITLES, strict=True)
    ]
    return [(model, *rows[0][1:]), *rows[1:]]


def _format(value: float | None, interval: list[float] | None, form: str) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:{form}} ({interval[0]:{form}} to {interval[1]:{form}})"


def _interval(estimate: Estimate) -> list[float] | None:
    return [estimate.low, estimate.high] if np.isfinite(estimate.value) else None


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
