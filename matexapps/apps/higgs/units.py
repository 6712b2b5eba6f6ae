"""Units of the 28 columns: GeV and radians, or the plain numbers of the UCI file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.schema import FEATURES
from matexapps.errors import DataError

_PHI = 1.8024
_EVENT = (54.616, 1.02668, _PHI, 58.178, _PHI)
_JETS = (
    (109.138, 1.00984, _PHI, 2 / 2.173),
    (79.410, 1.02941, _PHI, 2 / 2.215),
    (56.933, 1.09856, _PHI, 2 / 2.548),
    (41.075, 1.20073, _PHI, 2 / 3.102),
)
_MASSES = (87.68, 179.65, 81.376, 195.13, 126.54, 336.13, 511.28)

UCI_UNITS: NDArray[np.float32] = np.array(
    (*_EVENT, *(value for jet in _JETS for value in jet), *_MASSES), dtype=np.float32
)
"""What 1 means in each column of the UCI file: GeV, unit of pseudorapidity, radian, b-tag level.

The file gives magnitudes divided by constants that its authors did not publish. These follow from
the rows themselves: azimuths end at pi; m_bb of two b-tagged jets fixes the units of the jets'
momenta and pseudorapidities to 0.05 percent, m_jlv those of lepton and missing momentum, and m_lv,
which is the W mass wherever that can be, fixes GeV to about 0.5 percent. In these units leptons
start at 15 GeV and end at a pseudorapidity of 2.5, jets at 15 GeV and 3.0.
"""

_AZIMUTHS = [i for i, name in enumerate(FEATURES) if name.endswith("_phi")]
_UCI_LARGEST_AZIMUTH = 1.75


_MOMENTA = [i for i, name in enumerate(FEATURES) if name.endswith("_pt")]
_ROWS_LOOKED_AT = 100_000
_OTHER_UNITS = 7.0  # of 41 to 109, by which GeV and the UCI file's units of momenta differ


def typical_momentum(features: NDArray[np.float32]) -> float:
    """Return the median transverse momentum of leptons and jets, in the rows' own units.

    Some tens for rows in GeV, about 1 for those of the UCI file.

    Parameters
    ----------
    features : ndarray, shape (rows, 28)
    """
    stride = max(1, len(features) // _ROWS_LOOKED_AT)
    return float(np.nanmedian(features[::stride, _MOMENTA]))


def check_units(features: NDArray[np.float32], trained: float, name: str) -> None:
    """Make sure that rows have the units of those that a model was trained on.

    Parameters
    ----------
    features : ndarray, shape (rows, 28)
    trained : float
        Typical momentum of the training rows.
    name : str
        What messages call the rows.

    Raises
    ------
    DataError
        If the rows are in GeV and the training rows were in the UCI file's units, or vice versa.
    """
    known = features[np.isfinite(features[:, _MOMENTA]).any(axis=1)]
    if len(known) == 0:
        return
    typical = typical_momentum(known)
    if trained / _OTHER_UNITS <= typical <= trained * _OTHER_UNITS:
        return
    units = ["the plain numbers of UCI HIGGS", "GeV"]
    rows, model = units if trained > typical else units[::-1]
    raise DataError(
        f"{name}: the median momentum of leptons and jets is {typical:.3g}, that of the model's "
        f"training rows is {trained:.3g}. The rows seem to be in {rows}, and the model reads "
        f"{model}: convert them (matexapps.apps.higgs.units.UCI_UNITS has what 1 stands for in "
        "each column), or use a model that was trained on such rows"
    )


def column_units(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what 1 means in each column of these rows: ones, or :data:`UCI_UNITS`.

    Azimuths of physical rows reach pi, those of the UCI file only 1.743.

    Parameters
    ----------
    features : ndarray, shape (rows, 28)

    Raises
    ------
    DataError
        If the rows do not have the 28 columns of the HIGGS schema.
    """
    if features.ndim != 2 or features.shape[1] != len(FEATURES):
        raise DataError(
            f"features of shape {features.shape} are not HIGGS rows: give the {len(FEATURES)} "
            "columns of matexapps.apps.higgs.schema.FEATURES, in that order"
        )
    largest = float(np.abs(features[:, _AZIMUTHS]).max()) if len(features) else 0.0
    return UCI_UNITS.copy() if largest < _UCI_LARGEST_AZIMUTH else np.ones_like(UCI_UNITS)
