"""What comes back from training on a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class FitResult:
    """The outcome of one fit.

    Attributes
    ----------
    history : pandas.DataFrame
        One row an epoch: loss, validation loss, metrics, learning rate, rows/s, seconds.
    metrics : dict of str to float
        The last figures, by name.
    model : Any
        The trained model, on the CPU.
    events : list of dict
        What befell the ranks meanwhile: ``event``, a sentence; ``lost``, the numbers of the ranks;
        ``ranks`` that went on; where it was in training, ``epoch``, ``step`` and ``rows``.
    """

    history: pd.DataFrame
    metrics: dict[str, float]
    model: Any
    events: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        lines = [f"FitResult after {len(self.history)} epochs: {figures}"]
        return "\n".join([*lines, *(event["event"] for event in self.events)])
