"""What a network is pre-trained to say of a molecule: RDKit's descriptors."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.molecules.data.records import Target
from matexapps.apps.molecules.featurizers.descriptors import DESCRIPTORS

LARGEST_DEVIATION = 5.0
"""Descriptors that lie further out are drawn in; a few odd molecules would outweigh all others."""


def descriptor_targets(
    descriptors: NDArray[np.float32], train: NDArray[np.int64]
) -> tuple[list[Target], NDArray[np.float64]]:
    """Return the descriptors that vary among the training molecules.

    Parameters
    ----------
    descriptors : ndarray of float32, shape (molecules, descriptors)
        NaN where RDKit has no value.
    train : ndarray of int64
        Numbers of the molecules that scales and limits are taken from.

    Returns
    -------
    targets : list of Target
    values : ndarray of float64, shape (molecules, targets)
        NaN stays, and is masked in the loss; others lie within :data:`LARGEST_DEVIATION` standard
        deviations of the mean.
    """
    values = descriptors.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        mean, spread = np.nanmean(values[train], 0), np.nanstd(values[train], 0)
        varies = spread > 1e-6 * np.nanmax(np.abs(values[train]), 0)
    reach = LARGEST_DEVIATION * spread
    values = np.clip(values, mean - reach, mean + reach)[:, varies]
    names = [name for name, kept in zip(DESCRIPTORS, varies, strict=True) if kept]
    return [Target(name) for name in names], values
