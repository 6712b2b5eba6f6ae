"""Settings of an experiment: molecules, targets, splits, networks, outputs."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.splits.split import check_split
from matexapps.errors import TrainingError
from matexapps.experiment.settings import check_least, check_recovery

DEFAULT_DATA = "chemicals"
"""Catalog name of the molecules that come with the project."""


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings of an experiment.

    Attributes
    ----------
    data : str
        A file of molecules, or a name of the catalog.
    smiles_columns : str or list of str or None
        The column of structures; default: the one called "smiles". Structures in several columns,
        such as a solute and its solvent, belong together; splits by scaffold and cluster use the
        first column.
    target_columns : list of str or None
        Default: every column of numbers.
    classes : list of two str, or None
        The two texts of targets that are classes, the less interesting one first; default: targets
        are classes if all their values are 0 or 1.
    molecules : int or None
        Number of rows to draw at random; default: all rows with a value.
    split : {"scaffold", "cluster", "random", "time", "column"}
    split_column : str or None
        For the splits "time" and "column".
    validation, test : float
        Shares of the molecules.
    compare_random : bool
        Train and test on a random split, too, so that the errors can be compared.
    network : {"combined", "graph", "fingerprint", "smiles", "image"}
    pretrained : str or None
        Folder of a model, pre-trained or trained on other values, from whose encoders the training
        starts.
    members : int
        Networks of the ensemble; those of the combined network alternate between the graph with a
        few physical properties, and fingerprints with descriptors.
    epochs, batch_size : int or None
        Default: the usual ones. The batch is that of all ranks together.
    learning_curve : int
        Number of additional trainings, with a half, a quarter and so on of the training molecules.
        Each takes equally long.
    seeds : int
        Number of trainings, which differ in initial weights and in the order of molecules.
    seed : int
        Seed of the split and of the first training.
    out : str or None
        Folder for the model of the first seed and the report.
    cache : str or None
        Folder in which features are cached; default: none.
    recovery : str or None
        As for :class:`~matexapps.train.trainer.Trainer`.
    checkpoints : str or None
        Folder with a folder of checkpoints for each training, which resumes from there.

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
                f"split={self.split!r} with split_column={self.split_column!r}: the splits 'time' "
                "and 'column' need a column, and the others take none"
            )
        if self.classes is not None and len(set(self.classes)) != 2:
            raise TrainingError(
                f"classes={self.classes}: give the two different texts that a target can have"
            )
        check_least(self, molecules=1, epochs=1, batch_size=1, learning_curve=0, seeds=1, seed=0)
        check_recovery(self, "runs/molecules")
