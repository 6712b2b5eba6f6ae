"""Four-momenta as arrays whose last axis is (px, py, pz, energy), in GeV."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def four_vector(pt: ArrayLike, eta: ArrayLike, phi: ArrayLike) -> Array:
    """Return massless four-momenta, shape (..., 4), from pT (GeV), pseudorapidity and azimuth."""
    pt, eta, phi = np.broadcast_arrays(
        np.asarray(pt, float), np.asarray(eta, float), np.asarray(phi, float)
    )
    return np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=-1
    )


def transverse_momentum(momentum: Array) -> Array:
    """Return pT in GeV."""
    return np.hypot(momentum[..., 0], momentum[..., 1])


def pseudorapidity(momentum: Array) -> Array:
    """Return the pseudorapidity; large but finite along the beam."""
    return np.arcsinh(momentum[..., 2] / np.maximum(transverse_momentum(momentum), 1e-9))


def azimuth(momentum: Array) -> Array:
    """Return the angle around the beam, from -pi to pi, in rad."""
    return np.arctan2(momentum[..., 1], momentum[..., 0])


def invariant_mass(momentum: Array) -> Array:
    """Return sqrt(E^2 - p^2) in GeV; 0 where rounding makes the square negative."""
    squared = momentum[..., 3] ** 2 - np.square(momentum[..., :3]).sum(axis=-1)
    return np.sqrt(np.maximum(squared, 0.0))


def angular_distance(eta_a: Array, phi_a: Array, eta_b: Array, phi_b: Array) -> Array:
    """Return Delta R, the root of the summed squares of the differences in eta and phi."""
    turn = np.remainder(phi_a - phi_b + np.pi, 2 * np.pi) - np.pi
    return np.hypot(eta_a - eta_b, turn)
