"""The table of predictions: a row for each row of the library, in its order."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.model import Model, Predictions
from matexapps.apps.molecules.prediction.library import Row
from matexapps.errors import DataError


def header(model: Model) -> str:
    """Return the first line.

    Name and structures as given, the standard form that is predicted, for each target what its
    task says of it, the nearest training molecule, and why a row has no prediction.
    """
    names = ["row", "name", *model.smiles_columns, "standard_smiles"]
    for target in model.targets:
        names += model.task.columns(target)
    return _line([*names, "similarity", "nearest", "error"])


def lines(
    first_row: int, rows: Sequence[Row], standards: Sequence[Standard | str], model: Model
) -> str:
    """Return a line for each structure; one that is rejected has its reason instead of values.

    Parameters
    ----------
    first_row : int
        Number of the first structure, counted from 1.
    rows : sequence of Row
        As the library has them.
    standards : sequence of Standard or str
        Their standard forms, or reasons of rejection.
    model : Model
    """
    good = [one.smiles for one in standards if isinstance(one, Standard)]
    cells = iter(_cells(model, model.predict(good)) if good else ())
    blank = [""] * (sum(len(model.task.columns(target)) for target in model.targets) + 3)
    found = []
    values: list[object]
    for row, (given, standard) in enumerate(zip(rows, standards, strict=True), start=first_row):
        if isinstance(standard, Standard):
            values = [standard.smiles, *next(cells), ""]
        else:
            values = [*blank, standard]
        found.append(_line([row, given.name, *given.structures, *values]))
    return "".join(found)


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


class GrowingFile:
    """A file that grows under another name and gets its own when it is whole.

    What is written says where it belongs, so that writing again what was written before a rank was
    lost does no harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")

    def write(self, at: int, text: bytes) -> None:
        """Write ``text`` behind the first ``at`` bytes, which stay.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        try:
            with open(self._partial, "r+b" if at else "wb") as file:
                file.truncate(at)
                file.seek(at)
                file.write(text)
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error}") from error

    def finish(self) -> None:
        """Give the file its name."""
        if self._partial.exists():
            os.replace(self._partial, self.path)

    def discard(self) -> None:
        """Remove what has been written and is not whole, if there is anything."""
        with suppress(OSError):
            self._partial.unlink()
