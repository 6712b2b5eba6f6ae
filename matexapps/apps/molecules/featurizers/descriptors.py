"""The two-dimensional descriptors of RDKit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from rdkit.Chem import Descriptors, Mol

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer

_LARGEST = float(np.finfo(np.float32).max)

# Ipc grows without bound; AvgIpc takes seconds for 200 atoms; qed combines others and takes as
# long as forty of them.
_LEFT_OUT = {"Ipc", "AvgIpc", "qed"}

# By default, each of these recomputes the electronic state of all atoms.
_SHARED_STATE = {"MaxAbsEStateIndex", "MaxEStateIndex", "MinAbsEStateIndex", "MinEStateIndex"}

_FUNCTIONS: dict[str, Callable[[Mol], float]] = {
    name: partial(function, force=False) if name in _SHARED_STATE else function
    for name, function in Descriptors.descList
    if name not in _LEFT_OUT
}

DESCRIPTORS: tuple[str, ...] = tuple(_FUNCTIONS)
"""Names of the descriptors, in the order of the columns."""


class RdkitDescriptors(Featurizer):
    """Physical, topological and counted properties, as RDKit computes them.

    Array: ``descriptors`` float32 (1, columns). NaN where RDKit has no finite value, such as a
    partial charge of an element without parameters.
    """

    name = "descriptors"
    version = 1

    def compute(self, molecule: Mol) -> Arrays:
        values = np.array([_value(function, molecule) for function in _FUNCTIONS.values()])
        known = np.isfinite(values) & (np.abs(values) <= _LARGEST)
        return {"descriptors": np.where(known, values, np.nan).astype(np.float32)[None]}


def _value(function: Callable[[Mol], float], molecule: Mol) -> float:
    try:
        return float(function(molecule))
    except (ArithmeticError, RuntimeError, ValueError):
        return np.nan
