"""Settings of a campaign: molecules, table, tries and time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matexapps.errors import DataError
from matexapps.experiment.settings import check_least

_TABLES = (".csv", ".parquet")


@dataclass(frozen=True)
class CampaignSettings:
    """Settings of a campaign.

    Attributes
    ----------
    data : str
        File of molecules (CSV, TSV, SMILES, SDF, Parquet), or a name of the catalog.
    out : str
        File to write, .csv or .parquet; run again, the command goes on. Beside it are a folder of
        what is done, with .campaign after the name, and the molecules without labels, a table with
        _rejected before the ending.
    smiles_columns : str or None
        The column of structures; the one called "smiles", if not given.
    seed : int
        Of the conformers.
    tries : int
        Conformers of a molecule before giving up.
    time_limit_s : float
        For all tries of a molecule together.

    Raises
    ------
    TrainingError, DataError
        If a value cannot be used.
    """

    data: str
    out: str
    smiles_columns: str | None = None
    seed: int = 0
    tries: int = 3
    time_limit_s: float = 120.0

    def __post_init__(self) -> None:
        check_least(self, seed=0, tries=1)
        if not self.time_limit_s > 0:
            raise DataError(f"time_limit_s must be above 0, got {self.time_limit_s}")
        if self.table.suffix not in _TABLES:
            raise DataError(f"{self.out}: the table of labels must end in .csv or .parquet")

    @property
    def table(self) -> Path:
        """The table of labels."""
        return Path(self.out)

    @property
    def rejected(self) -> Path:
        """The table of molecules without labels."""
        return self.table.with_name(f"{self.table.stem}_rejected.csv")

    @property
    def folder(self) -> Path:
        """The folder of the journal."""
        return self.table.with_name(f"{self.table.name}.campaign")
