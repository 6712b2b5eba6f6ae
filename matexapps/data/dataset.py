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
from matexapps.data.loading.memory import parse_size
from matexapps.data.matex_names import MatexNames
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.schema.schema import KINDS, Column, Schema
from matexapps.data.schema.settings import check_source
from matexapps.data.sources.source import absolute
from matexapps.data.splitting.parts import enough_rows, read_parts, same_columns
from matexapps.data.splitting.split_settings import (
    PARTS,
    TEST_SHARE,
    VALIDATION_SHARE,
    check_parts,
    check_split,
    split_column,
)
from matexapps.data.statistics import Statistics
from matexapps.errors import DataError


class DataSet(MatexNames):
    """Rows for training, validation and test, from a file, a catalog name, or arrays.

    Making one reads nothing: the rows are read, checked and split when they are first needed.
    Which row belongs to which part depends on the file and the seed, never on the number of ranks
    (see :mod:`matexapps.data.splitting.split` for the exact rule).

    What fits into ``memory`` is read into it, by all ranks together. What does not stays in its
    file: it is looked through once, then read again in each epoch, in an order that is random all
    the same (see :mod:`matexapps.data.loading.sampler`).

    Parameters
    ----------
    source : path or str
        A CSV, TSV, HDF5 (also of MATLAB, since 7.3) or NetCDF file, CSV also gzip; a folder or a
        pattern such as ``"runs/*.csv"`` of such files; or a name of the catalog such as
        ``uci-higgs``.
    features : sequence of column names or positions, or None
        None takes all but label, weight, group and time. For HDF5 and NetCDF with features in a
        dataset or variable of their own, its name. Samples may be arrays, such as images; several
        arrays of one shape, as in ``["t2m", "u10"]``, are channels: the first axis of a sample.
    label : column name or position, or None
        None takes the column called "label" or "labels".
    weight : column name or position, or None
    group : column name or position, or None
        For ``split="group"``: rows of one group, such as a patient or a detector run, are alike,
        and stay in one part. Default: the column called "group".
    time : column name or position, or None
        For ``split="time"``. Default: the column called "time".
    validation, test : float or path
        A fraction of the rows of ``source``, or a file of its own.
    split : {"random", "stratified", "group", "time"} or the name of a column
        Stratified keeps the shares of the classes in every part. A column names the part of each
        row.
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
        Whether the first line of a CSV file holds names; None finds out.
    delimiter : str or None
        What stands between the cells of a CSV file; None finds out.
    dimension : str or None
        The dimension of a NetCDF file along which the rows run; None finds out.
    memory : str or int
        What a rank may hold of this data set, as ``"2GB"`` or in bytes.

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
        check_source(source)
        check_split(split, validation, test, seed)
        check_parts(parts, split)
        self.source: str | Path | None = source
        self.validation_source, self.test_source = validation, test
        self.split, self.part_values, self.seed, self.binary = split, parts, seed, binary
        self.memory = parse_size(memory)
        self.schema = Schema(
            features=features,
            label=label,
            weight=weight,
            missing=missing,
            classes=classes,
            columns=columns,
            header=header,
            delimiter=delimiter,
            key=split_column(split, group, time),
            categories=categories,
            dimension=dimension,
        )
        self._rows: Rows | None = None
        self._parts: dict[str, Part] | None = None
        self._token: str | None = None
        self._statistics: Statistics | None = None

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
        """Make a data set of arrays; on several ranks, all must hold the same.

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
        data.source, data._rows = None, rows
        return data

    @classmethod
    def from_rows(cls, train: Rows, validation: Rows, test: Rows) -> Self:
        """Put ready rows together; the parts must have the same columns."""
        for name, part in (("validation", validation), ("test", test)):
            same_columns(train, part, "training rows", f"{name} rows")
        data = cls("rows")
        data.source = None
        data._parts = {"train": train, "validation": validation, "test": test}
        return data

    @property
    def train(self) -> Part:
        """The rows to train on."""
        return self._part("train")

    @property
    def validation(self) -> Part:
        """The rows that steer training: early stopping, schedules, thresholds."""
        return self._part("validation")

    @property
    def test(self) -> Part:
        """The rows that judge the result."""
        return self._part("test")

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
            if self._parts is None:
                self._parts = self._read(comm)
        elif not self._agree(comm):
            self._parts = self._read(comm)
            self._token = self._fingerprint()
        return self

    def statistics(self, comm: Communicator | None = None) -> Statistics:
        """Return mean, spread and range of each feature over the training rows. Collective.

        The ranks share the work; the numbers do not depend on how many there are.
        """
        comm = SingleProcess() if comm is None else comm
        self.load(comm)
        known = comm.all_gather_object(self._statistics is not None)
        if not all(known):
            self._statistics = Statistics.shared_out(self.train, comm)
        assert self._statistics is not None
        return self._statistics

    def _agree(self, comm: Communicator) -> bool:
        """Whether all ranks hold the same rows already. Collective."""

        def read_arrays() -> None:
            if self.source is None and self._parts is None:
                self._parts = self._read(SingleProcess())
            if self._parts is not None:
                enough_rows(len(self._parts["train"]), comm.world_size, self._name)
                self._token = self._token or self._fingerprint()

        comm.on_all(read_arrays)
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

    def _fingerprint(self) -> str:
        assert self._parts is not None
        return " ".join(self._parts[name].digest() for name in PARTS)

    def _read(self, comm: Communicator) -> dict[str, Part]:
        source = self._rows if self.source is None else self.source
        assert source is not None
        return read_parts(
            source,
            self.schema,
            comm,
            name=self._name,
            validation=self.validation_source,
            test=self.test_source,
            split=self.split,
            values=self.part_values,
            seed=self.seed,
            binary=self.binary,
            memory=self.memory,
        )

    def _part(self, name: str) -> Part:
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
            state |= {"_parts": None, "_token": None, "_statistics": None}
            for key in ("source", "validation_source", "test_source"):
                state[key] = absolute(state[key])
        return state

    def __repr__(self) -> str:
        if self._parts is not None:
            sizes = ", ".join(f"{name} {len(self._parts[name]):,}" for name in PARTS)
            shape = self.train.sample_shape
            sample = " x ".join(map(str, shape))
            what = f"{shape[0]} columns" if len(shape) == 1 else f"samples of {sample}"
            return f"DataSet({self._name!r}, {what}, rows: {sizes})"
        return f"DataSet({self._name!r}, split={self.split!r}, seed={self.seed}, not read yet)"
