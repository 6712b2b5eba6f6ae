"""Every error that matexapps raises on purpose.

A message says what is wrong, which value was found, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class MatexError(Exception):
    """Base class of all errors raised on purpose by matexapps."""


class CommunicationError(MatexError):
    """Ranks could not exchange data."""


class PeerAborted(CommunicationError):
    """Another rank stopped with an error, so this one was freed from its wait."""


class RankFailureError(CommunicationError):
    """Another rank's process has died; the others can continue without it."""


class DeadlineExceeded(CommunicationError):
    """Other ranks did not arrive in time."""


class MismatchedCollectives(CommunicationError):
    """Ranks were about to run different collectives; the message names the line of each."""


class PreflightError(MatexError):
    """MPI cannot start in this environment."""


class DeviceError(MatexError):
    """The requested device does not exist or cannot be used."""


class DataError(MatexError):
    """A file or an array cannot be used as data."""


class TrainingError(MatexError):
    """Training cannot do what was requested, or has diverged."""


class CampaignError(MatexError):
    """A campaign cannot be run as it was asked for, or some of its tasks are not done."""


class CheckpointError(MatexError):
    """A checkpoint cannot be written, read or applied."""


class ClusterError(MatexError):
    """The engines behind a notebook cannot be started, reached or used."""


class RanksDied(ClusterError):
    """Ranks of a cluster have died, and their work with them.

    Parameters
    ----------
    message : str
    ranks : sequence of int, optional
        The ranks that died, if others are left.
    """

    def __init__(self, message: str, ranks: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.ranks = list(ranks)


class BatchError(MatexError):
    """A notebook failed in a headless run."""


class MissingExtraError(MatexError):
    """An optional dependency is not installed."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the option closest to ``name``, "" if none is close."""
    close = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
