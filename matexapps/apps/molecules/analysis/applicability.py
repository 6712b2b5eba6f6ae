"""The applicability domain: which training molecules support a prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matexapps.apps.molecules.featurizers.rows import featurize_rows, row_features
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.prediction import training_molecules
from matexapps.apps.molecules.splits.similarity import nearest
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.domain import TrainedModel
from matexapps.experiment.ranks import Ranks


def nearest_training_molecules(
    model: TrainedModel, smiles: Sequence[str], count: int = 3
) -> pd.DataFrame:
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
    network, task, training = model.network, model.task, training_molecules(model)
    assert isinstance(network, MoleculeNetwork)
    assert isinstance(task, MoleculeTask)
    components = network.architecture.components
    features = featurize_rows(smiles, smiles, components, ["fingerprint"], Ranks.single())
    indices, similarity = nearest(
        row_features(features, "fingerprint"), training.fingerprints, count
    )
    neighbors = indices.ravel()
    values = {str(target): training.values[neighbors, i] for i, target in enumerate(task.targets)}
    return pd.DataFrame(
        {
            "molecule": np.repeat(np.array(smiles, object), indices.shape[1]),
            "neighbor": [training.smiles[i] for i in neighbors],
            "similarity": similarity.ravel(),
            **values,
        }
    )
