"""Settings of a simulated sample; read by the command line too, so without the generator."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.errors import DataError


@dataclass(frozen=True)
class SimulationSettings:
    """What a sample is to hold, and where it is written.

    Attributes
    ----------
    events : int
        Accepted events, of both classes together.
    out : str
        File to write, with a name that ends in .h5.
    seed : int
        The same seed gives the same events, on any number of ranks.
    signal_fraction : float
        Share of signal events; 0.53 in the UCI data set.
    """

    events: int
    out: str
    seed: int = 0
    signal_fraction: float = 0.53

    def __post_init__(self) -> None:
        if self.events < 1:
            raise DataError(f"events must be at least 1, got {self.events}")
        if self.seed < 0:
            raise DataError(f"seed must not be negative, got {self.seed}")
        if not 0 <= self.signal_fraction <= 1:
            raise DataError(f"signal_fraction must be from 0 to 1, got {self.signal_fraction}")
