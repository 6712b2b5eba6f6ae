"""Settings of a pre-training: molecules, network, and the later task."""

from __future__ import annotations

from dataclasses import dataclass, field

from matexapps.apps.molecules.settings import DEFAULT_DATA, MoleculeSettings
from matexapps.errors import TrainingError, did_you_mean
from matexapps.experiment.settings import ExperimentSettings, check_least

NETWORKS = {"graph": ("graph", "combined"), "smiles": ("smiles",), "image": ("image",)}
"""Networks that can be pre-trained, and those that can start from each."""

NO_TASK = "none"


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings(ExperimentSettings):
    """Settings of a pre-training.

    Attributes
    ----------
    out : str
        Folder for the model.
    data : str
        File of molecules (CSV, TSV, SMILES, SDF, Parquet), or a name of the catalog.
    smiles_columns : str or None
        The column of structures; the one called "smiles", if not given.
    labels : list of str or None
        Columns of numbers to learn besides the descriptors, such as those that
        matexapps molecules quantum makes.
    task : str or None
        What will be learned afterwards, a file or a name of the catalog: its validation and test
        molecules are held out. The data, if not given; "none" holds out nothing.
    target_columns : list of str or None
        Of the task, as for train.
    split : {"scaffold", "cluster", "random", "time", "column"}
        Of the task, as for train.
    split_column : str or None
        Of the task, as for train.
    validation, test : float
        Of the task, as for train.
    seed : int
        Seed of the task's split and of the training.
    network : {"graph", "smiles", "image"}
        A combined network can start from graph, too.
    members : int
        Networks of the ensemble.
    cache : str or None
        Folder in which features are kept for the next time.

    Raises
    ------
    TrainingError, DataError
        If a value cannot be used.
    """

    out: str = field()  # without the default of other experiments
    data: str = DEFAULT_DATA
    smiles_columns: str | None = None
    labels: list[str] | None = None
    task: str | None = None
    target_columns: list[str] | None = None
    split: str = MoleculeSettings.split
    split_column: str | None = None
    validation: float = MoleculeSettings.validation
    test: float = MoleculeSettings.test
    network: str = "graph"
    members: int = 1
    seeds: int = field(default=1, init=False)
    cache: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in NETWORKS:
            raise TrainingError(
                f"the network {self.network!r} cannot be pre-trained"
                f"{did_you_mean(self.network, NETWORKS)}; use one of {', '.join(NETWORKS)}; a "
                "combined network can start from graph"
            )
        check_least(self, members=1)
        self.of_task()

    def of_task(self) -> MoleculeSettings:
        """Return the experiment whose validation and test molecules are held out."""
        own = self.task is None
        return MoleculeSettings(
            data=self.data if self.task is None else self.task,
            smiles_columns=self.smiles_columns if own else None,
            target_columns=self.target_columns,
            split=self.split,
            split_column=self.split_column,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
        )

    def of_training(self) -> MoleculeSettings:
        """Return the settings of the pre-training itself."""
        return MoleculeSettings(
            data=self.data,
            network=self.network,
            members=self.members,
            epochs=self.epochs,
            batch_size=self.batch_size,
            recovery=self.recovery,
            checkpoints=self.checkpoints,
        )
