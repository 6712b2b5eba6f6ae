"""The experiment: networks and simple baselines on the same molecules of each split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps import progress
from matexapps.apps.molecules.baselines import fit_baselines
from matexapps.apps.molecules.featurizers.rows import row_features
from matexapps.apps.molecules.model import Model, TrainingMolecules, check_folder, load_model
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.prepare import Prepared, prepare
from matexapps.apps.molecules.pretraining.transfer import initialize_from, pretraining_inchikeys
from matexapps.apps.molecules.report.files import write_report
from matexapps.apps.molecules.report.picture import write_picture
from matexapps.apps.molecules.results import SplitResult, TrainingResult
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.splits.leakage import audit
from matexapps.apps.molecules.splits.make import learning_curve_splits, make_split
from matexapps.apps.molecules.splits.split import Split, in_multiple_parts
from matexapps.apps.molecules.study import Study
from matexapps.apps.molecules.tasks.registry import task_of
from matexapps.apps.molecules.training import (
    EPOCHS,
    molecule_rows,
    training_data,
    training_settings,
)
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import run_fault_tolerant
from matexapps.experiment.settings import from_plain
from matexapps.train.callbacks import Checkpointing
from matexapps.train.trainer import Trainer

LONGEST_WAIT_S = 86_400.0
"""How long ranks wait for each other, in seconds: only rank 0 reads files and makes splits."""


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Train, compare, report, and save the model. Collective.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.settings.ExperimentSettings`.
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
    """Train with each seed on each split, fit the baselines, and test all of them. Collective.

    The model is that of the first seed on the chosen split.
    """
    began = time.monotonic()
    prepared = run_fault_tolerant(comm, lambda _: prepare(settings, comm))
    seen = run_fault_tolerant(comm, lambda _: pretraining_inchikeys(settings.pretrained, comm))
    evaluate = partial(_evaluate_split, prepared=prepared, seen=seen, comm=comm)
    splits = list(_splits(settings, prepared, comm))
    results = [evaluate(settings, kind, split) for kind, split in splits]
    (kind, split), (_, model) = splits[0], results[0]
    curve = [
        evaluate(smaller, f"{kind}-{len(part.train)}", part)[0]
        for smaller, part in learning_curve_splits(settings, split)
    ]
    study = Study(
        settings=settings,
        molecules=prepared.molecules,
        noise=prepared.noise,
        splits=[result for result, _ in results],
        curve=curve,
        ranks=comm.world_size,
        seconds=time.monotonic() - began,
    )
    return study, model


def _splits(
    settings: ExperimentSettings, prepared: Prepared, comm: Communicator
) -> Iterator[tuple[str, Split]]:
    """Yield kind and split: the chosen one, and the random one if it is compared. Collective."""
    yield settings.split, _make_split(settings.split, settings, prepared, comm)
    if settings.compare_random and settings.split != "random":
        yield "random", _make_split("random", settings, prepared, comm)


def _make_split(
    kind: str, settings: ExperimentSettings, prepared: Prepared, comm: Communicator
) -> Split:
    return run_fault_tolerant(comm, lambda _: make_split(kind, settings, prepared, comm))


def train_ensemble(
    settings: ExperimentSettings,
    prepared: Prepared,
    split: Split,
    kind: str,
    seed: int,
    comm: Communicator,
) -> tuple[Model, TrainingResult]:
    """Train one ensemble and keep the weights of its best epoch. Collective."""
    molecules = prepared.molecules
    network = _network(settings, prepared, seed)
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
            fingerprints=row_features(prepared.features, "fingerprint")[data.train.ids],
            values=molecules.values[data.train.ids],
        ),
        facts={
            "data": settings.data,
            "smiles_columns": list(molecules.smiles_columns),
            "split": kind,
            "seed": seed,
        },
    )

    def outputs(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return trainer.predict(molecule_rows(molecules, indices))

    validation = model.estimates(outputs(split.validation))
    calibration = model.task.calibrate(validation, molecules.values[split.validation])
    test = model.estimates(outputs(split.test))
    result = TrainingResult(validation, test, calibration, trainer.history.rows)
    return replace(model, calibration=calibration), result


def _network(settings: ExperimentSettings, prepared: Prepared, seed: int) -> MoleculeNetwork:
    """Return a network with its initial weights and the features of the molecules."""
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
        initialize_from(network, load_model(settings.pretrained).network)
    network.set_features(prepared.features, len(molecules))
    return network


def _evaluate_split(
    settings: ExperimentSettings,
    kind: str,
    split: Split,
    *,
    prepared: Prepared,
    seen: set[str],
    comm: Communicator,
) -> tuple[SplitResult, Model]:
    """Train with each seed, and test; the model is that of the first seed. Collective."""
    trained = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        with progress.naming(_description(kind, seed)):
            trained.append(train_ensemble(settings, prepared, split, kind, seed, comm))
    trainings = [training for _, training in trained]
    result = run_fault_tolerant(
        comm,
        lambda _: _split_result(kind, settings.seed, prepared, split, trainings, seen, comm),
    )
    return result, trained[0][0]


def _description(kind: str, seed: int) -> str:
    """Return the name of a training, as in "scaffold split, 450 molecules, seed 0"."""
    split, _, molecules = kind.partition("-")
    return f"{split} split, {f'{molecules} molecules, ' if molecules else ''}seed {seed}"


def _split_result(
    kind: str,
    seed: int,
    prepared: Prepared,
    split: Split,
    trainings: list[TrainingResult],
    seen: set[str],
    comm: Communicator,
) -> SplitResult:
    """Fit the baselines and audit the split. Collective."""
    molecules, features = prepared.molecules, prepared.features
    baselines = fit_baselines(
        task_of(molecules.targets),
        features,
        molecules.values,
        split.train,
        split.test,
        seed,
        comm,
    )
    leakage = audit(
        molecules.inchikeys,
        row_features(features, "fingerprint"),
        np.concatenate([split.train, split.validation]),
        split.test,
        seen,
        in_multiple_parts(molecules.part_keys or ()) if kind == "column" else (),
    )
    return SplitResult(kind, split, trainings, baselines, leakage)
