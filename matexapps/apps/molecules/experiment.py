"""The whole experiment: networks, and simple baselines, on the same molecules of each split."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps import progress
from matexapps.apps.molecules.baselines import FEATURES, fit_baselines
from matexapps.apps.molecules.data.components import featurize_rows, parts_of, side_by_side
from matexapps.apps.molecules.data.components import split as structures_of
from matexapps.apps.molecules.data.load import load_records
from matexapps.apps.molecules.data.molecule_set import MoleculeSet, merge, standardize_records
from matexapps.apps.molecules.data.noise_floor import NoiseFloor, noise_floors
from matexapps.apps.molecules.featurizers import Arrays
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.model import Model, TrainingMolecules, check_folder, load_model
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.pretraining.transfer import begin_with, learned_from
from matexapps.apps.molecules.report.files import write_report
from matexapps.apps.molecules.report.picture import write_picture
from matexapps.apps.molecules.results import Judged, Training
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits.leakage import audit
from matexapps.apps.molecules.splits.learning_curve import smaller_trainings
from matexapps.apps.molecules.splits.split import (
    Split,
    butina,
    column_split,
    group_split,
    in_several_parts,
    random_split,
    scaffold_split,
    time_split,
)
from matexapps.apps.molecules.study import Study
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.apps.molecules.training import (
    EPOCHS,
    molecule_rows,
    training_data,
    training_settings,
)
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.data.rows import Rows
from matexapps.experiment.settings import from_plain
from matexapps.train.callbacks import Checkpointing
from matexapps.train.trainer import Trainer

LONGEST_WAIT_S = 86_400.0
"""How long ranks wait for each other, in seconds: rank 0 alone reads files and makes splits."""


@dataclass(frozen=True)
class Prepared:
    """Molecules with their features, the same on all ranks."""

    molecules: MoleculeSet
    features: Arrays
    noise: list[NoiseFloor | None]


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Train, compare, report, and keep the model. Collective.

    Parameters
    ----------
    settings : dict
        Any of :class:`~matexapps.apps.molecules.settings.ExperimentSettings`.
    comm : Communicator

    Returns
    -------
    dict
        On every rank: :meth:`Study.summary`.
    """
    chosen = from_plain(ExperimentSettings, settings)
    if (out := chosen.out) is not None:
        run_fault_tolerant(comm, lambda _: comm.on_root(lambda: check_folder(out)))
    study, model = run_study(chosen, comm)

    def finish() -> dict[str, Any]:
        summary = study.summary()
        if out is not None:
            model.save(out)
            write_report(out, summary, study.molecules)
            write_picture(out, study)
        return summary

    return run_fault_tolerant(comm, lambda _: comm.on_root(finish))


def run_study(settings: ExperimentSettings, comm: Communicator) -> tuple[Study, Model]:
    """Train from each seed on each split, fit the baselines, and judge the same molecules.

    Collective. The model is that of the first seed on the chosen split.
    """
    began = time.monotonic()
    prepared = run_fault_tolerant(comm, lambda _: prepare(settings, comm))
    seen = run_fault_tolerant(comm, lambda _: learned_from(settings.pretrained, comm))
    kinds = [settings.split]
    if settings.compare_random and settings.split != "random":
        kinds.append("random")
    judged: list[Judged] = []
    kept: Model | None = None
    for kind in kinds:
        split = run_fault_tolerant(comm, partial(make_split, kind, settings, prepared, comm))
        found, model = _train_and_judge(settings, prepared, kind, split, seen, comm)
        kept = kept or model
        judged.append(found)
    curve = [
        _train_and_judge(smaller, prepared, f"{kinds[0]}-{len(part.train)}", part, seen, comm)[0]
        for smaller, part in smaller_trainings(settings, judged[0].split)
    ]
    assert kept is not None
    study = Study(
        settings=settings,
        molecules=prepared.molecules,
        noise=prepared.noise,
        splits=judged,
        curve=curve,
        ranks=comm.world_size,
        seconds=time.monotonic() - began,
    )
    return study, kept


def prepare(settings: ExperimentSettings, comm: Communicator) -> Prepared:
    """Read, standardize, merge and featurize the molecules. Collective."""
    records = comm.on_root(lambda: load_records(settings))
    molecules = merge(records, standardize_records(records, comm))
    architecture = Architecture(network=settings.network, members=settings.members)
    features = featurize_rows(
        molecules.smiles,
        molecules.inchikeys,
        len(molecules.smiles_columns),
        list(dict.fromkeys((*FEATURES, *architecture.features))),
        comm,
        None if settings.cache is None else FeatureCache(settings.cache),
    )
    return Prepared(molecules, features, noise_floors(records, molecules))


def train_one(
    settings: ExperimentSettings,
    prepared: Prepared,
    split: Split,
    kind: str,
    seed: int,
    comm: Communicator,
) -> tuple[Model, Training]:
    """Train one ensemble; the weights of the best epoch stay. Collective."""
    molecules = prepared.molecules
    architecture = Architecture(
        network=settings.network,
        task=task_of(molecules.targets).name,
        members=settings.members,
        targets=len(molecules.targets),
        components=len(molecules.smiles_columns),
    )
    network = MoleculeNetwork(architecture, seed=seed)
    if settings.pretrained is not None:
        begin_with(network, load_model(settings.pretrained).network)
    network.hold(prepared.features, len(molecules))
    data = training_data(molecules, split)
    network.adapt(np.array(data.train.ids), molecules.values)
    chosen = training_settings(network, molecules)
    if settings.batch_size is not None:
        chosen["batch_size"] = settings.batch_size
    folder = None
    if settings.checkpoints is not None:
        folder = Path(settings.checkpoints) / f"{kind}-seed-{seed}"
        chosen["callbacks"] = [*chosen["callbacks"], Checkpointing(folder)]
    trainer = Trainer(network, seed=seed, comm=comm, recovery=settings.recovery, **chosen)
    trainer.fit(data, settings.epochs or EPOCHS, resume=folder)
    model = Model(
        network=network,
        targets=molecules.targets,
        calibration=np.empty(0),
        training=TrainingMolecules(
            smiles=[molecules.smiles[i] for i in data.train.ids],
            fingerprints=side_by_side(prepared.features, "fingerprint")[data.train.ids],
            values=molecules.values[data.train.ids],
        ),
        facts={
            "data": settings.data,
            "smiles_columns": list(molecules.smiles_columns),
            "split": kind,
            "seed": seed,
        },
    )

    def outputs(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        rows: Rows = molecule_rows(molecules, numbers)
        return trainer.predict(rows)

    validation = model.estimates(outputs(split.validation))
    calibration = model.task.calibrate(validation, molecules.values[split.validation])
    test = model.estimates(outputs(split.test))
    training = Training(validation, test, calibration, trainer.history.rows)
    return replace(model, calibration=calibration), training


def _train_and_judge(
    settings: ExperimentSettings,
    prepared: Prepared,
    kind: str,
    split: Split,
    seen: set[str],
    comm: Communicator,
) -> tuple[Judged, Model]:
    """Train from each seed, and judge; the model is that of the first seed. Collective."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    found = []
    for seed in seeds:
        with progress.naming(_in_words(kind, seed)):
            found.append(train_one(settings, prepared, split, kind, seed, comm))
    trainings = [training for _, training in found]
    judge = partial(_judge, kind, settings.seed, prepared, split, trainings, seen, comm)
    return run_fault_tolerant(comm, judge), found[0][0]


def _in_words(kind: str, seed: int) -> str:
    """Return which training it is, as in "scaffold split, 450 molecules, seed 0"."""
    split, _, drawn = kind.partition("-")
    return f"{split} split, {f'{drawn} molecules, ' if drawn else ''}seed {seed}"


def make_split(
    kind: str,
    settings: ExperimentSettings,
    prepared: Prepared,
    comm: Communicator,
    _: RankFailure | None,
) -> Split:
    """Make the split on rank 0, for all ranks. Collective.

    Where a row has several structures, scaffolds and clusters are those of the first.
    """
    molecules, shares = prepared.molecules, (settings.validation, settings.test)
    features = prepared.features

    def make() -> Split:
        if kind == "scaffold":
            first_ones = [structures_of(one)[0] for one in molecules.smiles]
            return scaffold_split(first_ones, *shares, settings.seed)
        if kind == "cluster":
            first, places = np.unique(parts_of(features, len(molecules))[:, 0], return_inverse=True)
            clusters = butina(features["fingerprint"][first])[places]
            return group_split(clusters.tolist(), *shares, settings.seed)
        if kind == "random":
            return random_split(len(molecules), *shares, settings.seed)
        assert molecules.part_keys is not None
        if kind == "time":
            return time_split(molecules.part_keys, *shares)
        return column_split(molecules.part_keys)

    return comm.on_root(make)


def _judge(
    kind: str,
    seed: int,
    prepared: Prepared,
    split: Split,
    trainings: list[Training],
    seen: set[str],
    comm: Communicator,
    _: RankFailure | None,
) -> Judged:
    """Fit the baselines and audit the split. Collective."""
    molecules, features = prepared.molecules, prepared.features
    learned = np.concatenate([split.train, split.validation])
    moved = in_several_parts(molecules.part_keys or ()) if kind == "column" else ()
    return Judged(
        kind=kind,
        split=split,
        trainings=trainings,
        baselines=fit_baselines(
            task_of(molecules.targets),
            features,
            molecules.values,
            split.train,
            split.test,
            seed,
            comm,
        ),
        leakage=audit(
            molecules.inchikeys,
            side_by_side(features, "fingerprint"),
            learned,
            split.test,
            seen,
            moved,
        ),
    )
