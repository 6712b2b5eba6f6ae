"""Prediction of a library on all ranks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matexapps import progress
from matexapps.apps.molecules.data.components import standardize_rows
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.fault_tolerant import go_on
from matexapps.apps.molecules.featurizers.featurize import work_of
from matexapps.apps.molecules.model import Model, load_model
from matexapps.apps.molecules.prediction.library import Row, pieces
from matexapps.apps.molecules.prediction.settings import PredictionSettings
from matexapps.apps.molecules.prediction.table import GrowingFile, header, lines
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share_by_work
from matexapps.errors import DataError
from matexapps.experiment.settings import from_plain

PIECE = 4096
"""Rows that ranks share out at a time, and the most that are held in memory."""

WHAT = "predicting molecules"


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Predict each row of a library once and write the table, in the library's order. Collective.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.prediction.settings.PredictionSettings`.
    comm : Communicator

    Returns
    -------
    dict
        On every rank, what was done and how fast.

    Raises
    ------
    DataError
        If model or library cannot be read, or the table cannot be written.
    TrainingError
        If the settings cannot be used.
    """
    chosen = from_plain(PredictionSettings, settings)
    began = time.monotonic()
    model = _loaded(chosen.model, comm)
    table = GrowingFile(chosen.table)
    try:
        columns = _columns(model, chosen.smiles_columns)
        rows, bad = _write_all(table, model, Path(chosen.library), columns, comm)
    finally:
        if comm.rank == 0:
            table.discard()
    seconds = time.monotonic() - began
    return {
        "out": str(chosen.table),
        "rows": rows,
        "bad": bad,
        "ranks": comm.world_size,
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds, 1),
    }


def _write_all(
    table: GrowingFile,
    model: Model,
    library: Path,
    smiles_columns: str | Sequence[str] | None,
    comm: Communicator,
) -> tuple[int, int]:
    """Write header and lines; return how many rows there are, and how many are bad. Collective."""
    rows = bad = 0
    at = _append(table, 0, header(model), comm)
    for piece in pieces(library, smiles_columns, PIECE):
        when = f"while rows from {rows + 1:,} on were predicted"
        text, rejected = go_on(comm, when, partial(_predict, rows, piece, model, comm))
        at = _append(table, at, text, comm)
        rows, bad = rows + len(piece), bad + rejected
        progress.report_work(WHAT, rows, None, "molecules", comm.rank, comm.world_size)
    go_on(comm, "at the end", lambda: comm.on_root(table.finish))
    return rows, bad


def _columns(model: Model, given: str | Sequence[str] | None) -> str | Sequence[str] | None:
    """Return the library's columns of structures; those of the training where several belong."""
    needed = model.network.architecture.components
    if given is None:
        return model.smiles_columns if needed > 1 else None
    count = 1 if isinstance(given, str) else len(given)
    if count != needed:
        raise DataError(
            f"smiles_columns={given}: the model has learned from {needed} structures a row "
            f"({', '.join(model.smiles_columns)}), so name as many columns"
        )
    return given


def _loaded(folder: str, comm: Communicator) -> Model:
    model, error = None, None
    try:
        model = load_model(folder)
    except DataError as caught:
        error = caught
    comm.agree(error)
    assert model is not None
    return model


def _predict(before: int, rows: list[Row], model: Model, comm: Communicator) -> tuple[str, int]:
    """Return the lines of a piece, in order, and how many rows are bad. Collective."""
    work = [sum(map(work_of, row.structures)) for row in rows]
    part = share_by_work(work, comm.rank, comm.world_size)
    text, bad, error = "", 0, None
    try:
        structures = [row.structures for row in rows[part]]
        standards = standardize_rows(structures, model.smiles_columns)
        text = lines(before + part.start + 1, rows[part], standards, model)
        bad = sum(not isinstance(one, Standard) for one in standards)
    except Exception as caught:
        error = caught
    comm.agree(error)
    found = comm.all_gather_object((text, bad))
    return "".join(text for text, _ in found), sum(bad for _, bad in found)


def _append(table: GrowingFile, at: int, text: str, comm: Communicator) -> int:
    """Write behind what is there, on rank 0, and return where it ends. Collective."""
    content = text.encode()
    go_on(comm, "while rows were written", lambda: comm.on_root(lambda: table.write(at, content)))
    return at + len(content)
