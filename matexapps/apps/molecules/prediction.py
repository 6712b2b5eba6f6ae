"""Predictions of a trained model, with their uncertainty and the nearest training molecules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from matexapps.apps.molecules.data.components import split_structures, standardize_rows
from matexapps.apps.molecules.data.formats import STRUCTURE_NAMES
from matexapps.apps.molecules.data.reader import LibraryRow, read_library
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.featurizers.rows import featurize_rows, row_features
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.splits.similarity import nearest
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.errors import DataError
from matexapps.experiment.domain import TrainedModel
from matexapps.experiment.ranks import Ranks


@dataclass(frozen=True)
class TrainingMolecules:
    """The molecules that a model has learned from, for the search of neighbors.

    Attributes
    ----------
    smiles : list of str
    fingerprints : ndarray of uint8, shape (molecules, bits)
    values : ndarray of float64, shape (molecules, targets)
    """

    smiles: list[str]
    fingerprints: NDArray[np.uint8]
    values: Values


@dataclass(frozen=True)
class Predictions:
    """Predictions of a model for molecules.

    Attributes
    ----------
    estimates : Estimates or Probabilities
        Depending on the task.
    regions : Intervals or ndarray
        Where each value is expected: see
        :meth:`~matexapps.apps.molecules.tasks.task.MoleculeTask.regions`.
    similarity : ndarray of float32, shape (molecules,)
        To the nearest training molecule.
    nearest : list of str
        SMILES of that molecule.
    """

    estimates: Any
    regions: Any
    similarity: NDArray[np.float32]
    nearest: list[str]


@dataclass(frozen=True)
class Library:
    """Molecules to predict.

    Attributes
    ----------
    rows : path, DataFrame or sequence of str
        A file, a table, or SMILES; in a sequence, several structures of a row are joined by
        :func:`~matexapps.apps.molecules.data.components.join_structures`.
    smiles_columns : str, sequence of str, or None
        Columns of structures.
    """

    rows: Any
    smiles_columns: str | Sequence[str] | None = None


def training_molecules(model: TrainedModel) -> TrainingMolecules:
    """Return the molecules that a model has learned from."""
    arrays = model.arrays
    return TrainingMolecules(
        model.facts["training_smiles"], arrays["fingerprints"], arrays["values"]
    )


def predict_molecules(model: TrainedModel, smiles: Sequence[str]) -> Predictions:
    """Predict molecules, given as the SMILES of their standard forms, in this process.

    Several structures of a row are joined by
    :func:`~matexapps.apps.molecules.data.components.join_structures`.
    """
    network, task, training = model.network, model.task, training_molecules(model)
    assert isinstance(network, MoleculeNetwork)
    assert isinstance(task, MoleculeTask)
    architecture = network.architecture
    names = sorted({*architecture.features, "fingerprint"})
    features = featurize_rows(smiles, smiles, architecture.components, names, Ranks.single())
    network.set_features(features, len(smiles))
    network.eval()
    with torch.inference_mode():
        rows = torch.arange(len(smiles), device=network.target_mean.device, dtype=torch.float32)
        outputs = network(rows[:, None]).cpu().numpy()
    estimates = task.predictions(outputs)
    neighbors, similarity = nearest(row_features(features, "fingerprint"), training.fingerprints, 1)
    return Predictions(
        estimates=estimates,
        regions=task.regions(estimates, model.calibration),
        similarity=similarity[:, 0],
        nearest=[training.smiles[i] for i in neighbors[:, 0]],
    )


def structure_names(model: TrainedModel) -> tuple[str, ...]:
    """Return the names of the structures of a row in training; a single one is called smiles."""
    columns = model.facts["smiles_columns"]
    return tuple(columns) if len(columns) > 1 else ("smiles",)


def library_pieces(
    library: Library, model: TrainedModel, size: int
) -> Iterator[Sequence[LibraryRow]]:
    """Yield the rows of a library, ``size`` at a time.

    Raises
    ------
    DataError
        If it cannot be read, or does not have the structures that the model reads.
    """
    names = structure_names(model)
    columns = _columns(library.smiles_columns, names)
    if isinstance(library.rows, str | Path):
        yield from read_library(Path(library.rows), columns, size)
    elif isinstance(library.rows, pd.DataFrame):
        yield from _batched(_table_rows(library.rows, columns), size)
    else:
        yield from _batched(_structure_rows(library.rows, names), size)


def prediction_columns(model: TrainedModel) -> list[str]:
    """Return the columns of a table of predictions.

    They are: name and structures as given, the standard form that is predicted, the columns of
    each target, similarity to the nearest training molecule, that molecule, and why a row has no
    prediction.
    """
    structures = structure_names(model)
    targets = model.task.columns
    return ["name", *structures, "standard_smiles", *targets, "similarity", "nearest", "error"]


def predict_rows(rows: Sequence[LibraryRow], model: TrainedModel) -> list[list[Any]]:
    """Return the cells of each row's prediction; a rejected one has the reason instead."""
    standards = standardize_rows([row.structures for row in rows], structure_names(model))
    valid = [standard.smiles for standard in standards if isinstance(standard, Standard)]
    cells = iter(_cells(predict_molecules(model, valid), model) if valid else ())
    blank = [""] * (len(model.task.columns) + 3)
    return [
        [
            row.name,
            *row.structures,
            *(
                [standard.smiles, *next(cells), ""]
                if isinstance(standard, Standard)
                else [*blank, standard]
            ),
        ]
        for row, standard in zip(rows, standards, strict=True)
    ]


def _batched(rows: Iterator[LibraryRow], size: int) -> Iterator[Sequence[LibraryRow]]:
    while piece := list(islice(rows, size)):
        yield piece


def _cells(predictions: Predictions, model: TrainedModel) -> list[list[Any]]:
    cells = model.task.cells(predictions.estimates, model.calibration)
    similarity = (f"{value:.3f}" for value in predictions.similarity)
    return [
        [*row, near, neighbor if float(near) else ""]
        for row, near, neighbor in zip(cells, similarity, predictions.nearest, strict=True)
    ]


def _columns(
    given: str | Sequence[str] | None, names: tuple[str, ...]
) -> str | Sequence[str] | None:
    """Return the library's columns of structures: by default, if several, those of the training."""
    if given is None:
        return names if len(names) > 1 else None
    count = 1 if isinstance(given, str) else len(given)
    if count != len(names):
        raise DataError(
            f"smiles_columns={given}: the model has learned from {len(names)} structures a row "
            f"({', '.join(names)}), so name as many columns"
        )
    return given


def _table_rows(table: pd.DataFrame, columns: str | Sequence[str] | None) -> Iterator[LibraryRow]:
    chosen = [columns] if isinstance(columns, str) else columns
    if chosen is None:
        named = [name for name in table.columns if str(name).strip().lower() in STRUCTURE_NAMES]
        chosen = named[:1]
    missing = [name for name in chosen if name not in table.columns]
    if missing or not chosen:
        raise DataError(
            f"the table has no column {(missing or ['smiles'])[0]!r}: name the columns of "
            "structures with smiles_columns"
        )
    for row in table[list(chosen)].itertuples(index=False):
        yield LibraryRow("", tuple("" if cell != cell else str(cell) for cell in row))


def _structure_rows(rows: Sequence[str], names: tuple[str, ...]) -> Iterator[LibraryRow]:
    for row in rows:
        structures = tuple(split_structures(row))
        if len(structures) != len(names):
            raise DataError(
                f"{row!r} has {len(structures)} structures, and the model reads {len(names)}: "
                f"{', '.join(names)}"
            )
        yield LibraryRow("", structures)
