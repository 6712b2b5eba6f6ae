"""The applicability domain: which training molecules stand behind a prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matexapps.apps.molecules.data.components import featurize_rows, side_by_side
from matexapps.apps.molecules.model import Model
from matexapps.apps.molecules.splits.similarity import nearest
from matexapps.comm.single import SingleProcess


def nearest_training_molecules(model: Model, smiles: Sequence[str], count: int = 3) -> pd.DataFrame:
    """Return the training molecules that are most similar to each molecule, with their values.

    Parameters
    ----------
    model : Model
    smiles : sequence of str
        Of standard forms; several structures of a row are joined.
    count : int
        How many for each.

    Returns
    -------
    DataFrame
        ``molecule``, ``neighbor``, SMILES; ``similarity``; then each target's measured value,
        with its unit in the name. Molecules stand in the order given, nearest neighbors first.
    """
    components = model.network.architecture.components
    features = featurize_rows(smiles, smiles, components, ["fingerprint"], SingleProcess())
    learned = model.training
    places, similarity = nearest(side_by_side(features, "fingerprint"), learned.fingerprints, count)
    found = places.ravel()
    values = {str(one): learned.values[found, i] for i, one in enumerate(model.targets)}
    return pd.DataFrame(
        {
            "molecule": np.repeat(np.array(smiles, object), places.shape[1]),
            "neighbor": [learned.smiles[place] for place in found],
            "similarity": similarity.ravel(),
            **values,
        }
    )
