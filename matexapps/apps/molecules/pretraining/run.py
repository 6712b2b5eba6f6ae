"""Pre-training on all ranks, from a file of molecules to a model's folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import split_structures
from matexapps.apps.molecules.data.molecule_set import merge, standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.featurizers.rows import featurize_rows
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.prepared import Prepared, load_records
from matexapps.apps.molecules.pretraining.settings import NO_TASK, PretrainingSettings
from matexapps.apps.molecules.pretraining.targets import descriptor_targets
from matexapps.apps.molecules.report.files import write_lists
from matexapps.apps.molecules.splits.make import split_by
from matexapps.errors import DataError
from matexapps.experiment.model.folder import REPORT, check_folder, write_json
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.results import Training
from matexapps.experiment.runner import train_model
from matexapps.experiment.settings import from_plain
from matexapps.experiment.splitting import Split, make_split

_HELD_OUT = 0.05


@dataclass(frozen=True)
class _Molecules:
    """The molecules, and the number of rows left out for the later task."""

    prepared: Prepared
    split: Split
    left_out: int


def run(settings: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """Pre-train a network and save it. Collective.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.pretraining.settings.PretrainingSettings`.
    ranks : Ranks

    Returns
    -------
    dict
        On every rank: a summary of data and results. ``r2`` is the share of a target's variance
        that is explained among molecules that were not trained on; None where it does not vary
        among them.
    """
    began = time.monotonic()
    chosen = from_plain(PretrainingSettings, settings)
    ranks.run("before the start", lambda: ranks.on_root(lambda: check_folder(chosen.out)))
    model, training, molecules = pretrain(chosen, ranks)
    prepared = molecules.prepared
    explained = _explained(prepared, molecules.split, training)
    result = {
        "out": chosen.out,
        "data": chosen.data,
        "network": chosen.network,
        "molecules": len(prepared.molecules),
        "rejected": len(prepared.molecules.rejected),
        "left_out_rows": molecules.left_out,
        "targets": len(prepared.molecules.targets),
        "r2_median": _rounded(explained),
        "r2_of_labels": {
            str(target): _rounded(value)
            for target, value in zip(prepared.molecules.targets, explained, strict=True)
            if target.name in {label.split(" (")[0] for label in chosen.labels or ()}
        },
        "epochs": len(training.history),
        "rows_per_s": round(float(np.mean([row["rows_per_s"] for row in training.history])), 1),
        "ranks": ranks.world_size,
        "seconds": round(time.monotonic() - began, 2),
    }

    def add(folder: Path) -> None:
        write_json(folder / REPORT, result)
        write_lists(folder, prepared.molecules)

    ranks.run("at the end", lambda: ranks.on_root(lambda: model.save(chosen.out, add)))
    return result


def pretrain(settings: PretrainingSettings, ranks: Ranks) -> tuple[Model, Training, _Molecules]:
    """Pre-train a network. Collective."""
    molecules = ranks.run("while the rows were prepared", lambda: _prepare(settings, ranks))
    training, model = train_model(
        MOLECULES,
        settings.of_training(),
        molecules.prepared,
        "pretraining",
        molecules.split,
        settings.seed,
        ranks,
    )
    task = settings.of_task().data
    facts = {**model.facts, "task": task, "left_out_rows": molecules.left_out}
    return replace(model, facts=facts), training, molecules


def _prepare(settings: PretrainingSettings, ranks: Ranks) -> _Molecules:
    """Read the molecules, leave out those of the later task, and compute the targets."""
    records = ranks.on_root(
        lambda: read_records(
            settings.data,
            smiles_columns=settings.smiles_columns,
            target_columns=settings.labels or [],
        )
    )
    standards = standardize_records(records, ranks)
    held_out = _held_out(settings, ranks)
    used = np.array(
        [
            i
            for i, standard in enumerate(standards)
            if isinstance(standard, str) or standard.inchikey not in held_out
        ],
        int,
    )
    molecules = merge(records.take(used), [standards[i] for i in used])
    features = featurize(
        molecules.smiles,
        molecules.inchikeys,
        ("fingerprint", "descriptors", *Architecture(network=settings.network).features),
        ranks,
        None if settings.cache is None else FeatureCache(settings.cache),
    )
    split = make_split("random", len(molecules), _HELD_OUT, _HELD_OUT, settings.seed)
    targets, values = descriptor_targets(features.pop("descriptors"), split.train)
    molecules = replace(
        molecules,
        targets=[*molecules.targets, *targets],
        values=np.concatenate([molecules.values, values], 1),
    )
    prepared = Prepared(molecules, features, [None for _ in molecules.targets])
    return _Molecules(prepared, split, len(records) - len(used))


def _held_out(settings: PretrainingSettings, ranks: Ranks) -> set[str]:
    """Return the InChIKeys of the later task's validation and test molecules. Collective."""
    if settings.task == NO_TASK:
        return set()
    task = settings.of_task()
    records = ranks.on_root(lambda: _records_of(settings))
    molecules = merge(records, standardize_records(records, ranks))
    features = featurize_rows(
        molecules.smiles,
        molecules.inchikeys,
        len(molecules.smiles_columns),
        ("fingerprint",),
        ranks,
    )
    prepared = Prepared(molecules, features, [])
    split = ranks.on_root(lambda: split_by(task.split, task, prepared))
    held_out = np.concatenate([split.validation, split.test])
    return {key for i in held_out for key in split_structures(molecules.inchikeys[i])}


def _records_of(settings: PretrainingSettings) -> Records:
    """Read the rows of the later task."""
    try:
        return load_records(settings.of_task())
    except DataError as error:
        if settings.task is not None:
            raise
        raise DataError(
            f"{error}; if {settings.data} is not what will be learned afterwards, name that file "
            f"with task, or give task={NO_TASK!r}"
        ) from None


def _explained(prepared: Prepared, split: Split, training: Training) -> NDArray[np.float64]:
    """Return R squared of each target among the test molecules, NaN where they do not vary."""
    values = prepared.molecules.values[split.test]
    error = training.test.mean - values
    variance = np.nanvar(values, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1 - np.nanmean(error**2, 0) / variance
    return np.where(variance > 0, explained, np.nan)


def _rounded(explained: NDArray[np.float64]) -> float | None:
    """Return the median of the finite values, None where there are none."""
    known = explained[np.isfinite(explained)]
    return round(float(np.median(known)), 4) if known.size else None
