"""What an experiment is to train on what."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.apps.higgs.data import SIMULATED
from matexapps.apps.higgs.model import NETWORKS
from matexapps.errors import TrainingError, did_you_mean
from matexapps.experiment.settings import check_least, check_recovery


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings of an experiment.

    Attributes
    ----------
    data : str
        A file or a name of the catalog.
    test : str or None
        A test file of its own; None takes a fifth of the rows.
    network : {"present", "dnn2014"}
    epochs, batch_size : int or None
        None takes what suits the network. The batch is that of all ranks together.
    seeds : int
        How many trainings; they differ in initial weights and in the order of rows.
    seed : int
        Seed of the split and of the first training.
    expected_signal, expected_background : float
        Events in the full sample, for the significance, where the rows have no weights.
    recovery : str or None
        As for :class:`~matexapps.train.trainer.Trainer`.
    checkpoints : str or None
        Folder in which each training has a folder of checkpoints, from which it goes on.

    Raises
    ------
    TrainingError
        If a value cannot be used.
    """

    data: str = SIMULATED
    test: str | None = None
    network: str = "present"
    epochs: int | None = None
    batch_size: int | None = None
    seeds: int = 3
    seed: int = 0
    expected_signal: float = 100.0
    expected_background: float = 1000.0
    recovery: str | None = None
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise TrainingError(
                f"unknown network {self.network!r}{did_you_mean(self.network, NETWORKS)}; use one "
                f"of {', '.join(NETWORKS)}"
            )
        check_least(self, epochs=1, batch_size=1, seeds=1, seed=0)
        check_recovery(self, "runs/higgs")
