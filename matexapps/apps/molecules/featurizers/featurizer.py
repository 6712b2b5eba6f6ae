"""The interface of featurizers, and the packed features of many molecules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import Mol

Arrays = dict[str, NDArray[Any]]
"""Arrays by name. Those of several molecules are concatenated along their first axis."""


class Featurizer(ABC):
    """Computes numbers from one molecule at a time.

    Attributes
    ----------
    name : str
    version : int
        Increased whenever the numbers change, so that cached ones are no longer used.
    """

    name: str
    version: int

    @abstractmethod
    def compute(self, molecule: Mol) -> Arrays:
        """Return the arrays of one molecule.

        Those of fixed size have shape (1, ...). Where the length varies, ``"<part>_count"``, shape
        (1,), is the length.
        """


def concatenate(parts: Sequence[Arrays]) -> Arrays:
    """Return the arrays of at least one part, concatenated in order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
