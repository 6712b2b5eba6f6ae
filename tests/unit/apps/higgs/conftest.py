"""Events for the tests of Higgs."""

from __future__ import annotations

import numpy as np
import pytest
from higgs_events import make_events

from matexapps.apps.higgs.schema import FEATURES
from matexapps.data.rows import Rows


@pytest.fixture
def events() -> np.ndarray:
    """200 events in GeV and rad."""
    return make_events(200)


@pytest.fixture
def separable() -> tuple[Rows, Rows, Rows]:
    """Training, validation and test rows whose label depends on m_bb, with some noise."""
    parts = []
    for seed, rows in ((1, 1500), (2, 400), (3, 400)):
        features = make_events(rows, seed)
        noise = np.random.default_rng(seed + 10).normal(0, 8, rows)
        label = (features[:, FEATURES.index("m_bb")] + noise < 60).astype(np.float32)
        parts.append(Rows.from_arrays(features, label, columns=list(FEATURES)))
    return parts[0], parts[1], parts[2]
