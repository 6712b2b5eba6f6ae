"""Events that look like those of the HIGGS schema, without a simulator."""

from __future__ import annotations

import numpy as np

from matexapps.apps.higgs.schema import FEATURES


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
    for jet in range(2):
        features[np.arange(rows), 8 + 4 * tagged[:, jet]] = rng.integers(1, 3, rows)
    return features
