"""Settings of an experiment on molecules; read by the command line too, so without torch."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.errors import DataError, TrainingError, did_you_mean
from matexapps.experiment.settings import ExperimentSettings, check_least

TITLE = "Learn properties of molecules from a table of structures and measured values."

DEFAULT_DATA = "chemicals"
"""Catalog name of the molecules that come with the project."""

SPLITS = ("scaffold", "cluster", "random", "time", "column")


@dataclass(frozen=True)
class MoleculeSettings(ExperimentSettings):
    """Settings of an experiment on molecules.

    Attributes
    ----------
    data : str
        File of molecules (CSV, TSV, SMILES, SDF, Parquet), or a name of the catalog.
    network : {"combined", "graph", "fingerprint", "smiles", "image"}
        What the network reads; combined is an ensemble of graph and fingerprint.
    out : str or None
        Folder in which the model of the first seed is kept, with report.json, report.png,
        rejected.csv and conflicts.csv.
    smiles_columns : list of str or None
        The column of structures, or several whose structures belong together, such as a solute and
        its solvent; splits by scaffold and cluster use the first. The one called "smiles", if not
        given.
    target_columns : list of str or None
        Columns to learn; every column of numbers, if not given.
    classes : list of two str, or None
        The two texts of targets that are classes, the less interesting one first; targets whose
        values are all 0 or 1 need none.
    molecules : int or None
        Use only so many rows, drawn by the seed; all rows with a value, if not given.
    split : {"scaffold", "cluster", "random", "time", "column"}
        How test and validation molecules are chosen.
    split_column : str or None
        The column of times, or of train, validation and test, for the splits time and column.
    validation, test : float
        Shares of the molecules.
    compare_random : bool
        Train and test on a random split, too, so that the errors can be compared.
    pretrained : str or None
        Folder of a model, pre-trained or trained on other values, whose encoders the training
        starts from.
    members : int
        Networks of the ensemble; those of the combined network alternate between the graph with a
        few physical properties, and fingerprints with descriptors.
    learning_curve : int
        How many further trainings, with a half, a quarter and so on of the training molecules; each
        takes equally long.
    cache : str or None
        Folder in which features are kept for the next time.

    Raises
    ------
    TrainingError, DataError
        If a value cannot be used.
    """

    data: str = DEFAULT_DATA
    network: str = "combined"
    smiles_columns: str | list[str] | None = None
    target_columns: list[str] | None = None
    classes: list[str] | None = None
    molecules: int | None = None
    split: str = "scaffold"
    split_column: str | None = None
    validation: float = 0.1
    test: float = 0.1
    compare_random: bool = True
    pretrained: str | None = None
    members: int = Architecture.members
    learning_curve: int = 0
    cache: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
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
        check_least(self, molecules=1, learning_curve=0)


@dataclass(frozen=True)
class PredictionSettings:
    """What a prediction takes beside model and file.

    Attributes
    ----------
    smiles_columns : list of str or None
        The column of structures, or as many as the model has learned from, in that order; the one
        called "smiles", or those of the training where several belong together, if not given.
    """

    smiles_columns: str | list[str] | None = None


def check_split(kind: str, validation: float, test: float) -> None:
    """Raise a DataError for an unknown kind, or shares that leave nothing to train on."""
    if kind not in SPLITS:
        raise DataError(
            f"unknown split {kind!r}{did_you_mean(kind, SPLITS)}; use {', '.join(SPLITS)}"
        )
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise DataError(
            f"validation={validation} and test={test} must be above 0 and leave a share to train on"
        )
