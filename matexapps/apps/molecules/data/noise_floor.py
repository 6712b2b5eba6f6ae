"""The best that any model can do: the scatter of repeated measurements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.data.records import Records


@dataclass(frozen=True)
class NoiseFloor:
    """The scatter of one molecule's values about their mean.

    Attributes
    ----------
    deviation : float
        Pooled standard deviation, in the target's unit. A test error below it is luck, or the
        repeats are copies of one measurement.
    molecules : int
        Molecules with two rows or more.
    """

    deviation: float
    molecules: int


def noise_floors(records: Records, molecules: MoleculeSet) -> list[NoiseFloor | None]:
    """Return each target's noise floor, None where no molecule has two values."""
    positions = {row: i for i, row in enumerate(records.rows.tolist())}
    floors: list[NoiseFloor | None] = []
    for column in records.values.T:
        squares, freedom, repeated = 0.0, 0, 0
        for rows in molecules.rows:
            if len(rows) == 1:
                continue
            values = column[[positions[row] for row in rows]]
            values = values[np.isfinite(values)]
            if len(values) > 1:
                squares += float(((values - values.mean()) ** 2).sum())
                freedom += len(values) - 1
                repeated += 1
        floors.append(NoiseFloor(float(np.sqrt(squares / freedom)), repeated) if freedom else None)
    return floors
