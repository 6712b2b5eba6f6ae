"""Units of the 28 columns: GeV and radians, or the plain numbers of the UCI file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.schema import FEATURES
from matexapps.errors import DataError

_PHI = 1.8024
_EVENT = (54.0, 1.0288, _PHI, 59.0, _PHI)
_JETS = (
    (110.8, 0.8418, _PHI, 2 / 2.173),
    (81.8, 0.8594, _PHI, 2 / 2.215),
    (58.9, 0.9164, _PHI, 2 / 2.548),
    (42.7, 1.0016, _PHI, 2 / 3.102),
)
_MASSES = (89.9, 181.3, 81.5, 196.9, 129.2, 340.0, 503.0)

UCI_UNITS: NDArray[np.float32] = np.array(
    (*_EVENT, *(value for jet in _JETS for value in jet), *_MASSES), dtype=np.float32
)
"""What 1 means in each column of the UCI file: GeV, unit of pseudorapidity, radian, b-tag level.

The file gives magnitudes divided by constants that its authors did not publish. These follow from
the rows themselves: azimuths end at pi, pseudorapidities at 2.5, m_lv equals the transverse mass
wherever that exceeds the W mass, and the other masses follow from the momenta of jets, lepton and
neutrino. The common scale of jets and masses is known to about 3 percent.
"""

_AZIMUTHS = [i for i, name in enumerate(FEATURES) if name.endswith("_phi")]
_UCI_LARGEST_AZIMUTH = 1.75


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
