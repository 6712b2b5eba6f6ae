"""Runs an experiment on all ranks: seeds and splits, baselines on the same rows, a kept model."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from matexapps import progress
from matexapps.comm.communicator import Communicator
from matexapps.data.dataset import DataSet
from matexapps.experiment.domain import BaselinePredictions, Domain
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.report import BETTER
from matexapps.experiment.results import SplitResult, Study, Training
from matexapps.experiment.settings import ExperimentSettings
from matexapps.experiment.splitting import Split
from matexapps.experiment.tasks import Predicted, Task
from matexapps.train.callbacks import Callback, Checkpointing, KeepBest
from matexapps.train.trainer import Trainer


def run_study(domain: Domain[Any, Any], settings: ExperimentSettings, comm: Communicator) -> Study:
    """Train from each seed on each split, fit the baselines, and judge the same rows. Collective.

    When ranks die, those that are left go on, as ``settings.recovery`` says.
    """
    began = time.monotonic()
    ranks = Ranks(comm)
    prepared = ranks.run("while the rows were prepared", lambda: domain.prepare(settings, ranks))
    splits = ranks.run(
        "while the rows were split", lambda: domain.splits(settings, prepared, ranks)
    )
    results: list[SplitResult] = []
    first: Model | None = None
    for name, split in splits.items():
        experiment = _SplitExperiment(domain, settings, prepared, name, split, comm)
        result, model = experiment.run(several=len(splits) * settings.seeds > 1)
        results.append(result)
        first = first or model
    assert first is not None
    return Study(
        domain=domain,
        settings=settings,
        prepared=domain.for_report(prepared),
        results=results,
        model=first,
        ranks=comm.world_size,
        seconds=time.monotonic() - began,
    )


def train_model(
    domain: Domain[Any, Any],
    settings: ExperimentSettings,
    prepared: Any,
    name: str,
    split: Split,
    seed: int,
    ranks: Ranks,
) -> tuple[Training, Model]:
    """Train a single network, without anything to compare it with. Collective.

    Parameters
    ----------
    domain : Domain
    settings : ExperimentSettings
    prepared
        The domain's rows.
    name : str
        Of the split, for the folder of checkpoints.
    split : Split
    seed : int
    ranks : Ranks
    """
    experiment = _SplitExperiment(domain, settings, prepared, name, split, ranks.comm)
    return experiment.train(domain.data(settings, prepared, split), seed)


class _SplitExperiment:
    """All trainings and baselines of one split."""

    def __init__(
        self,
        domain: Domain[Any, Any],
        settings: ExperimentSettings,
        prepared: Any,
        name: str,
        split: Split,
        comm: Communicator,
    ) -> None:
        self._domain, self._settings, self._prepared = domain, settings, prepared
        self._name, self._split, self._comm = name, split, comm
        self._ranks = Ranks(comm)
        self._task: Task = domain.task(settings, prepared, split)

    def run(self, several: bool) -> tuple[SplitResult, Model]:
        """Train and judge; the model is that of the first seed. Collective."""
        domain, settings, prepared, split = (
            self._domain,
            self._settings,
            self._prepared,
            self._split,
        )
        data = domain.data(settings, prepared, split)
        trained = []
        for seed in settings.training_seeds:
            with self._named(seed) if several else nullcontext():
                trained.append(self.train(data, seed))
        trainings = [training for training, _ in trained]
        baselines = self._baselines()

        def predicted(part: str) -> Predicted:
            rows = getattr(split, part)
            return Predicted(
                values=domain.values(prepared, rows),
                network=[getattr(training, part) for training in trainings],
                baselines={name: getattr(each, part) for name, each in baselines.items()},
                weight=domain.weights(prepared, rows),
            )

        result = SplitResult(
            name=self._name,
            split=split,
            task=self._task,
            trainings=trainings,
            validation=predicted("validation"),
            test=predicted("test"),
            leakage=self._ranks.run(
                "while the split was audited",
                lambda: self._ranks.on_root(partial(domain.audit, settings, prepared, split)),
            ),
        )
        model = trained[0][1]
        model.facts[BETTER] = self._task.better_baselines(result.validation)
        return result, model

    def _named(self, seed: int) -> AbstractContextManager[None]:
        return progress.naming(f"{self._name} split, seed {seed}")

    def train(self, data: DataSet, seed: int) -> tuple[Training, Model]:
        """Train one network; the weights of the best epoch stay. Collective."""
        domain, settings, prepared, split = (
            self._domain,
            self._settings,
            self._prepared,
            self._split,
        )
        network = domain.network(settings, prepared, split, seed)
        trainer, epochs = self._trainer(network, seed)
        trainer.fit(data, epochs)
        task = self._task
        validation = task.predictions(trainer.predict(data.validation))
        test = task.predictions(trainer.predict(data.test))
        training = Training(
            seed=seed,
            validation=validation,
            test=test,
            calibration=task.calibrate(validation, domain.values(prepared, split.validation)),
            history=trainer.history.rows,
        )
        facts = domain.model_facts(settings, prepared, split, network)
        model = Model(
            domain=domain,
            network=network,
            task=task,
            calibration=training.calibration,
            settings=settings,
            architecture=facts.architecture,
            facts={"split": self._name, "seed": seed, **facts.facts},
            arrays=dict(facts.arrays),
        )
        return training, model

    def _trainer(self, network: nn.Module, seed: int) -> tuple[Trainer, int]:
        settings, task = self._settings, self._task
        chosen = {
            "metrics": list(task.metrics),
            **self._domain.training(settings, self._prepared, network),
        }
        if "loss" not in chosen:
            chosen["loss"] = task.loss
        default = chosen.pop("epochs")
        epochs = (settings.epochs or default) * self._split.repeats
        if settings.batch_size is not None:
            chosen["batch_size"] = settings.batch_size
        best = KeepBest(task.monitor, task.mode)
        callbacks: list[Callback] = [best, *chosen.pop("callbacks", ())]
        if settings.checkpoints is not None:
            folder = Path(settings.checkpoints) / "-".join(
                filter(None, (self._name, f"seed-{seed}"))
            )
            callbacks.append(Checkpointing(folder, resume=True))
        trainer = Trainer(
            network,
            seed=seed,
            comm=self._comm,
            recovery=settings.recovery,
            callbacks=callbacks,
            **chosen,
        )
        return trainer, epochs

    def _baselines(self) -> dict[str, BaselinePredictions]:
        """Fit the baselines, jobs shared out among ranks. Collective."""
        baselines = self._domain.baselines(self._settings, self._prepared, self._split)
        jobs = [job for baseline in baselines.values() for job in baseline.jobs]
        predictions = iter(
            self._ranks.run(
                "while baselines were fitted",
                lambda: self._ranks.map(
                    lambda job: job(), jobs, doing="fitting baselines", unit="fits"
                ),
            )
        )
        return {
            name: baseline.combined([next(predictions) for _ in baseline.jobs])
            for name, baseline in baselines.items()
        }
