"""The targets of pre-training: RDKit's descriptors."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS

LARGEST_DEVIATION = 5.0
"""Descriptors are clipped there, or a few odd molecules would outweigh all others."""


def descriptor_targets(
    descriptors: NDArray[np.float32], train: NDArray[np.int64]
) -> tuple[list[Target], NDArray[np.float64]]:
    """Return the descriptors that vary among the training molecules.

    Parameters
    ----------
    descriptors : ndarray of float32, shape (molecules, descriptors)
        NaN where RDKit has no value.
    train : ndarray of int64
        Indices of the molecules that give mean and spread.

    Returns
    -------
    targets : list of Target
    values : ndarray of float64, shape (molecules, targets)
        NaN remains, and is masked in the loss; other values are within
        :data:`LARGEST_DEVIATION` standard deviations of the mean.
    """
    values = descriptors.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        mean, spread = np.nanmean(values[train], 0), np.nanstd(values[train], 0)
        varies = spread > 1e-6 * np.nanmax(np.abs(values[train]), 0)
    reach = LARGEST_DEVIATION * spread
    values = np.clip(values, mean - reach, mean + reach)[:, varies]
    names = [name for name, used in zip(DESCRIPTORS, varies, strict=True) if used]
    return [Target(name) for name in names], values
