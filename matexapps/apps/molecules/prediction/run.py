"""Prediction of a library on all ranks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matexapps import progress
from matexapps.apps.molecules.data.components import standardize_rows
from matexapps.apps.molecules.data.reader import LibraryRow, read_library
from matexapps.apps.molecules.fault_tolerant import run_reporting_failures
from matexapps.apps.molecules.featurizers.featurize import work_estimate
from matexapps.apps.molecules.model import Model, load_model
from matexapps.apps.molecules.prediction.settings import PredictionSettings
from matexapps.apps.molecules.prediction.table import header, lines
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share_by_work
from matexapps.errors import DataError
from matexapps.experiment.settings import from_plain
from matexapps.files import GrowingFile

PIECE = 4096
"""Rows that ranks predict together, and the most that are held in memory."""

WHAT = "predicting molecules"


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Predict each row of a library and write the table, in the library's order. Collective.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.prediction.settings.PredictionSettings`.
    comm : Communicator

    Returns
    -------
    dict
        On every rank: numbers of rows and bad rows, and the speed.

    Raises
    ------
    DataError
        If model or library cannot be read, or the table cannot be written.
    TrainingError
        If the settings cannot be used.
    """
    chosen = from_plain(PredictionSettings, settings)
    began = time.monotonic()
    model = comm.on_all(lambda: load_model(chosen.model))
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
    """Write header and lines; return the numbers of rows and of bad rows. Collective."""
    rows = bad = 0
    size = _append(table, 0, header(model), comm)
    for piece in read_library(library, smiles_columns, PIECE):
        when = f"while rows from {rows + 1:,} on were predicted"
        text, rejected = run_reporting_failures(
            comm, when, partial(_predict, rows, piece, model, comm)
        )
        size = _append(table, size, text, comm)
        rows, bad = rows + len(piece), bad + rejected
        progress.report_work(WHAT, rows, None, "molecules", comm.rank, comm.world_size)
    run_reporting_failures(comm, "at the end", lambda: comm.on_root(table.finish))
    return rows, bad


def _columns(model: Model, given: str | Sequence[str] | None) -> str | Sequence[str] | None:
    """Return the library's columns of structures: by default, if several, those of the training."""
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


def _predict(
    before: int, rows: list[LibraryRow], model: Model, comm: Communicator
) -> tuple[str, int]:
    """Return the lines of a piece, in order, and how many rows are bad. Collective."""
    work = [sum(map(work_estimate, row.structures)) for row in rows]
    share = share_by_work(work, comm.rank, comm.world_size)

    def predict_share() -> tuple[str, int]:
        structures = [row.structures for row in rows[share]]
        standards = standardize_rows(structures, model.smiles_columns)
        text = lines(before + share.start + 1, rows[share], standards, model)
        return text, sum(isinstance(standard, str) for standard in standards)

    results = comm.all_gather_object(comm.on_all(predict_share))
    return "".join(text for text, _ in results), sum(bad for _, bad in results)


def _append(table: GrowingFile, size: int, text: str, comm: Communicator) -> int:
    """Append to a table of ``size`` bytes on rank 0, and return its new size. Collective."""
    content = text.encode()

    def write() -> None:
        comm.on_root(lambda: table.write(size, content))

    run_reporting_failures(comm, "while rows were written", write)
    return size + len(content)
