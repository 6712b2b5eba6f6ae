"""The history of a training: a row for each epoch, and the events of lost ranks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

_NO_METRICS = {"loss", "validation_loss", "learning_rate", "rows_per_s", "seconds"}


@dataclass
class History:
    """A row for each epoch, in order, and the events of lost ranks.

    Attributes
    ----------
    rows : list of dict
        Keys: epoch (from 1), loss and validation_loss (means over rows), the validation metrics
        by name, learning_rate, rows_per_s (of all ranks), seconds.
    events : list of dict
        Keys: ``event``, a sentence; ``lost``, the numbers of the lost ranks; ``ranks``, how many
        go on; and, if it happened in a step, ``epoch``, ``step`` and ``rows``.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, indexed by epoch."""
        frame = pd.DataFrame(self.rows)
        return frame.set_index("epoch") if len(frame) else frame

    def plot(self) -> Any:
        """Return a matplotlib figure of losses and validation metrics against the epoch."""
        return _plot(self.frame)


def _plot(frame: pd.DataFrame) -> Any:
    from matplotlib.figure import Figure

    metrics = [c for c in frame.columns if c not in _NO_METRICS and not c.endswith("_error")]
    figure = Figure(figsize=(9 if metrics else 5, 3.5), layout="constrained")
    axes = figure.subplots(1, 2 if metrics else 1, squeeze=False)[0]
    for column, label in (("loss", "training"), ("validation_loss", "validation")):
        if column in frame:
            axes[0].plot(frame.index, frame[column], marker=".", label=label)
    axes[0].set(xlabel="epoch", ylabel="mean loss per row")
    axes[0].legend()
    for metric in metrics:
        axes[1].plot(frame.index, frame[metric], marker=".", label=metric.replace("_", " "))
    if metrics:
        axes[1].set(xlabel="epoch", ylabel="metric on validation rows")
        axes[1].legend()
    return figure
