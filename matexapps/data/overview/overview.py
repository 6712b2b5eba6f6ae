"""A first overview of a file: ``overview("runs.csv")``.

Every value is read, in blocks of about 1 MiB: memory does not grow with the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matexapps.data.overview.column_facts import ColumnFacts, Gathering
from matexapps.data.overview.label_balance import Balance, LabelBalance
from matexapps.data.overview.storage import storage
from matexapps.data.overview.training_needs import Training, training_of
from matexapps.data.schema.schema import Column, Schema, label_column, position
from matexapps.data.sources.raw_files import RawFiles, listed
from matexapps.data.sources.source import parse_size
from matexapps.data.sources.table import named_columns
from matexapps.errors import DataError
from matexapps.progress import report_work


@dataclass(frozen=True)
class Overview:
    """Facts about a file.

    Attributes
    ----------
    source : str
    format : str
    storage : list of str
        How it is stored: chunks, compression, delimiter.
    files, bytes, rows : int
    columns : list of ColumnFacts
    label : LabelBalance or None
        None if no column is called label and none was named.
    training : Training or None
        None if a DataSet would not accept the file as it is.
    obstacle : str or None
        Why not, and what to do.
    notes : list of str
        What to consider before training.
    """

    source: str
    format: str
    storage: Sequence[str]
    files: int
    bytes: int
    rows: int
    columns: Sequence[ColumnFacts]
    label: LabelBalance | None
    training: Training | None
    obstacle: str | None
    notes: Sequence[str]


def overview(
    source: str | Path,
    *,
    label: Column | None = None,
    weight: Column | None = None,
    ranks: int = 2,
    memory: str | int = "2GB",
    schema: Schema | None = None,
) -> Overview:
    """Read all rows of a source once, and return facts about them.

    Parameters
    ----------
    source : str or Path
        A file, a folder or a pattern of files, or a name of the catalog.
    label, weight : column name or position, or None
        As in :class:`~matexapps.data.dataset.DataSet`.
    ranks : int
        Number of ranks that would share the training rows.
    memory : str or int
        What a rank may hold, as ``"2GB"`` or in bytes.
    schema : Schema or None
        Other settings of the file, such as ``Schema(dimension="time")``.

    Raises
    ------
    DataError
        If the source cannot be read, or has no such column.
    """
    bound = parse_size(memory)
    given = schema or Schema()
    files = RawFiles(
        source,
        replace(
            given,
            label=given.label if label is None else label,
            weight=given.weight if weight is None else weight,
        ),
    )
    columns = named_columns(files.variables)
    names = [name for name, _, _ in columns]
    label_name = _label_name(files, names)
    gathering = Gathering(files.variables)
    balance = None
    if label_name is not None:
        balance = Balance(label_name)
        _, variable, i = columns[names.index(label_name)]
    done = 0
    for block in files.blocks():
        gathering.add(block)
        if balance is not None:
            values = block[variable.name]
            balance.add(values[:, i] if variable.shape else values)
        done += len(next(iter(block.values())))
        report_work(f"looking at {files.path.name}", done, len(files), "rows")
    facts = gathering.facts()
    label_facts = None if balance is None else balance.facts()
    training, obstacle = training_of(files, facts, label_facts, ranks, bound)
    kind, stored = storage(files)
    return Overview(
        source=str(source),
        format=kind,
        storage=stored,
        files=len(files.paths),
        bytes=files.bytes,
        rows=len(files),
        columns=facts,
        label=label_facts,
        training=training,
        obstacle=obstacle,
        notes=_notes(files, facts, label_facts),
    )


def _label_name(files: RawFiles, names: Sequence[str]) -> str | None:
    for role in ("weight", "label"):
        column = getattr(files.schema, role)
        if column is not None:
            index = position(column, names, str(files.path), role)
            if len(named_columns(files.variables)[index][1].shape) > 1:
                raise DataError(
                    f"{files.path}: the {role} {names[index]!r} is an array, not one value a row"
                )
    if files.schema.label is None:
        return label_column(names)
    return names[position(files.schema.label, names, str(files.path), "label")]


def _notes(
    files: RawFiles, columns: Sequence[ColumnFacts], label: LabelBalance | None
) -> list[str]:
    notes = []
    if files.left_out:
        apart = files.format == "HDF5" and label is None
        cure = "; if each dataset is a class, name them with classes=[...]" if apart else ""
        notes.append(f"not among these rows: {listed(files.left_out)}{cure}")
    if label is not None and label.is_sorted:
        notes.append(
            f"rows are sorted by {label.name!r}: whoever reads them in this order must shuffle "
            "them, as a DataSet does"
        )
    if label is not None and len(label.classes) == 1:
        notes.append(f"all labels are {label.classes[0][0]!r}: there is nothing to tell apart")
    ours = [column for column in columns if label is None or column.name != label.name]
    for what, affected in (
        ("one value only, which tells nothing", [c for c in ours if c.constant]),
        (
            "cells are missing; declare them with missing=math.nan",
            [c for c in ours if c.missing and not c.is_text and not c.constant],
        ),
        ("infinite numbers, which a DataSet refuses", [c for c in ours if c.infinite]),
    ):
        if affected:
            notes.append(f"{listed([column.name for column in affected])}: {what}")
    if label is not None:
        own = next(column for column in columns if column.name == label.name)
        if own.missing:
            notes.append(f"{own.name}: {own.missing} missing; correct them or remove the rows")
    names = Counter(name for variable in files.variables for name in variable.columns)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        notes.append(f"{listed(twice)}: more than one column is called so")
    return notes
