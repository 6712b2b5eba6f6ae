"""DataSet: a file or a catalog name, and how its rows become training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.data.matex_names import MatexNames
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.schema.schema import KINDS, Column, Schema
from matexapps.data.sources.source import ArraySource, FileSource, parse_size
from matexapps.data.splitting.parts import Parts, enough_rows, read_parts, same_columns
from matexapps.data.splitting.split_settings import TEST_SHARE, VALIDATION_SHARE, Split
from matexapps.data.statistics import Statistics
from matexapps.errors import DataError


class DataSet(MatexNames):
    """Rows for training, validation and test, from a file, a catalog name, or arrays.

    Creating one reads nothing: the rows are read, checked and split when they are first needed.
    Which row belongs to which part depends on the file and the seed, never on the number of ranks
    (see :mod:`matexapps.data.splitting.split` for the exact rule).

    Rows that fit into ``memory`` are read once, by all ranks together. Others stay in their file:
    one pass checks them, and each epoch reads them again, in an order that is still random (see
    :mod:`matexapps.data.loading.sampler`).

    Parameters
    ----------
    source : path or str
        A CSV, TSV, HDF5 (including MATLAB 7.3), NetCDF or Parquet file; CSV may be gzipped. Or a
        folder or pattern of such files, such as ``"runs/*.csv"``, or a name of the catalog such as
        ``uci-higgs``.
    features : sequence of column names or positions, or None
        None takes all but label, weight, group and time. For HDF5 and NetCDF with features in a
        dataset or variable of their own, its name. Samples may be arrays, such as images; several
        arrays of one shape, as in ``["t2m", "u10"]``, are channels: the first axis of a sample.
    label : column name or position, or None
        None takes the column called "label" or "labels".
    weight : column name or position, or None
    group : column name or position, or None
        For ``split="group"``: rows of one group, such as a patient or a detector run, resemble each
        other and stay in one part. Default: the column called "group".
    time : column name or position, or None
        For ``split="time"``. Default: the column called "time".
    validation, test : float or path
        A fraction of the rows of ``source``, or a file of its own.
    split : {"random", "stratified", "group", "time"} or the name of a column
        Stratified keeps the proportions of the classes in every part. A column names the part of
        each row.
    parts : mapping of part to value or values, or None
        What the column of ``split`` calls the parts, as in
        ``{"train": "t", "validation": "b", "test": ["u", "v"]}``; rows with other values are left
        out. None expects "train", "validation" and "test", or 0, 1 and 2.
    seed : int
        Seed of the split.
    missing : float, sequence of float, or None
        Feature values that mean "not measured": they become NaN. ``math.nan`` stands for empty
        and NaN cells. What is not declared is an error.
    classes : sequence of str, or None
        For labels that are text: their values in the order of their numbers. For HDF5 with a
        dataset for each class: the datasets' names.
    categories : mapping of column name to sequence, or None
        Feature columns that hold categories, and the values each may have. Each becomes a column
        of zeros and ones for each value.
    binary : bool
        Whether every label must be 0 or 1, with both among the training rows.
    columns : sequence of str, or None
        Names of all columns of a file that has none.
    header : bool or None
        Whether the first line of a CSV file holds names; None detects it.
    delimiter : str or None
        What separates the cells of a CSV file; None detects it.
    dimension : str or None
        The dimension of a NetCDF file along which the rows run; None detects it.
    memory : str or int
        What a rank may hold of this data set, as ``"2GB"`` or in bytes.

    Attributes
    ----------
    source : FileSource, ArraySource, or Parts
        Where the rows come from; Parts where they are split already.
    schema : Schema
        What the columns of the source are.
    split : Split
        How rows become training, validation and test.

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
        group: Column | None = None,
        time: Column | None = None,
        validation: float | str | Path = VALIDATION_SHARE,
        test: float | str | Path = TEST_SHARE,
        split: str = "random",
        parts: Mapping[str, Any] | None = None,
        seed: int = 0,
        missing: float | Sequence[float] | None = None,
        classes: Sequence[str] | None = None,
        categories: Mapping[str, Sequence[str | float]] | None = None,
        binary: bool = False,
        columns: Sequence[str] | None = None,
        header: bool | None = None,
        delimiter: str | None = None,
        dimension: str | None = None,
        memory: str | int = "2GB",
    ) -> None:
        self.source: FileSource | ArraySource | Parts = FileSource(source, parse_size(memory))
        self.split = Split(split, validation, test, parts, seed, group, time)
        self.schema = Schema(
            features=features,
            label=label,
            weight=weight,
            missing=missing,
            classes=classes,
            columns=columns,
            header=header,
            delimiter=delimiter,
            key=self.split.column,
            categories=categories,
            dimension=dimension,
            binary=binary,
        )
        self._parts: Parts | None = None

    @classmethod
    def from_arrays(
        cls,
        features: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        *,
        validation: float = VALIDATION_SHARE,
        test: float = TEST_SHARE,
        split: str = "random",
        seed: int = 0,
        missing: float | Sequence[float] | None = None,
        binary: bool = False,
        group: ArrayLike | None = None,
        time: ArrayLike | None = None,
    ) -> Self:
        """Make a data set from arrays; on several ranks, all must hold the same.

        Parameters
        ----------
        features : array_like, shape (rows, columns) or (rows, *sample shape)
        label : array_like, shape (rows,)
        weight : array_like, shape (rows,), or None
        feature_names : sequence of str, or None
        validation, test, split, seed, missing, binary
            As for a file; a split by a column of parts is :meth:`from_rows`.
        group, time : array_like, shape (rows,), or None
            The group or the time of each row, for the splits of these names.
        """
        if split not in KINDS:
            raise DataError(f"split={split!r} is not known for arrays: use {', '.join(KINDS)}")
        rows = Rows.from_arrays(features, label, weight, feature_names, missing)
        key = {"group": group, "time": time}.get(split)
        if key is not None:
            rows = replace(rows, key=np.asarray(key))
        data = cls(
            "arrays", validation=validation, test=test, split=split, seed=seed, binary=binary
        )
        data.source = ArraySource(rows)
        return data

    @classmethod
    def from_rows(cls, train: Rows, validation: Rows, test: Rows) -> Self:
        """Make a data set from rows that are split already, with the same columns in each part."""
        for name, part in (("validation", validation), ("test", test)):
            same_columns(train, part, "training rows", f"{name} rows")
        data = cls("rows")
        data.source = data._parts = Parts(train, validation, test)
        return data

    @property
    def train(self) -> Part:
        """The rows to train on."""
        return self._loaded.train

    @property
    def validation(self) -> Part:
        """The rows that steer training: early stopping, schedules, thresholds."""
        return self._loaded.validation

    @property
    def test(self) -> Part:
        """The rows that judge the result."""
        return self._loaded.test

    @property
    def columns(self) -> list[str]:
        """Names of the feature columns."""
        return self.train.columns

    def load(self, comm: Communicator | None = None) -> Self:
        """Read, check and split the rows, unless that is done already, and return this data set.

        Collective where ``comm`` has several ranks, which share the reading. Every rank ends with
        the same rows, or raises the same error.

        Raises
        ------
        DataError
            If the file cannot be used: one sentence that names file, row and column. Also if
            there are fewer rows than ranks, or ranks hold different arrays.
        """
        comm = SingleProcess() if comm is None else comm
        if comm.world_size == 1:
            self._parts = self._parts or self._read(comm)
        elif not self._agree(comm):
            self._parts = self._read(comm)
        return self

    def statistics(self, comm: Communicator | None = None) -> Statistics:
        """Return mean, spread and range of each feature over the training rows. Collective.

        The ranks share the work; the numbers do not depend on how many there are.
        """
        comm = SingleProcess() if comm is None else comm
        parts = self.load(comm)._loaded
        known = comm.all_gather_object(parts.statistics is not None)
        if parts.statistics is None or not all(known):
            parts.statistics = Statistics.shared_out(parts.train, comm)
        return parts.statistics

    @property
    def _loaded(self) -> Parts:
        self._parts = self._parts or self._read(SingleProcess())
        return self._parts

    def _agree(self, comm: Communicator) -> bool:
        """Whether all ranks hold the same rows already. Collective."""

        def own_digest() -> str | None:
            if self._parts is None and isinstance(self.source, FileSource):
                return None
            enough_rows(len(self._loaded.train), comm.world_size, self.source.name)
            return self._loaded.digest

        digests = comm.all_gather_object(comm.on_all(own_digest))
        if None in digests:
            return False
        other = next((rank for rank, text in enumerate(digests) if text != digests[0]), None)
        if other is not None:
            raise DataError(
                f"{self.source.name}: rank {other} holds other rows than rank 0; make them from "
                "the same seed on every rank, or give the name of a file"
            )
        return True

    def _read(self, comm: Communicator) -> Parts:
        if isinstance(self.source, Parts):
            return self.source
        return read_parts(self.source, self.schema, self.split, comm)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if isinstance(self.source, FileSource):
            # The receiver reads the rows again, perhaps from another working folder.
            state |= {"source": self.source.from_anywhere(), "_parts": None}
            state["split"] = self.split.from_anywhere()
        return state

    def __repr__(self) -> str:
        if self._parts is not None:
            return f"DataSet({self.source.name!r}, {self._parts.describe()})"
        split, seed = self.split.kind, self.split.seed
        return f"DataSet({self.source.name!r}, split={split!r}, seed={seed}, not read yet)"
