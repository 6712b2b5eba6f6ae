"""The table of predictions: a row for each row of the library, in its order."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from matexapps.apps.molecules.data.reader import LibraryRow
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.model import Model, Predictions


def header(model: Model) -> str:
    """Return the first line.

    The columns are: name and structures as given, the standard form that is predicted, the columns
    of each target's task, similarity to the nearest training molecule, that molecule, and why a row
    has no prediction.
    """
    names = ["row", "name", *model.smiles_columns, "standard_smiles"]
    for target in model.targets:
        names += model.task.columns(target)
    return _line([*names, "similarity", "nearest", "error"])


def lines(
    first_row: int, rows: Sequence[LibraryRow], standards: Sequence[Standard | str], model: Model
) -> str:
    """Return a line for each row; a rejected one has the reason instead of values.

    Parameters
    ----------
    first_row : int
        Number of the first row, counted from 1.
    rows : sequence of LibraryRow
    standards : sequence of Standard or str
        Their standard forms, or reasons of rejection.
    model : Model
    """
    valid = [standard.smiles for standard in standards if isinstance(standard, Standard)]
    cells = iter(_cells(model, model.predict(valid)) if valid else ())
    blank = [""] * (sum(len(model.task.columns(target)) for target in model.targets) + 3)
    text = []
    values: list[object]
    for row, (given, standard) in enumerate(zip(rows, standards, strict=True), start=first_row):
        if isinstance(standard, Standard):
            values = [standard.smiles, *next(cells), ""]
        else:
            values = [*blank, standard]
        text.append(_line([row, given.name, *given.structures, *values]))
    return "".join(text)


def _cells(model: Model, predictions: Predictions) -> list[list[object]]:
    texts = model.task.cells(predictions.estimates, predictions.regions, model.targets)
    similarity = (f"{value:.3f}" for value in predictions.similarity)
    return [
        [*row, near, nearest if float(near) else ""]
        for row, near, nearest in zip(texts, similarity, predictions.nearest, strict=True)
    ]


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
