"""Features of many molecules, computed by all ranks and kept for the next time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from rdkit import Chem, rdBase

from matexapps import progress
from matexapps.apps.molecules.featurisers import FEATURISERS, Arrays, Featuriser
from matexapps.apps.molecules.featurisers.cache import FeatureCache
from matexapps.apps.molecules.featurisers.featuriser import join
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share

_REPORT_EVERY = 200


def featurise(
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
        Of :data:`~matexapps.apps.molecules.featurisers.FEATURISERS`.
    comm : Communicator
    cache : FeatureCache or None
        Where features computed before are, and new ones are put.
    """
    part = share(len(smiles), comm.rank, comm.world_size)
    found: Arrays = {}
    for name in names:
        featuriser = FEATURISERS[name]()
        mine, new, error = None, None, None
        try:
            mine, new = _own(featuriser, smiles[part], inchikeys[part], comm, cache)
        except Exception as caught:
            error = caught
        comm.agree(error)
        assert mine is not None
        if cache is not None:
            everything = [one for one in comm.all_gather_object(new) if one]
            comm.on_root(partial(_write, cache, featuriser, everything))
        # Arrays from the cache come in any order, which differs between ranks.
        for key in sorted(mine):
            found[key] = comm.all_gather_rows(np.ascontiguousarray(mine[key]))
    return found


def _own(
    featuriser: Featuriser,
    smiles: Sequence[str],
    inchikeys: Sequence[str],
    comm: Communicator,
    cache: FeatureCache | None,
) -> tuple[Arrays, dict[str, Arrays]]:
    """Return the features of this rank's molecules, and those that were not in the cache."""
    keys = [f"{inchikey} {one}" for inchikey, one in zip(inchikeys, smiles, strict=True)]
    known = {} if cache is None else cache.read(featuriser, keys)
    new: dict[str, Arrays] = {}
    parts = []
    for done, (key, one) in enumerate(zip(keys, smiles, strict=True)):
        if done % _REPORT_EVERY == 0:
            progress.report_work(
                f"computing features: {featuriser.name}",
                done,
                len(smiles),
                "molecules",
                comm.rank,
                comm.world_size,
            )
        arrays = known.get(key)
        if arrays is None:
            with rdBase.BlockLogs():
                arrays = new[key] = featuriser.compute(Chem.MolFromSmiles(one))
        parts.append(arrays)
    if not parts:  # fewer molecules than ranks
        arrays = featuriser.compute(Chem.MolFromSmiles("C"))
        return {name: array[:0] for name, array in arrays.items()}, new
    return join(parts), new


def _write(cache: FeatureCache, featuriser: Featuriser, found: list[dict[str, Arrays]]) -> None:
    for one in found:
        cache.write(featuriser, one)
