"""The rows that an experiment learns from: molecules with their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from matexapps.apps.molecules.baselines import FEATURES
from matexapps.apps.molecules.data.molecule_set import MoleculeSet, merge, standardize_records
from matexapps.apps.molecules.data.noise_floor import NoiseFloor, noise_floors
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurizer import Arrays
from matexapps.apps.molecules.featurizers.rows import featurize_rows
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.tasks.registry import kind_of
from matexapps.data.catalog import catalog
from matexapps.errors import DataError
from matexapps.experiment.ranks import Ranks


@dataclass(frozen=True)
class Prepared:
    """Molecules with their features, the same on all ranks.

    Attributes
    ----------
    molecules : MoleculeSet
    features : dict of str to ndarray
    noise : sequence of NoiseFloor or None
        For each target; None where no molecule was measured twice.
    pretrained : frozenset of str
        InChIKeys of the molecules that the training's initial weights have learned from.
    """

    molecules: MoleculeSet
    features: Arrays
    noise: Sequence[NoiseFloor | None]
    pretrained: frozenset[str] = frozenset()


def prepare(settings: MoleculeSettings, ranks: Ranks) -> Prepared:
    """Read, standardize, merge and featurize the molecules. Collective."""
    records = ranks.on_root(lambda: load_records(settings))
    molecules = merge(records, standardize_records(records, ranks))
    architecture = Architecture(network=settings.network, members=settings.members)
    features = featurize_rows(
        molecules.smiles,
        molecules.inchikeys,
        len(molecules.smiles_columns),
        list(dict.fromkeys((*FEATURES, *architecture.features))),
        ranks,
        None if settings.cache is None else FeatureCache(settings.cache),
    )
    return Prepared(molecules, features, noise_floors(records, molecules))


def load_records(settings: MoleculeSettings) -> Records:
    """Read the rows that an experiment uses: those with a value, or a random draw from them.

    Raises
    ------
    DataError
        If there is no such file or name, it cannot be read, or it has nothing to learn.
    """
    records = read_records(
        settings.data,
        smiles_columns=settings.smiles_columns,
        target_columns=settings.target_columns or None,
        part_column=settings.split_column,
        classes=settings.classes,
    )
    units = catalog.units(settings.data)
    targets = [replace(item, unit=units.get(item.name, item.unit)) for item in records.targets]
    records = replace(records, targets=targets)
    if not records.targets:
        kind = "numbers" if settings.classes is None else " or ".join(map(repr, settings.classes))
        raise DataError(
            f"{records.source} has no column that holds only {kind}: name one with "
            "target_columns to see which of its cells holds something else"
        )
    kind_of(records.targets)
    known = np.flatnonzero(np.isfinite(records.values).any(1))
    if len(known) == 0:
        raise DataError(f"{records.source} has no value in {', '.join(map(str, records.targets))}")
    if settings.molecules is not None and settings.molecules < len(known):
        drawn = np.random.default_rng(settings.seed).permutation(known)[: settings.molecules]
        known = np.sort(drawn)
    return records.take(known)
