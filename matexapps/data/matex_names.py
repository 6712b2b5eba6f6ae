"""The attribute names of MaTEx's DataSet, for its users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matexapps.data.part import Part


class MatexNames(ABC):
    """MaTEx's names for what ``train``, ``validation`` and ``test`` hold.

    Each raises a DataError where the rows do not fit into memory.
    """

    @property
    @abstractmethod
    def train(self) -> Part:
        """The rows to train on."""

    @property
    @abstractmethod
    def validation(self) -> Part:
        """The rows that steer training: early stopping, schedules, thresholds."""

    @property
    @abstractmethod
    def test(self) -> Part:
        """The rows that judge the result."""

    @property
    def training_data(self) -> NDArray[np.float32]:
        """Features of the training rows."""
        return self.train.features

    @property
    def training_labels(self) -> NDArray[Any]:
        """Labels of the training rows."""
        return self.train.label

    @property
    def validation_data(self) -> NDArray[np.float32]:
        """Features of the validation rows."""
        return self.validation.features

    @property
    def validation_labels(self) -> NDArray[Any]:
        """Labels of the validation rows."""
        return self.validation.label

    @property
    def testing_data(self) -> NDArray[np.float32]:
        """Features of the test rows."""
        return self.test.features

    @property
    def testing_labels(self) -> NDArray[Any]:
        """Labels of the test rows."""
        return self.test.label
