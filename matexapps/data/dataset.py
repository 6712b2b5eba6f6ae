"""DataSet: a file or a catalogue name, and how its rows become training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import ArrayLike

from matexapps.comm.communicator import Communicator
from matexapps.data.formats import open_reader
from matexapps.data.labels import require_binary
from matexapps.data.rows import Rows, label_type
from matexapps.data.schema import Column, Schema
from matexapps.data.sharing import broadcast_rows, describe
from matexapps.data.source import absolute, resolve
from matexapps.data.split import check_split, fraction, split_rows
from matexapps.errors import DataError, MatexError

PARTS = ("train", "validation", "test")


class DataSet:
    """Rows for training, validation and test, from a file, a catalogue name, or arrays.

    Making one reads nothing: the rows are read, checked and split when they are first needed.
    Which row belongs to which part depends on the file and the seed, never on the number of ranks
    (see :mod:`matexapps.data.split` for the exact rule).

    Parameters
    ----------
    source : path or str
        A CSV, TSV or HDF5 file, CSV also gzip, or a name of the catalogue such as ``uci-higgs``.
    features : sequence of column names or positions, or None
        None takes all but label and weight. For HDF5 with features and labels in datasets of
        their own, the name of the features' dataset.
    label : column name or position, or None
        None takes the column called "label".
    weight : column name or position, or None
    validation, test : float or path
        A fraction of the rows of ``source``, or a file of its own.
    split : "random" or "stratified"
        Stratified keeps the shares of the classes in every part.
    seed : int
        Seed of the split.
    missing : float, sequence of float, or None
        Feature values that mean "not measured": they become NaN. ``math.nan`` stands for empty
        and NaN cells. What is not declared is an error.
    classes : sequence of str, or None
        For labels that are text: their values in the order of their numbers.
    binary : bool
        Whether every label must be 0 or 1, with both among the training rows.
    columns : sequence of str, or None
        Names of all columns of a file that has none.
    header : bool or None
        Whether the first line of a CSV file holds names; None finds out.
    delimiter : str or None
        What stands between the cells of a CSV file; None finds out.

    Raises
    ------
    DataError
        If the settings contradict each other. Errors of the file are raised by :meth:`load`.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        features: Sequence[Column] | str | None = None,
        label: Column | None = None,
        weight: Column | None = None,
        validation: float | str | Path = 0.1,
        test: float | str | Path = 0.2,
        split: str = "random",
        seed: int = 0,
        missing: float | Sequence[float] | None = None,
        classes: Sequence[str] | None = None,
        binary: bool = False,
        columns: Sequence[str] | None = None,
        header: bool | None = None,
        delimiter: str | None = None,
    ) -> None:
        check_split(split, validation, test, seed)
        self.source: str | Path | None = source
        self.validation_source, self.test_source = validation, test
        self.split, self.seed, self.binary = split, seed, binary
        self.schema = Schema(features, label, weight, missing, classes, columns, header, delimiter)
        self._whole: Rows | None = None
        self._parts: dict[str, Rows] | None = None
        self._token: str | None = None

    @classmethod
    def from_arrays(
        cls,
        features: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        *,
        validation: float = 0.1,
        test: float = 0.2,
        split: str = "random",
        seed: int = 0,
        missing: float | Sequence[float] | None = None,
        binary: bool = False,
    ) -> Self:
        """Make a data set of arrays, which are copied.

        Parameters
        ----------
        features : array-like, shape (rows, columns)
        label, weight : array-like, shape (rows,)
        feature_names : sequence of str, or None
        validation, test, split, seed, missing, binary
            As for a file.
        """
        rows = Rows.from_arrays(features, label, weight, feature_names, missing)
        data = cls(
            "arrays", validation=validation, test=test, split=split, seed=seed, binary=binary
        )
        data.source, data._whole = None, rows
        return data

    @classmethod
    def from_rows(cls, train: Rows, validation: Rows, test: Rows) -> Self:
        """Put ready rows together; the parts must have the same columns."""
        for name, part in (("validation", validation), ("test", test)):
            _same_columns(train, part, "training rows", f"{name} rows")
        data = cls("rows")
        data.source = None
        data._parts = {"train": train, "validation": validation, "test": test}
        return data

    @property
    def train(self) -> Rows:
        """The rows to train on."""
        return self._part("train")

    @property
    def validation(self) -> Rows:
        """The rows that steer training: early stopping, schedules, thresholds."""
        return self._part("validation")

    @property
    def test(self) -> Rows:
        """The rows that judge the result."""
        return self._part("test")

    @property
    def columns(self) -> list[str]:
        """Names of the feature columns."""
        return self.train.columns

    def load(self, comm: Communicator | None = None) -> Self:
        """Read, check and split the rows, unless that is done already, and return this data set.

        Collective where ``comm`` has several ranks: rank 0 reads and checks, the others get the
        arrays. Every rank ends with the same rows, or raises the same error.

        Raises
        ------
        DataError
            If the file cannot be used: one sentence that names file, row and column. Also if
            there are fewer rows than ranks, or ranks hold different arrays.
        """
        if comm is None or comm.world_size == 1:
            if self._parts is None:
                self._parts = self._read(ranks=1)
        elif not self._agree(comm):
            self._share(comm)
        return self

    def _agree(self, comm: Communicator) -> bool:
        """Whether all ranks hold the same rows already. Collective."""
        error: Exception | None = None
        try:
            if self.source is None and self._parts is None:
                self._parts = self._read(comm.world_size)
            if self._parts is not None:
                _enough(len(self._parts["train"]), comm.world_size, self._name)
                if self._token is None:
                    self._token = " ".join(self._parts[name].digest() for name in PARTS)
        except MatexError as caught:
            error = caught
        comm.agree(error)
        tokens = comm.all_gather_object(self._token)
        if None in tokens:
            return False
        other = next((rank for rank, token in enumerate(tokens) if token != tokens[0]), None)
        if other is not None:
            raise DataError(
                f"{self._name}: rank {other} holds other rows than rank 0; make them from one seed "
                "on every rank, or give the name of a file"
            )
        return True

    def _share(self, comm: Communicator) -> None:
        """Read on rank 0 and send to all. Collective."""

        def read() -> tuple[list[Any], str]:
            if self._parts is None:
                self._parts = self._read(comm.world_size)
            parts = [self._parts[name] for name in PARTS]
            return [describe(part) for part in parts], " ".join(part.digest() for part in parts)

        shapes, self._token = comm.on_root(read)
        held = self._parts if comm.rank == 0 and self._parts is not None else {}
        self._parts = {
            name: broadcast_rows(held.get(name), shape, comm)
            for name, shape in zip(PARTS, shapes, strict=True)
        }

    def _read(self, ranks: int) -> dict[str, Rows]:
        """Read, check and split, for so many ranks."""
        whole = self._read_file(self.source, ranks) if self.source is not None else self._whole
        assert whole is not None
        parts = {}
        for name, source in (("validation", self.validation_source), ("test", self.test_source)):
            if isinstance(source, str | Path):
                parts[name] = self._read_file(source, ranks, columns=whole.columns)
                _same_columns(whole, parts[name], self._name, str(source))
        _enough(len(whole), ranks, self._name)
        dtype = label_type([rows.label for rows in (whole, *parts.values())])
        if self.binary and self.source is None:
            require_binary(whole, self._name)
        split = split_rows(
            len(whole),
            validation=fraction(self.validation_source),
            test=fraction(self.test_source),
            kind=self.split,
            seed=self.seed,
            label=whole.label,
        )
        for name in PARTS:
            rows = parts[name] if name in parts else whole.take(getattr(split, name))
            parts[name] = replace(rows, label=rows.label.astype(dtype, copy=False))
        _enough(len(parts["train"]), ranks, f"{self._name}, training part")
        if self.binary:
            require_binary(parts["train"], f"{self._name}, training part")
        return parts

    def _read_file(
        self, source: str | Path, ranks: int, columns: Sequence[str] | None = None
    ) -> Rows:
        """Read one file; ``columns`` are the features that another file has set."""
        path, schema = resolve(source, self.schema, may_download=ranks == 1)
        if columns is not None and not isinstance(schema.features, str):
            schema = replace(schema, features=tuple(columns))
        reader = open_reader(path, schema)
        try:
            rows = reader.read()
            if self.binary:
                require_binary(rows, str(path), reader.locate)
            return rows
        finally:
            reader.close()

    def _part(self, name: str) -> Rows:
        self.load()
        assert self._parts is not None
        return self._parts[name]

    @property
    def _name(self) -> str:
        return "the arrays" if self.source is None else str(self.source)

    def __getstate__(self) -> dict[str, Any]:
        # A file is read again where the settings arrive, which may be in another folder.
        state = dict(self.__dict__)
        if self.source is not None:
            state |= {"_parts": None, "_token": None}
            for key in ("source", "validation_source", "test_source"):
                state[key] = absolute(state[key])
        return state

    def __repr__(self) -> str:
        if self._parts is not None:
            sizes = ", ".join(f"{name} {len(self._parts[name]):,}" for name in PARTS)
            return f"DataSet({self._name!r}, {len(self.columns)} columns, rows: {sizes})"
        return f"DataSet({self._name!r}, split={self.split!r}, seed={self.seed}, not read yet)"


def _enough(rows: int, ranks: int, name: str) -> None:
    if rows < ranks:
        raise DataError(
            f"{name}: fewer rows ({rows}) than ranks ({ranks}); start fewer ranks or use more rows"
        )


def _same_columns(one: Rows, other: Rows, name: str, other_name: str) -> None:
    if one.columns != other.columns:
        differing = next(
            (a for a in one.columns if a not in other.columns), "the order of the columns"
        )
        raise DataError(
            f"{other_name} and {name} differ in {differing!r}: give both the same columns"
        )
