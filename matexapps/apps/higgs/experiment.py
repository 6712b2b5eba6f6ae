"""The whole experiment: networks from several seeds, and simple baselines on the same rows."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps import progress
from matexapps.apps.higgs.baselines import fit_baselines
from matexapps.apps.higgs.data import KAGGLE_SET, balance_classes, load_higgs
from matexapps.apps.higgs.model import build_network, default_training
from matexapps.apps.higgs.report.significance import Yields
from matexapps.apps.higgs.settings import ExperimentSettings
from matexapps.apps.higgs.study import Scores, Study, Training
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure, run_fault_tolerant
from matexapps.data.dataset import DataSet
from matexapps.data.loading.streamed import in_memory
from matexapps.data.rows import Rows
from matexapps.experiment.settings import from_plain
from matexapps.train.callbacks import Callback, Checkpointing, EarlyStopping
from matexapps.train.trainer import Trainer

LONGEST_WAIT_S = 86_400.0
"""How long ranks wait for rank 0, which alone fits the baselines, in seconds."""


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Train, compare and report. Collective.

    Parameters
    ----------
    settings : dict
        Any of :class:`~matexapps.apps.higgs.settings.ExperimentSettings`.
    comm : Communicator

    Returns
    -------
    dict
        On every rank: :meth:`Study.summary`.
    """
    study = run_study(from_plain(ExperimentSettings, settings), comm)
    return run_fault_tolerant(comm, lambda _: comm.on_root(study.summary))


def run_study(settings: ExperimentSettings, comm: Communicator) -> Study:
    """Train a network from each seed, fit the baselines, and score the same rows. Collective."""
    began = time.monotonic()
    test: str | float = 0.2 if settings.test is None else settings.test

    def load(_: RankFailure | None) -> DataSet:
        return comm.on_root(lambda: load_higgs(settings.data, test, seed=settings.seed)).load(comm)

    data = run_fault_tolerant(comm, load)
    yields = _yields(settings, data)
    train, validation, test_rows = map(in_memory, (data.train, data.validation, data.test))
    balanced = DataSet.from_rows(balance_classes(train), validation, test_rows)

    trainings: list[Training] = []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        several = settings.seeds > 1
        with progress.naming(f"seed {seed}") if several else nullcontext():
            trainer = _train(settings, balanced, seed, comm)
        trainings.append(
            Training(
                validation=_probability(trainer, validation),
                test=_probability(trainer, test_rows),
                history=trainer.history.rows,
            )
        )

    def fit_on_root(_: RankFailure | None) -> dict[str, Scores]:
        rows = in_memory(balanced.train)
        return comm.on_root(lambda: fit_baselines(rows, validation, test_rows, settings.seed))

    baselines = run_fault_tolerant(comm, fit_on_root)
    return Study(
        settings=settings,
        validation=validation,
        test=test_rows,
        trainings=trainings,
        baselines=baselines,
        yields=yields,
        train_rows=len(train),
        ranks=comm.world_size,
        seconds=time.monotonic() - began,
    )


def _train(settings: ExperimentSettings, data: DataSet, seed: int, comm: Communicator) -> Trainer:
    """Train one network; the weights of the epoch with the best validation AUC stay."""
    chosen = default_training(settings.network)
    epochs = settings.epochs or chosen.pop("epochs")
    chosen.pop("epochs", None)
    if settings.batch_size is not None:
        chosen["batch_size"] = settings.batch_size
    callbacks: list[Callback] = [EarlyStopping("roc_auc", patience=epochs, mode="max")]
    folder = None
    if settings.checkpoints is not None:
        folder = Path(settings.checkpoints) / f"seed-{seed}"
        callbacks.append(Checkpointing(folder))
    trainer = Trainer(
        build_network(settings.network, data.train.features, seed=seed),
        metrics=["roc_auc"],
        callbacks=callbacks,
        seed=seed,
        comm=comm,
        recovery=settings.recovery,
        **chosen,
    )
    trainer.fit(data, epochs, resume=folder)
    return trainer


def _probability(trainer: Trainer, rows: Rows) -> NDArray[np.float64]:
    """Return the probability of signal, shape (rows,). Collective."""
    logits = trainer.predict(rows).astype(np.float64).reshape(len(rows))
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits))


def _yields(settings: ExperimentSettings, data: DataSet) -> Yields:
    """Return the events of the full sample: what its weights add up to, or the settings'."""
    parts = [data.train, data.validation, data.test]
    if data.split.kind == KAGGLE_SET:
        parts = [data.test]  # there, each part by itself stands for the full sample
    if any(part.weight is None for part in parts):
        return Yields(settings.expected_signal, settings.expected_background)

    def total(label: int) -> float:
        return sum(float(p.weight[p.label == label].sum()) for p in parts if p.weight is not None)

    return Yields(total(1), total(0))
