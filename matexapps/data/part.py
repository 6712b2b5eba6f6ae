"""One part of a data set: rows to train on, to validate on, or to test on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.errors import DataError

# Commands that only look at files need not load torch.
if TYPE_CHECKING:
    import torch

    from matexapps.data.loading.batch import Batch, Loader


class Part(ABC):
    """Rows in memory or in a file, which can be drawn from in batches.

    Attributes
    ----------
    features : ndarray of float32, shape (rows, columns) or (rows, *sample shape)
    label : ndarray of float32 or int64, shape (rows,)
    weight : ndarray of float64, shape (rows,), or None
    ids : ndarray of int64, shape (rows,)
        Row numbers in the source, from 0. These four raise a DataError where the rows stay in
        their file.
    columns : list of str
        Names of the feature columns.
    """

    features: NDArray[np.float32]
    label: NDArray[Any]
    weight: NDArray[np.float64] | None
    ids: NDArray[np.int64]
    columns: list[str]

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one row's features."""

    @abstractmethod
    def between(self, start: int, stop: int) -> Iterator[Part]:
        """Yield rows ``start`` to ``stop - 1``, some at a time, in memory."""

    @abstractmethod
    def to_pandas(self) -> pd.DataFrame:
        """Return a table of the features, then ``label`` and, if there is one, ``weight``."""

    @abstractmethod
    def digest(self) -> str:
        """Return a fingerprint of names and values: equal rows, equal text."""

    @abstractmethod
    def open_loader(
        self, batch_size: int, comm: Communicator, device: torch.device, seed: int = 0
    ) -> Loader:
        """Return what gives this rank its part of each global batch of ``batch_size`` rows."""

    def batches(
        self,
        batch_size: int = 1024,
        *,
        seed: int | None = None,
        epoch: int = 0,
        device: str = "auto",
        comm: Communicator | None = None,
    ) -> Iterator[Batch]:
        """Yield the rows in batches, each row once. Collective where ``comm`` has several ranks.

        Parameters
        ----------
        batch_size : int
            Rows of a global batch, over all ranks; without ``seed``, of each rank's batches.
        seed : int or None
            Seed of a random order, which ``epoch`` changes too; None keeps the order of the
            source, of which each rank gets a contiguous share.
        epoch : int
        device : {"auto", "cpu", "cuda"}
        comm : Communicator or None
            The ranks that share the rows; None is this process alone.
        """
        from matexapps.devices import choose_device

        if batch_size < 1:
            raise DataError(f"batch_size must be at least 1, got {batch_size}")
        comm = SingleProcess() if comm is None else comm
        chosen = choose_device(comm, device).device
        loader = self.open_loader(batch_size, comm, chosen, 0 if seed is None else seed)
        return loader.in_order() if seed is None else loader.shuffled(epoch)
