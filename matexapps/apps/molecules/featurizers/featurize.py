"""Features of many molecules, computed by all ranks and kept for the next time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from rdkit import Chem, rdBase

from matexapps import progress
from matexapps.apps.molecules.featurizers import FEATURISERS, Arrays, Featurizer
from matexapps.apps.molecules.featurizers.cache import FeatureCache
from matexapps.apps.molecules.featurizers.featurizer import join
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share_by_work

_REPORT_EVERY = 200
_CHARACTERS_OF_ANY = 8  # a molecule without atoms would take as long as these


def featurize(
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    names: Sequence[str],
    comm: Communicator,
    cache: FeatureCache | None = None,
) -> Arrays:
    """Return the features of all molecules on every rank. Collective.

    Parameters
    ----------
    smiles, inchikeys : sequence of str
        Of standard forms, at least one; the same on all ranks.
    names : sequence of str
        Of :data:`~matexapps.apps.molecules.featurizers.FEATURISERS`.
    comm : Communicator
    cache : FeatureCache or None
        Where features computed before are, and new ones are put.
    """
    part = share_by_work(list(map(work_of, smiles)), comm.rank, comm.world_size)
    featurizers = [FEATURISERS[name]() for name in names]
    mine: list[Arrays] = []
    new: list[dict[str, Arrays]] = []
    error = None
    try:
        with rdBase.BlockLogs():
            mine, new = _own(featurizers, smiles[part], inchikeys[part], comm, cache)
    except Exception as caught:
        error = caught
    comm.agree(error)
    if cache is not None:
        for featurizer, computed in zip(featurizers, new, strict=True):
            everything = comm.all_gather_object(computed)
            comm.on_root(partial(_write, cache, featurizer, everything))
    # Arrays from the cache come in any order, which differs between ranks.
    return {
        key: comm.all_gather_rows(np.ascontiguousarray(arrays[key]))
        for arrays in mine
        for key in sorted(arrays)
    }


def work_of(smiles: str) -> int:
    """Return how much work a molecule's features are, in characters of SMILES."""
    return len(smiles) + _CHARACTERS_OF_ANY


def _own(
    featurizers: Sequence[Featurizer],
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    comm: Communicator,
    cache: FeatureCache | None,
) -> tuple[list[Arrays], list[dict[str, Arrays]]]:
    """Return each featurizer's features of this rank's molecules, and what the cache lacks.

    A molecule is read once for all featurizers: descriptors keep in it what others ask for again.
    """
    keys = [f"{inchikey} {one}" for inchikey, one in zip(inchikeys, smiles, strict=True)]
    known = [{} if cache is None else cache.read(one, keys) for one in featurizers]
    new: list[dict[str, Arrays]] = [{} for _ in featurizers]
    parts: list[list[Arrays]] = [[] for _ in featurizers]
    what = ", ".join(featurizer.name for featurizer in featurizers)
    for done, (key, one) in enumerate(zip(keys, smiles, strict=True)):
        if done % _REPORT_EVERY == 0:
            progress.report_work(
                f"computing features: {what}",
                done,
                len(smiles),
                "molecules",
                comm.rank,
                comm.world_size,
            )
        molecule = None
        for place, featurizer in enumerate(featurizers):
            arrays = known[place].get(key)
            if arrays is None:
                if molecule is None:
                    molecule = Chem.MolFromSmiles(one)
                arrays = featurizer.compute(molecule)
                if cache is not None:
                    new[place][key] = arrays
            parts[place].append(arrays)
    if not smiles:  # fewer molecules than ranks
        some = [one.compute(Chem.MolFromSmiles("C")) for one in featurizers]
        return [{name: array[:0] for name, array in one.items()} for one in some], new
    return [join(some) for some in parts], new


def _write(cache: FeatureCache, featurizer: Featurizer, found: list[dict[str, Arrays]]) -> None:
    for one in found:
        cache.write(featurizer, one)
