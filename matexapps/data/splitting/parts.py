"""From one source, or several, to the parts of a data set: read, checked and split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts, require_binary
from matexapps.data.schema.schema import Schema
from matexapps.data.splitting.split import split_rows
from matexapps.data.splitting.split_settings import PARTS, fraction
from matexapps.data.splitting.unsplit import Whole, whole_of_file, whole_of_rows
from matexapps.errors import DataError


def read_parts(
    source: str | Path | Rows,
    schema: Schema,
    comm: Communicator,
    *,
    name: str,
    validation: float | str | Path,
    test: float | str | Path,
    split: str,
    values: Mapping[str, Any] | None,
    seed: int,
    binary: bool,
    memory: int,
) -> dict[str, Part]:
    """Read, check and split. Collective.

    Parameters
    ----------
    source : path, name of the catalog, or Rows
    schema : Schema
    comm : Communicator
    name : str
        What messages call the source.
    validation, test : float or path
        A fraction of the rows of ``source``, or a file of its own.
    split, values, seed
        As for :func:`~matexapps.data.splitting.split.split_rows`.
    binary : bool
        Whether every label must be 0 or 1, with both among the training rows.
    memory : int
        What a rank may hold, in bytes.

    Returns
    -------
    dict
        "train", "validation" and "test".

    Raises
    ------
    DataError
        The same on every rank.
    """
    keep_label = split == "stratified"
    if isinstance(source, Rows):
        whole = whole_of_rows(source)
    else:
        whole = whole_of_file(source, schema, memory, comm, binary, keep_label=keep_label)
    enough_rows(len(whole), comm.world_size, name)
    others: dict[str, Whole] = {}
    alike = _schema_of_another(schema, whole.columns, split)
    for part, one in (("validation", validation), ("test", test)):
        if isinstance(one, str | Path):
            other = whole_of_file(one, alike, memory, comm, binary, keep_label=keep_label)
            same_columns(whole, other, name, str(one))
            others[part] = other
    facts = LabelFacts()
    for each in (whole, *others.values()):
        facts = facts.merge(each.labels)
    if binary and isinstance(source, Rows):
        require_binary(whole.labels, name)
    codes = split_rows(
        len(whole),
        validation=fraction(validation),
        test=fraction(test),
        kind=split,
        seed=seed,
        key=whole.label if split == "stratified" else whole.key,
        values=values,
    )
    parts: dict[str, Part] = {}
    for code, part in enumerate(PARTS):
        if part in others:
            everything = np.full(len(others[part]), code, np.uint8)
            parts[part] = others[part].part(everything, code, facts.dtype)
        else:
            parts[part] = whole.part(codes, code, facts.dtype)
    train = parts["train"]
    enough_rows(len(train), comm.world_size, f"{name}, training part")
    if binary and isinstance(train, Rows):
        require_binary(LabelFacts.of(train.label, train.ids), f"{name}, training part")
    return parts


def _schema_of_another(schema: Schema, columns: list[str], split: str) -> Schema:
    """Return the schema of a file that is a part as a whole, given the features of the first."""
    if not isinstance(schema.features, str) and not schema.categories:
        schema = replace(schema, features=tuple(columns))
    if split not in ("random", "stratified"):
        schema = replace(schema, key=None)
    return schema


def enough_rows(rows: int, ranks: int, name: str) -> None:
    """Raise a DataError if there are fewer rows than ranks."""
    if rows < ranks:
        raise DataError(
            f"{name}: fewer rows ({rows}) than ranks ({ranks}); start fewer ranks or use more rows"
        )


def same_columns(one: Part | Whole, other: Part | Whole, name: str, other_name: str) -> None:
    """Raise a DataError that names the first difference, unless both have the same columns."""
    if one.columns != other.columns:
        differing = next(
            (a for a in one.columns if a not in other.columns), "the order of the columns"
        )
        raise DataError(
            f"{other_name} and {name} differ in {differing!r}: give both the same columns"
        )
