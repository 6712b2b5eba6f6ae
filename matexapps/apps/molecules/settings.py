"""What an experiment is to learn from which molecules."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.splits.split import check_split
from matexapps.errors import TrainingError
from matexapps.experiment.settings import check_least, check_recovery

DEFAULT_DATA = "chemicals"
"""The catalog's name of the molecules that come with the project."""


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings of an experiment.

    Attributes
    ----------
    data : str
        A file of molecules, or a name of the catalog.
    smiles_columns : str or list of str or None
        The column of structures; None takes the one called "smiles". Structures in several columns,
        such as a solute and its solvent, belong together; splits by scaffold and cluster go by the
        first column.
    target_columns : list of str or None
        None takes every column of numbers.
    classes : list of two str, or None
        The texts that targets hold where they are classes, the less interesting one first; None
        takes targets whose values are all 0 or 1 as classes.
    molecules : int or None
        Use so many rows, drawn by the seed; None uses all that have a value.
    split : {"scaffold", "cluster", "random", "time", "column"}
    split_column : str or None
        For the splits by time and column.
    validation, test : float
        Shares of the molecules.
    compare_random : bool
        Train and judge on a random split too, so that both errors stand side by side.
    network : {"combined", "graph", "fingerprint", "smiles", "image"}
    pretrained : str or None
        Folder of a model whose encoders the training begins with: one that has been pre-trained,
        or trained on other values.
    members : int
        Networks of the ensemble; those of the combined network read the graph with a few physical
        properties, and fingerprints with descriptors, in turn.
    epochs, batch_size : int or None
        None takes the usual. The batch is that of all ranks together.
    learning_curve : int
        How many smaller trainings there are beside that of all training molecules: of a half, a
        quarter and so on. Each takes as long.
    seeds : int
        How many trainings; they differ in initial weights and in the order of molecules.
    seed : int
        Seed of the split and of the first training.
    out : str or None
        Folder for the model of the first seed, all figures and a picture of them.
    cache : str or None
        Folder in which features are kept; None keeps none.
    recovery : str or None
        As for :class:`~matexapps.train.trainer.Trainer`.
    checkpoints : str or None
        Folder in which each training has a folder of checkpoints, from which it goes on.

    Raises
    ------
    TrainingError, DataError
        If a value cannot be used.
    """

    data: str = DEFAULT_DATA
    smiles_columns: str | list[str] | None = None
    target_columns: list[str] | None = None
    classes: list[str] | None = None
    molecules: int | None = None
    split: str = "scaffold"
    split_column: str | None = None
    validation: float = 0.1
    test: float = 0.1
    compare_random: bool = True
    network: str = "combined"
    pretrained: str | None = None
    members: int = Architecture.members
    epochs: int | None = None
    batch_size: int | None = None
    learning_curve: int = 0
    seeds: int = 1
    seed: int = 0
    out: str | None = None
    cache: str | None = None
    recovery: str | None = None
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        check_split(self.split, self.validation, self.test)
        Architecture(network=self.network, members=self.members)
        if (self.split in ("time", "column")) != (self.split_column is not None):
            raise TrainingError(
                f"split={self.split!r} with split_column={self.split_column!r}: splits by time and "
                "by column need a column, and only these"
            )
        if self.classes is not None and len(set(self.classes)) != 2:
            raise TrainingError(
                f"classes={self.classes}: a target is one of two, so give two different texts"
            )
        check_least(self, molecules=1, epochs=1, batch_size=1, learning_curve=0, seeds=1, seed=0)
        check_recovery(self, "runs/molecules")
