"""Features of many molecules, computed by all ranks and cached for the next time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rdkit import Chem, rdBase

from matexapps import progress
from matexapps.apps.molecules.featurizers import FEATURIZERS, Arrays, Featurizer
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurizer import concatenate
from matexapps.data.partition import share_by_work
from matexapps.experiment.ranks import Ranks

_REPORT_EVERY = 200
_FIXED_COST = 8  # of any molecule, in characters


def featurize(
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    names: Sequence[str],
    ranks: Ranks,
    cache: FeatureCache | None = None,
) -> Arrays:
    """Return the features of all molecules on every rank. Collective.

    Parameters
    ----------
    smiles, inchikeys : sequence of str
        Of standard forms, at least one; the same on all ranks.
    names : sequence of str
        Of :data:`~matexapps.apps.molecules.featurizers.FEATURIZERS`.
    ranks : Ranks
    cache : FeatureCache or None
        Where earlier features are read from and new ones are stored.
    """
    share = share_by_work(list(map(work_estimate, smiles)), ranks.rank, ranks.world_size)
    featurizers = [FEATURIZERS[name]() for name in names]

    def compute_share() -> tuple[list[Arrays], list[dict[str, Arrays]]]:
        with rdBase.BlockLogs():
            return _compute(featurizers, smiles[share], inchikeys[share], ranks, cache)

    own, new = ranks.on_all(compute_share)
    if cache is not None:
        for featurizer, computed in zip(featurizers, new, strict=True):
            gathered = ranks.gather(computed)
            ranks.on_root(partial(_store, cache, featurizer, gathered))
    # Arrays from the cache come in an order that differs between ranks.
    return {key: ranks.gather_rows(arrays[key]) for arrays in own for key in sorted(arrays)}


def work_estimate(smiles: str) -> int:
    """Return how much work the features of a molecule are, in characters of SMILES."""
    return len(smiles) + _FIXED_COST


def _compute(
    featurizers: Sequence[Featurizer],
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    ranks: Ranks,
    cache: FeatureCache | None,
) -> tuple[list[Arrays], list[dict[str, Arrays]]]:
    """Return each featurizer's features of this rank's molecules, and those the cache lacks.

    A molecule is parsed once for all featurizers: descriptors leave intermediate results in it.
    """
    keys = [f"{inchikey} {text}" for inchikey, text in zip(inchikeys, smiles, strict=True)]
    known = [{} if cache is None else cache.read(item, keys) for item in featurizers]
    new: list[dict[str, Arrays]] = [{} for _ in featurizers]
    features: list[list[Arrays]] = [[] for _ in featurizers]
    work = "computing features: " + ", ".join(item.name for item in featurizers)
    for done, (key, text) in enumerate(zip(keys, smiles, strict=True)):
        if done % _REPORT_EVERY == 0:
            progress.report_work(work, done, len(smiles), "molecules", ranks.rank, ranks.world_size)
        molecule = None
        for i, featurizer in enumerate(featurizers):
            arrays = known[i].get(key)
            if arrays is None:
                if molecule is None:
                    molecule = Chem.MolFromSmiles(text)
                arrays = featurizer.compute(molecule)
                if cache is not None:
                    new[i][key] = arrays
            features[i].append(arrays)
    if not smiles:  # fewer molecules than ranks
        return [_empty(item) for item in featurizers], new
    return [concatenate(item) for item in features], new


def _empty(featurizer: Featurizer) -> Arrays:
    """Return the arrays of no molecule."""
    arrays = featurizer.compute(Chem.MolFromSmiles("C"))
    return {name: array[:0] for name, array in arrays.items()}


def _store(cache: FeatureCache, featurizer: Featurizer, gathered: list[dict[str, Arrays]]) -> None:
    for computed in gathered:
        cache.write(featurizer, computed)
