"""Events that look like those of the HIGGS schema, without a simulator."""

from __future__ import annotations

import numpy as np
import pytest

from matexapps.apps.higgs.schema import FEATURES
from matexapps.data.rows import Rows


def make_events(rows: int, seed: int = 0) -> np.ndarray:
    """Return features in GeV and rad, shape (rows, 28): two tagged jets of four in each."""
    rng = np.random.default_rng(seed)
    features = np.empty((rows, 28), dtype=np.float32)
    for column, name in enumerate(FEATURES):
        if name.endswith("_eta"):
            features[:, column] = rng.uniform(-2.4, 2.4, rows)
        elif name.endswith("_phi"):
            features[:, column] = rng.uniform(-np.pi, np.pi, rows)
        elif name.endswith("_b_tag"):
            features[:, column] = 0
        else:
            features[:, column] = 20 + rng.exponential(60, rows)
    tagged = np.argsort(rng.random((rows, 4)), axis=1)[:, :2]
    for place in range(2):
        features[np.arange(rows), 8 + 4 * tagged[:, place]] = rng.integers(1, 3, rows)
    return features


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
