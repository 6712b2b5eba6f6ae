"""The applicability domain: which training molecules support a prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matexapps.apps.molecules.featurizers.rows import featurize_rows, row_features
from matexapps.apps.molecules.model import Model
from matexapps.apps.molecules.splits.similarity import nearest
from matexapps.comm.single import SingleProcess


def nearest_training_molecules(model: Model, smiles: Sequence[str], count: int = 3) -> pd.DataFrame:
    """Return the training molecules most similar to each molecule, with their values.

    Parameters
    ----------
    model : Model
    smiles : sequence of str
        Of standard forms; several structures of a row are joined.
    count : int
        Neighbors of each molecule.

    Returns
    -------
    DataFrame
        ``molecule``, ``neighbor``, SMILES; ``similarity``; then each target's measured value,
        with its unit in the name. Molecules are in the order given, nearest neighbors first.
    """
    components = model.network.architecture.components
    features = featurize_rows(smiles, smiles, components, ["fingerprint"], SingleProcess())
    training = model.training
    indices, similarity = nearest(
        row_features(features, "fingerprint"), training.fingerprints, count
    )
    neighbors = indices.ravel()
    values = {str(target): training.values[neighbors, i] for i, target in enumerate(model.targets)}
    return pd.DataFrame(
        {
            "molecule": np.repeat(np.array(smiles, object), indices.shape[1]),
            "neighbor": [training.smiles[i] for i in neighbors],
            "similarity": similarity.ravel(),
            **values,
        }
    )
