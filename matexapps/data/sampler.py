"""The order in which an epoch visits the rows: one permutation for all ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def global_permutation(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of ``rows`` row numbers in ``epoch``, a function of its arguments alone.

    No rank and no world size enters, so every number of ranks visits the same global batches.
    """
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    return stream.permutation(rows)
