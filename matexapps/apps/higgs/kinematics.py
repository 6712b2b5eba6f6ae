"""What a physicist computes from the 28 columns: logarithms, relative angles, invariant masses."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matexapps.apps.higgs.schema import FEATURES, HIGH_LEVEL, JETS

W_MASS = 80.4
"""Mass of the W boson in GeV."""

_LEAST_GEV = 1.0
_PAIRS = tuple((i, j) for i in range(JETS + 1) for j in range(i + 1, JETS + 1))
_GIVEN_MASSES = [FEATURES.index(name) for name in HIGH_LEVEL if name != "m_lv"]
_B_TAG_ABOVE_ANY_PT = 1e5


def four_momenta(pt: Tensor, eta: Tensor, phi: Tensor) -> Tensor:
    """Return (x, y, z, energy) of massless particles in GeV, shape (..., 4)."""
    return torch.stack(
        [pt * phi.cos(), pt * phi.sin(), pt * torch.sinh(eta), pt * torch.cosh(eta)], dim=-1
    )


def invariant_mass(momenta: Tensor) -> Tensor:
    """Return the mass in GeV of four-momenta of shape (..., 4)."""
    squared = momenta[..., 3].square() - momenta[..., :3].square().sum(-1)
    return squared.clamp_min(0).sqrt()


def transverse_momentum(momenta: Tensor) -> Tensor:
    """Return the momentum across the beam in GeV of four-momenta of shape (..., 4)."""
    return momenta[..., :2].norm(dim=-1)


def neutrino(lepton: Tensor, missing_x: Tensor, missing_y: Tensor) -> Tensor:
    """Return the neutrino's four-momentum, from the mass of the W boson it comes from.

    That lepton and neutrino weigh as much as the W boson is a quadratic equation for the momentum
    along the beam, of whose two solutions the smaller is taken. Where their transverse mass exceeds
    the W mass there is none, and they are taken to weigh as much as their transverse mass.

    Parameters
    ----------
    lepton : Tensor, shape (rows, 4)
        Four-momenta in GeV.
    missing_x, missing_y : Tensor, shape (rows,)
        Missing transverse momentum in GeV.
    """
    lepton_pt2 = lepton[:, :2].square().sum(-1).clamp_min(1e-6)
    missing2 = missing_x.square() + missing_y.square()
    product = (lepton_pt2 * missing2).sqrt()
    half = W_MASS**2 / 2 + lepton[:, 0] * missing_x + lepton[:, 1] * missing_y
    half = torch.maximum(half, product)
    root = lepton[:, 3] * (half.square() - product.square()).clamp_min(0).sqrt()
    middle = half * lepton[:, 2]
    along = (middle - middle.sign() * root) / lepton_pt2
    return torch.stack([missing_x, missing_y, along, (missing2 + along.square()).sqrt()], dim=-1)


class KinematicInputs(nn.Module):
    """Inputs that do not change when an event is turned about the beam or mirrored.

    Jets are put in order of b-tag, then of transverse momentum: the first two stand for the b
    quarks, the others for the decay of a W. Energies, momenta and masses enter as logarithms,
    azimuths as cosines of differences, pseudorapidities with the sign of the event's momentum
    along the beam. The high-level masses of the file enter as they are given, but for m_lv, which
    is the W mass or else the transverse mass of lepton and missing momentum.

    Parameters
    ----------
    units : ndarray of float32, shape (28,)
        What 1 means in each column, as :func:`matexapps.apps.higgs.units.column_units` finds.
    """

    outputs = 83
    """Inputs of a row."""

    units: Tensor
    _first: Tensor
    _second: Tensor

    def __init__(self, units: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("units", torch.from_numpy(units.copy()))
        first, second = torch.tensor(_PAIRS).T
        self.register_buffer("_first", first.contiguous(), persistent=False)
        self.register_buffer("_second", second.contiguous(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the inputs, shape (rows, 83), for features of shape (rows, 28)."""
        columns = features * self.units
        jets = self._ordered_jets(columns[:, 5 : 5 + 4 * JETS].reshape(-1, JETS, 4))
        pt = torch.cat([columns[:, :1], jets[:, :, 0]], dim=1)
        eta = torch.cat([columns[:, 1:2], jets[:, :, 1]], dim=1)
        phi = torch.cat([columns[:, 2:3], jets[:, :, 2]], dim=1)
        missing, missing_phi = columns[:, 3], columns[:, 4]
        visible = four_momenta(pt, eta, phi)
        lepton = visible[:, 0]
        w_boson = lepton + neutrino(
            lepton, missing * missing_phi.cos(), missing * missing_phi.sin()
        )
        candidates = self._candidates(w_boson, visible[:, 1:])
        pairs = invariant_mass(visible[:, self._first] + visible[:, self._second])
        to_missing = (phi - missing_phi[:, None]).cos()
        transverse_mass = (2 * pt[:, 0] * missing * (1 - to_missing[:, 0])).clamp_min(0).sqrt()
        scales = torch.cat(
            [
                pt,
                missing[:, None],
                pt[:, 1:].sum(dim=1, keepdim=True),
                transverse_mass[:, None],
                pairs,
                invariant_mass(candidates),
                transverse_momentum(candidates),
                candidates[:, -1, 2:3].abs(),
                columns[:, _GIVEN_MASSES],
            ],
            dim=1,
        )
        angles = [
            eta * visible[:, :, 2].sum(dim=1, keepdim=True).sign(),
            (eta[:, self._first] - eta[:, self._second]).abs(),
            (phi[:, self._first] - phi[:, self._second]).cos(),
            to_missing,
        ]
        return torch.cat([scales.clamp_min(_LEAST_GEV).log(), *angles, jets[:, :, 3]], dim=1)

    @staticmethod
    def _ordered_jets(jets: Tensor) -> Tensor:
        rank = jets[:, :, 3].round() * _B_TAG_ABOVE_ANY_PT + jets[:, :, 0]
        order = rank.argsort(dim=1, descending=True)
        return jets.gather(1, order[:, :, None].expand_as(jets))

    @staticmethod
    def _candidates(w_boson: Tensor, jets: Tensor) -> Tensor:
        """Sums of four-momenta that may be one particle, shape (rows, 12, 4); the event last."""
        b_1, b_2, q_1, q_2 = jets.unbind(dim=1)
        hadronic, both = q_1 + q_2, b_1 + b_2
        return torch.stack(
            [
                b_1 + hadronic,
                b_2 + hadronic,
                both + q_1,
                both + q_2,
                w_boson + b_1,
                w_boson + b_2,
                w_boson + q_1,
                w_boson + q_2,
                both + hadronic,
                both + w_boson,
                hadronic + w_boson,
                both + hadronic + w_boson,
            ],
            dim=1,
        )
