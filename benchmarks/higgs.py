"""How well networks tell Higgs signal from background, against boosted trees on the same rows.

    MATEXAPPS_DATA=... python benchmarks/higgs.py --json

Networks: means over training seeds; trees, whose seed matters little, are trained once. All with
95 % bootstrap intervals over the test rows.

- Simulated sample: the 5x300 network of Baldi et al. 2014 and the present-day network against
  logistic regression and tuned LightGBM, on one split into training, validation and test rows.
- 7,500 rows of the real UCI file, where MATEXAPPS_DATA names a folder that has them, in 5 folds:
  the present-day network, pre-trained on simulated training rows alone, brought to the file's units
  and fine-tuned on four folds, against LightGBM on the same four folds, and against LightGBM that
  is given the simulated training rows too. Settings of both are chosen on a part of the four folds
  that is held back, and then all four are learned.

"physics inputs" are the inputs that the network computes from the columns, given to LightGBM.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn

from matexapps import DataSet, Trainer
from matexapps.apps.higgs.baselines import (
    gradient_boosting,
    has_lightgbm,
    make_baselines,
    physics_rows,
)
from matexapps.apps.higgs.data import load_higgs
from matexapps.apps.higgs.model import build_network, default_training
from matexapps.apps.higgs.pretraining import LEARNING_RATES, adapt_units, fine_tuning
from matexapps.apps.higgs.settings import NETWORKS
from matexapps.apps.higgs.units import column_units
from matexapps.data.rows import Rows
from matexapps.experiment.statistics import figures_of_merit
from matexapps.experiment.statistics.bootstrap import Estimate

Scores = NDArray[np.float64]

REAL_FILES = ("higgs/uci_higgs_7000.tsv", "higgs/uci_higgs_500.tsv")
FOLDS = 5
SIMULATED_WEIGHT = 0.2
"""Weight of a simulated row beside a real one, where trees are given both."""


def main() -> None:
    """Train everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--data", help="simulated sample; default: the one of the project")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network")
    options = parser.parse_args()
    if not has_lightgbm():
        parser.error("this benchmark needs LightGBM: pip install 'matexapps[lightgbm]'")
    began = time.monotonic()
    simulated = load_higgs(options.data, seed=0).load()
    figures, pretrained = simulated_figures(simulated, options.seeds)
    real = real_rows()
    if real is None:
        print("no real rows: set MATEXAPPS_DATA to a folder with " + " and ".join(REAL_FILES))
    else:
        figures |= real_figures(real, simulated, pretrained)
    figures["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(figures) if options.json else figures)


def simulated_figures(data: DataSet, seeds: int) -> tuple[dict[str, Any], list[nn.Module]]:
    """Compare all models on the simulated sample; also return the present-day networks."""
    scores: dict[str, NDArray[np.float64]] = {}
    trained: list[nn.Module] = []
    for name in NETWORKS:
        trained = []
        for seed in range(seeds):
            settings = default_training(name)
            epochs = settings.pop("epochs")
            network = build_network(name, data.train.features, seed=seed)
            trainer = Trainer(network, seed=seed, device="cpu", **settings)
            trainer.fit(DataSet.from_rows(data.train, no_rows(data.train), data.test), epochs)
            trained.append(trainer.model)
            scores.setdefault(name, np.empty((seeds, len(data.test))))[seed] = trainer.predict(
                data.test
            )
        show("simulated", name, data.test, scores[name])
    baselines = make_baselines(data.train, data.validation, data.test, seed=0)
    for name, baseline in baselines.items():
        predictions = baseline.combined([job() for job in baseline.jobs])
        scores[name] = np.atleast_2d(predictions.test)
        show("simulated", name, data.test, scores[name])
    figures = {f"sim_auc_{name}": mean_auc(data.test, score) for name, score in scores.items()}
    best = scores["present"]
    figures |= gain("sim_auc_gain", data.test, best, scores["lightgbm"])
    figures |= gain(
        "sim_auc_gain_over_physics_inputs", data.test, best, scores["lightgbm_physics_inputs"]
    )
    return figures | {"sim_train_rows": len(data.train), "sim_test_rows": len(data.test)}, trained


def real_figures(real: Rows, simulated: DataSet, pretrained: list[nn.Module]) -> dict[str, Any]:
    """Compare fine-tuned networks and trees on the real rows, each scored out of fold."""
    in_real_units = rescaled(simulated.train, column_units(real.features))
    tables = {"": (real, in_real_units)}
    (real_physics,), (made_physics,) = physics_rows(real), physics_rows(in_real_units)
    tables["_physics_inputs"] = (real_physics, made_physics)
    scores = {name: np.empty((len(pretrained), len(real))) for name in ("pretrained", "fine_tuned")}
    for suffix in tables:
        for name in ("lightgbm", "lightgbm_pooled"):
            scores[name + suffix] = np.empty((1, len(real)))
    networks = [adapt_units(network, real.features) for network in pretrained]
    for learned, fold in folds(real):
        inner = inner_split(real.take(learned))
        rates = {rate: inner_auc(networks[0], rate, *inner) for rate in LEARNING_RATES}
        rate = max(rates, key=rates.__getitem__)
        for seed, network in enumerate(networks):
            scores["pretrained"][seed, fold] = logits(network, real.take(fold))
            tuned = fine_tuned(network, rate, real.take(learned), seed)
            scores["fine_tuned"][seed, fold] = logits(tuned, real.take(fold))
        for suffix, (own, made) in tables.items():
            train, validation = inner_split(own.take(learned))
            for name, rows, judge in (
                ("lightgbm", train, validation),
                ("lightgbm_pooled", pool(train, made), pool(validation)),
            ):
                score_rows = gradient_boosting(rows, judge, seed=0, refit=True)
                scores[name + suffix][0, fold] = score_rows(own.take(fold))
    for name, score in scores.items():
        show("real", name, real, score)
    figures = {f"real_auc_{name}": mean_auc(real, score) for name, score in scores.items()}
    for key, other in (
        ("real_auc_gain", "lightgbm"),
        ("real_auc_gain_over_pooled", "lightgbm_pooled"),
        ("real_auc_gain_over_physics_inputs", "lightgbm_physics_inputs"),
        ("real_auc_gain_over_pooled_physics_inputs", "lightgbm_pooled_physics_inputs"),
    ):
        figures |= gain(key, real, scores["fine_tuned"], scores[other])
    return figures | {"real_rows": len(real)}


def fine_tuned(network: nn.Module, rate: float, train: Rows, seed: int) -> nn.Module:
    """Return a copy of the network, fine-tuned on these rows."""
    settings = fine_tuning(rate)
    epochs = settings.pop("epochs")
    trainer = Trainer(copy.deepcopy(network), seed=seed, device="cpu", **settings)
    trainer.fit(DataSet.from_rows(train, no_rows(train), no_rows(train)), epochs)
    return trainer.model


def logits(network: nn.Module, rows: Rows) -> Scores:
    """Return a network's outputs for the rows."""
    return np.asarray(Trainer(network, device="cpu").predict(rows), dtype=np.float64)


def inner_auc(network: nn.Module, rate: float, train: Rows, validation: Rows) -> float:
    """Return the AUC on validation rows after fine-tuning at this learning rate."""
    tuned = fine_tuned(network, rate, train, seed=0)
    return mean_auc(validation, np.atleast_2d(logits(tuned, validation)))


def real_rows() -> Rows | None:
    """Return the real rows, or None where they are not there."""
    folder = Path(os.environ.get("MATEXAPPS_DATA", ""))
    if not all((folder / name).is_file() for name in REAL_FILES):
        return None
    parts = [load_higgs(folder / name, test=0.0, validation=0.0).load() for name in REAL_FILES]
    return joined(*(part.train for part in parts))


def folds(rows: Rows) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield positions learned from and held out of each fold, the same for every model and seed."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=2014)
    yield from splitter.split(rows.label, rows.label)


def inner_split(rows: Rows) -> tuple[Rows, Rows]:
    """Return rows to train on and rows to choose settings by, both of the other folds."""
    train, validation = train_test_split(
        np.arange(len(rows)), test_size=0.15, random_state=0, stratify=rows.label
    )
    return rows.take(train), rows.take(validation)


def pool(real: Rows, *simulated: Rows) -> Rows:
    """Return real rows, and down-weighted simulated ones, together."""
    weights = [np.ones(len(real))]
    weights += [np.full(len(rows), SIMULATED_WEIGHT) for rows in simulated]
    return replace(joined(real, *simulated), weight=np.concatenate(weights))


def joined(*parts: Rows) -> Rows:
    """Return the rows of all parts, one after the other, without weights."""
    return Rows.from_arrays(
        np.concatenate([rows.features for rows in parts]),
        np.concatenate([rows.label for rows in parts]),
        columns=parts[0].columns,
    )


def rescaled(rows: Rows, units: NDArray[np.float32]) -> Rows:
    """Return the rows, in physical units, in other units."""
    return replace(rows, features=np.ascontiguousarray(rows.features / units))


def no_rows(like: Rows) -> Rows:
    """Return no rows with these columns."""
    return like.take(slice(0, 0))


def mean_auc(rows: Rows, scores: NDArray[np.float64]) -> float:
    """Return the mean over trainings of the area under the ROC curve."""
    return round(figures_of_merit.figure_value("roc_auc", rows.label, scores), 5)


def gain(
    key: str, rows: Rows, scores: NDArray[np.float64], other: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the difference of two models' AUC under ``key``, and its interval."""
    difference = figures_of_merit.gain("roc_auc", rows.label, scores, other)
    print(f"{key:42s} {with_interval(difference)}", flush=True)
    return {
        key: round(difference.value, 5),
        f"{key}_95": [round(x, 5) for x in difference.interval],
    }


def show(sample: str, name: str, rows: Rows, scores: NDArray[np.float64]) -> None:
    """Print a model's AUC."""
    area = figures_of_merit.figure("roc_auc", rows.label, scores)
    print(f"{sample:10s} {name:32s} AUC {with_interval(area)}", flush=True)


def with_interval(estimate: Estimate) -> str:
    """Return a figure and its interval with the four digits in which models differ."""
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


if __name__ == "__main__":
    main()
