"""The splits that settings ask for.

``scaffold`` and ``cluster`` keep similar molecules together, so that the test molecules are new
chemistry; ``random`` lets relatives of the training molecules into the test part.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from matexapps.apps.molecules.data.components import split_structures
from matexapps.apps.molecules.featurizers.rows import structure_indices
from matexapps.apps.molecules.prepared import Prepared
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.splits.split import column_split, group_split, time_split
from matexapps.apps.molecules.splits.structures import butina, scaffold
from matexapps.experiment.splitting import PARTS, Split, learning_curve, make_split


def make_splits(settings: MoleculeSettings, prepared: Prepared) -> dict[str, Split]:
    """Return the chosen split, the random one if it is compared, and those of a learning curve."""
    names = [settings.split]
    if settings.compare_random and settings.split != "random":
        names.append("random")
    splits = {name: split_by(name, settings, prepared) for name in names}
    chosen = splits[settings.split]
    curve = learning_curve(settings.split, chosen, settings.learning_curve, settings.seed)
    return {**splits, **curve}


def split_by(kind: str, settings: MoleculeSettings, prepared: Prepared) -> Split:
    """Return a split, in no part of which are molecules without any known value.

    Where a row has several structures, scaffolds and clusters are those of the first.
    """
    split = _split_all(kind, settings, prepared)
    known = np.asarray(np.isfinite(prepared.molecules.values).any(1))
    parts = {name: getattr(split, name) for name in PARTS}
    return replace(split, **{name: part[known[part]] for name, part in parts.items()})


def _split_all(kind: str, settings: MoleculeSettings, prepared: Prepared) -> Split:
    molecules, shares = prepared.molecules, (settings.validation, settings.test)
    if kind == "scaffold":
        scaffolds = [scaffold(split_structures(row)[0]) for row in molecules.smiles]
        return group_split(scaffolds, *shares, settings.seed)
    if kind == "cluster":
        structures = structure_indices(prepared.features, len(molecules))[:, 0]
        first, inverse = np.unique(structures, return_inverse=True)
        clusters = butina(prepared.features["fingerprint"][first])[inverse]
        return group_split(clusters.tolist(), *shares, settings.seed)
    if kind == "random":
        return make_split("random", len(molecules), *shares, settings.seed)
    assert molecules.part_keys is not None
    if kind == "time":
        return time_split(molecules.part_keys, *shares)
    return column_split(molecules.part_keys)
