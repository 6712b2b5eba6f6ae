"""Different molecules with their values, and what became of the rows of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import join_structures, standardize_rows
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.data.standardize import Standard, standardize_all
from matexapps.apps.molecules.data.targets import Target
from matexapps.errors import DataError
from matexapps.experiment.ranks import Ranks

_CONFLICT = 0.1
_TIE = 0.5


@dataclass(frozen=True)
class RejectedRow:
    """A row without a valid molecule; ``row`` counts from 1, without the header."""

    row: int
    smiles: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.smiles!r}: {self.reason}"


@dataclass(frozen=True)
class Conflict:
    """Rows of one molecule whose values differ by more than a tenth of the target's spread."""

    inchikey: str
    target: Target
    rows: tuple[int, ...]
    values: tuple[float, ...]

    def __str__(self) -> str:
        pairs = ", ".join(
            f"{self.target.text(value)} (row {row})"
            for row, value in zip(self.rows, self.values, strict=True)
        )
        return f"{self.inchikey}, {self.target}: {pairs}"


@dataclass(frozen=True)
class MoleculeSet:
    """Different molecules, in the order in which they first occur in a file.

    Where a row of the file has several structures, a "molecule" here is all of them: see
    :mod:`~matexapps.apps.molecules.data.components`.

    Attributes
    ----------
    smiles, inchikeys : list of str
        Of the standard form; of several structures, joined.
    values : ndarray of float64, shape (molecules, targets)
        The median over the rows of a molecule, or the more frequent class; NaN where no value is
        known, or classes tie.
    targets : list of Target
    rows : list of tuple of int
        The rows of each molecule, counted from 1.
    rejected : list of RejectedRow
    conflicts : list of Conflict
    part_keys : list of tuple, or None
        Cells of the column that a split goes by, in each molecule's rows.
    stripped : int
        Rows from which salts or solvents were removed.
    smiles_columns : tuple of str
        Names of the columns of structures.
    """

    smiles: list[str]
    inchikeys: list[str]
    values: NDArray[np.float64]
    targets: list[Target]
    rows: list[tuple[int, ...]]
    rejected: list[RejectedRow]
    conflicts: list[Conflict]
    part_keys: list[tuple[object, ...]] | None = None
    stripped: int = 0
    smiles_columns: tuple[str, ...] = ("smiles",)

    def __len__(self) -> int:
        return len(self.smiles)

    def digest(self) -> str:
        """Return a digest of structures and values."""
        state = hashlib.blake2b("\0".join(self.smiles).encode(), digest_size=8)
        state.update(np.ascontiguousarray(self.values).view(np.uint8).data)
        return state.hexdigest()


def standardize_records(records: Records, ranks: Ranks) -> list[Standard | str]:
    """Return the standard form of each row, or why it has none. Collective.

    All ranks hold the same records and share the work. Each different structure is standardized
    once.
    """

    def standardize_shares(texts: list[str]) -> list[Standard | str]:
        # Round-robin, because large molecules take long and are often neighbors in a file.
        own = standardize_all(texts[ranks.rank :: ranks.world_size], ranks.rank, ranks.world_size)
        standards: list[Standard | str] = [""] * len(texts)
        for rank, share in enumerate(ranks.gather(own)):
            standards[rank :: ranks.world_size] = share
        return standards

    return standardize_rows(records.structures, records.smiles_columns, standardize_shares)


def merge(records: Records, standards: Sequence[Standard | str]) -> MoleculeSet:
    """Merge the rows with the same InChIKey, or the same ones for all structures.

    Raises
    ------
    DataError
        If no row has a valid molecule.
    """
    rejected: list[RejectedRow] = []
    positions: dict[str, list[int]] = {}
    smiles: list[str] = []
    for i, standard in enumerate(standards):
        if isinstance(standard, str):
            given = join_structures(records.structures[i])
            rejected.append(RejectedRow(int(records.rows[i]), given, standard))
        elif standard.inchikey in positions:
            positions[standard.inchikey].append(i)
        else:
            positions[standard.inchikey] = [i]
            smiles.append(standard.smiles)
    if not positions:
        first = f"; {rejected[0]}" if rejected else ""
        raise DataError(f"{records.source}: none of {len(records)} rows gives a molecule{first}")
    return MoleculeSet(
        smiles=smiles,
        inchikeys=list(positions),
        values=_merged(records, positions),
        targets=records.targets,
        rows=[tuple(records.rows[rows].tolist()) for rows in positions.values()],
        rejected=rejected,
        conflicts=_conflicts(records, positions),
        part_keys=None
        if records.part_key is None
        else [tuple(records.part_key[rows]) for rows in positions.values()],
        stripped=sum(isinstance(item, Standard) and item.fragments > 1 for item in standards),
        smiles_columns=records.smiles_columns,
    )


def _merged(records: Records, positions: dict[str, list[int]]) -> NDArray[np.float64]:
    values = np.stack([_medians(records.values[rows]) for rows in positions.values()])
    classes = np.array([target.classes is not None for target in records.targets], bool)
    values[(values == _TIE) & classes] = np.nan
    return values


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    return np.array(
        [
            np.median(column[has]) if has.any() else np.nan
            for column, has in zip(values.T, known.T, strict=True)
        ]
    ).reshape(values.shape[1])


def _conflicts(records: Records, positions: dict[str, list[int]]) -> list[Conflict]:
    conflicts = []
    for number, target in enumerate(records.targets):
        column = records.values[:, number]
        if not np.isfinite(column).any():
            continue
        tolerance = _CONFLICT * float(np.nanstd(column))
        for inchikey, rows in positions.items():
            known = [row for row in rows if np.isfinite(column[row])]
            if len(known) > 1 and np.ptp(column[known]) > tolerance:
                conflicts.append(
                    Conflict(
                        inchikey,
                        target,
                        tuple(records.rows[known].tolist()),
                        tuple(float(column[row]) for row in known),
                    )
                )
    return conflicts
