"""From a source to the parts of a data set: read, checked and split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.schema.labels import LabelFacts, require_binary
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.source import ArraySource, FileSource
from matexapps.data.splitting.split import split_rows
from matexapps.data.splitting.split_settings import PARTS, Split, fraction
from matexapps.data.splitting.unsplit import UnsplitRows, read_unsplit
from matexapps.data.statistics import Statistics
from matexapps.errors import DataError


@dataclass(eq=False)
class Parts:
    """The rows of a data set, read and split.

    Attributes
    ----------
    train, validation, test : Part
    statistics : Statistics or None
        Of the training rows; None until they are asked for.
    """

    train: Part
    validation: Part
    test: Part
    statistics: Statistics | None = None
    name = "the arrays"

    def __iter__(self) -> Iterator[Part]:
        return iter((self.train, self.validation, self.test))

    @cached_property
    def digest(self) -> str:
        """A fingerprint of all rows: equal parts, equal text."""
        return " ".join(part.digest() for part in self)

    def describe(self) -> str:
        """Return the shape of a sample and the rows of each part, in words."""
        sizes = ", ".join(f"{name} {len(part):,}" for name, part in zip(PARTS, self, strict=True))
        shape = self.train.sample_shape
        array = f"samples of {' x '.join(map(str, shape))}"
        return f"{f'{shape[0]} columns' if len(shape) == 1 else array}, rows: {sizes}"


def read_parts(
    source: FileSource | ArraySource, schema: Schema, split: Split, comm: Communicator
) -> Parts:
    """Read, check and split. Collective.

    Raises
    ------
    DataError
        The same on every rank.
    """
    keep_label = split.kind == "stratified"
    rows = read_unsplit(source, schema, comm, keep_label=keep_label)
    enough_rows(len(rows), comm.world_size, source.name)
    others: dict[str, UnsplitRows] = {}
    for part, path in split.files.items():
        others[part] = _read_file_part(path, source, rows, schema, split, comm)
    facts = LabelFacts()
    for each in (rows, *others.values()):
        facts = facts.merge(each.labels)
    codes = split_rows(
        len(rows),
        validation=fraction(split.validation),
        test=fraction(split.test),
        kind=split.kind,
        seed=split.seed,
        key=rows.label if keep_label else rows.key,
        values=split.parts,
    )
    parts: list[Part] = []
    for code, part in enumerate(PARTS):
        if part in others:
            all_rows = np.full(len(others[part]), code, np.uint8)
            parts.append(others[part].part(all_rows, code, facts.dtype))
        else:
            parts.append(rows.part(codes, code, facts.dtype))
    train, validation, test = parts
    enough_rows(len(train), comm.world_size, f"{source.name}, training part")
    if schema.binary and isinstance(train, Rows):
        require_binary(LabelFacts.of(train.label, train.ids), f"{source.name}, training part")
    return Parts(train, validation, test)


def _read_file_part(
    path: str | Path,
    source: FileSource | ArraySource,
    rows: UnsplitRows,
    schema: Schema,
    split: Split,
    comm: Communicator,
) -> UnsplitRows:
    """Read a file that is a part of its own; its features are those of the first."""
    if not isinstance(schema.features, str) and not schema.categories:
        schema = replace(schema, features=tuple(rows.columns))
    if split.column is not None:
        schema = replace(schema, key=None)
    file = replace(source, path=path) if isinstance(source, FileSource) else FileSource(path)
    other = read_unsplit(file, schema, comm, keep_label=split.kind == "stratified")
    same_columns(rows, other, source.name, str(path))
    return other


def enough_rows(rows: int, ranks: int, name: str) -> None:
    """Raise a DataError if there are fewer rows than ranks."""
    if rows < ranks:
        raise DataError(
            f"{name}: fewer rows ({rows}) than ranks ({ranks}); start fewer ranks or use more rows"
        )


def same_columns(
    first: Part | UnsplitRows, other: Part | UnsplitRows, name: str, other_name: str
) -> None:
    """Raise a DataError that names the first difference, unless both have the same columns."""
    if first.columns != other.columns:
        differing = next(
            (name for name in first.columns if name not in other.columns),
            "the order of the columns",
        )
        raise DataError(
            f"{other_name} and {name} differ in {differing!r}: give both the same columns"
        )
