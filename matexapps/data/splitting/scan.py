"""One pass over a file that does not fit into memory: checks, digest, labels, keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share
from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts
from matexapps.data.sources.reader import Reader
from matexapps.progress import report_work


@dataclass(frozen=True)
class Scan:
    """Results of one pass over a file.

    Attributes
    ----------
    digest : str
        Fingerprint of all rows; equal rows, equal text, on any number of ranks.
    labels : LabelFacts
    label, key : ndarray, shape (rows,), or None
        The complete column, if it was requested.
    """

    digest: str
    labels: LabelFacts
    label: NDArray[Any] | None
    key: NDArray[Any] | None


def scan(reader: Reader, block_rows: int, comm: Communicator, *, keep_label: bool) -> Scan:
    """Read every row once, each rank its share of the blocks. Collective.

    Parameters
    ----------
    reader : Reader
    block_rows : int
        Rows of a block.
    comm : Communicator
    keep_label : bool
        Whether the labels of all rows are wanted; the keys are kept where the reader has them.

    Raises
    ------
    DataError
        For the first value that cannot be used; the same on every rank.
    """
    blocks = -(-len(reader) // block_rows)
    part = share(blocks, comm.rank, comm.world_size)
    digests: list[bytes] = []
    facts = LabelFacts()
    labels: list[NDArray[Any]] = []
    keys: list[NDArray[Any]] = []

    def scan_own_blocks() -> None:
        nonlocal facts
        for block in range(part.start, part.stop):
            rows = reader.read(block * block_rows, min((block + 1) * block_rows, len(reader)))
            digests.append(_digest(rows))
            facts = facts.merge(LabelFacts.of(rows.label, rows.ids))
            if keep_label:
                labels.append(rows.label)
            if rows.key is not None:
                keys.append(rows.key)
            _report(reader, block + 1 - part.start, part.stop - part.start, comm)

    comm.on_all(scan_own_blocks)
    merged = LabelFacts()
    for own in comm.all_gather_object(facts):
        merged = merged.merge(own)
    state = hashlib.blake2b("\0".join(reader.columns).encode(), digest_size=16)
    for some in comm.all_gather_object(digests):
        for digest in some:
            state.update(digest)
    return Scan(state.hexdigest(), merged, _joined(labels, comm), _joined(keys, comm))


def _digest(rows: Rows) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for array in (rows.features, rows.label, rows.weight):
        if array is not None:
            state.update(np.ascontiguousarray(array).view(np.uint8).data)
    return state.digest()


def _joined(pieces: list[NDArray[Any]], comm: Communicator) -> NDArray[Any] | None:
    """Join all ranks' pieces of a column; None where no rank has any."""
    mine = np.concatenate(pieces) if pieces else None
    everybody = comm.all_gather_object(None if mine is None else mine.dtype)
    dtype = next((given for given in everybody if given is not None), None)
    if dtype is None:
        return None
    if mine is None:
        mine = np.empty(0, dtype)
    if dtype.kind == "O":
        return np.concatenate(comm.all_gather_object(mine))
    return comm.all_gather_rows(mine.astype(dtype, copy=False))


def _report(reader: Reader, done: int, total: int, comm: Communicator) -> None:
    report_work(f"scanning {reader.path.name}", done, total, "blocks", comm.rank, comm.world_size)
