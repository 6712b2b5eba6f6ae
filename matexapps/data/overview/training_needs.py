"""What training on a file needs: memory, parts, shares of ranks; or what to declare first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matexapps.data.overview.column_facts import ColumnFacts
from matexapps.data.overview.label_balance import LabelBalance
from matexapps.data.partition import share
from matexapps.data.sources.formats import open_reader
from matexapps.data.sources.raw_files import RawFiles, listed
from matexapps.data.sources.source import fits
from matexapps.data.splitting.split import part_size
from matexapps.data.splitting.split_settings import TEST_SHARE, VALIDATION_SHARE
from matexapps.errors import DataError


@dataclass(frozen=True)
class Training:
    """What training on a file would need, with the default parts of a DataSet.

    Attributes
    ----------
    features : int
        Numbers in one row's features.
    row_bytes, bytes : int
        Memory for one row, and for all.
    memory : int
        The bound for each rank, in bytes.
    in_memory : bool
        Whether the rows would be in memory; otherwise they stay in the file.
    train, validation, test : int
        Rows of each part.
    ranks : int
    rows_a_rank : (int, int)
        The fewest and the most training rows of a rank in an epoch.
    """

    features: int
    row_bytes: int
    bytes: int
    memory: int
    in_memory: bool
    train: int
    validation: int
    test: int
    ranks: int
    rows_a_rank: tuple[int, int]


def training_of(
    files: RawFiles,
    columns: Sequence[ColumnFacts],
    label: LabelBalance | None,
    ranks: int,
    memory: int,
) -> tuple[Training | None, str | None]:
    """Return what training needs, or why a DataSet would refuse the file as it is.

    Parameters
    ----------
    files : RawFiles
    columns : sequence of ColumnFacts
    label : LabelBalance or None
    ranks : int
    memory : int
        What a rank may hold, in bytes.
    """
    obstacle = _texts(files, columns, label)
    return (None, obstacle) if obstacle else _plan(files, ranks, memory)


def _texts(
    files: RawFiles, columns: Sequence[ColumnFacts], label: LabelBalance | None
) -> str | None:
    """Return what to declare about texts before a DataSet accepts them."""
    schema = files.schema
    known = {*(schema.categories or ()), schema.key, schema.weight}
    if label is not None:
        known.add(label.name)
        own = next(column for column in columns if column.name == label.name)
        if own.is_text and schema.classes is None:
            classes = ", ".join(repr(value) for value, _ in label.classes) or "..."
            return (
                f"the label {label.name!r} holds text: name its values in the order of their "
                f"numbers, as in classes=({classes})"
            )
    texts = [column.name for column in columns if column.is_text and column.name not in known]
    if schema.features is not None:
        texts = [name for name in texts if name in schema.features]
    if texts and files.format == "CSV":
        return (
            f"{listed(texts)}: text is not a number; declare its values with "
            f"categories={{{texts[0]!r}: [...]}}, or leave such columns out of features=[...]"
        )
    return None


def _plan(files: RawFiles, ranks: int, memory: int) -> tuple[Training | None, str | None]:
    """Return what training needs, or why a DataSet would refuse the columns as they are."""
    rows = len(files)
    try:
        reader = open_reader(files.path, files.schema)
    except DataError as error:
        return None, str(error)
    row_bytes = reader.row_bytes
    features = int(np.prod(reader.sample_shape, dtype=np.int64))
    reader.close()
    validation, test = part_size(rows, VALIDATION_SHARE), part_size(rows, TEST_SHARE)
    train = rows - validation - test
    if train < ranks:
        return None, f"{rows} rows are too few for {ranks} ranks: start fewer or use more rows"
    shares = [share(train, rank, ranks) for rank in range(ranks)]
    sizes = [part.stop - part.start for part in shares]
    training = Training(
        features=features,
        row_bytes=row_bytes,
        bytes=rows * row_bytes,
        memory=memory,
        in_memory=fits(rows, row_bytes, memory),
        train=train,
        validation=validation,
        test=test,
        ranks=ranks,
        rows_a_rank=(min(sizes), max(sizes)),
    )
    return training, None
