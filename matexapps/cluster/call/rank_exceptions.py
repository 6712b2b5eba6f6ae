"""Exceptions on ranks: which one came first, and how it is shown."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

from matexapps.cluster.output.rank_names import rank_names
from matexapps.errors import ClusterError, MatexError

_CONSEQUENCES = ("PeerAborted", "RankFailureError", "KeyboardInterrupt")


@dataclass(frozen=True)
class RankException:
    """An exception on one rank.

    Attributes
    ----------
    rank : int
        The rank it was raised on.
    host : str
        The machine of that rank.
    type_name, message : str
        The exception's class name and text.
    trace : str
        Its traceback, from the called function on.
    raised_at : float
        When it was caught, in seconds since 1970.
    location : str
        The innermost line of the user's own code that was running, "" if there is none.
    pickled : bytes or None
        The exception itself, if it can be pickled.
    """

    rank: int
    host: str
    type_name: str
    message: str
    trace: str
    raised_at: float
    location: str = ""
    pickled: bytes | None = None

    @property
    def is_consequence(self) -> bool:
        """Whether this rank only stopped because another one failed."""
        return self.type_name in _CONSEQUENCES

    def equals(self, other: RankException) -> bool:
        """Whether type and message are those of another exception."""
        return (self.type_name, self.message) == (other.type_name, other.message)


def root_cause(exceptions: Sequence[RankException]) -> RankException:
    """Return the exception that made other ranks fail: the first that is not a consequence."""
    causes = [exception for exception in exceptions if not exception.is_consequence]
    causes = causes or list(exceptions)
    if all(exception.equals(causes[0]) for exception in causes):
        return min(causes, key=lambda exception: exception.rank)
    return min(causes, key=lambda exception: exception.raised_at)


def describe_consequences(exceptions: Sequence[RankException]) -> str:
    """Return what the other ranks were doing when the root cause stopped them, "" for nothing."""
    cause = root_cause(exceptions)
    return "\n\n".join(
        f"rank {exception.rank}: {exception.location or 'in no code of yours'}\n{exception.trace}"
        for exception in exceptions
        if not exception.equals(cause)
    )


def to_error(exceptions: Sequence[RankException], world_size: int) -> MatexError:
    """Return one error that shows the root cause first, and only once.

    An error of matexapps keeps its class, so that ``except DataError`` works in a notebook as it
    does in a script. Any other exception becomes a ``ClusterError``.
    """
    cause = root_cause(exceptions)
    raised = [exception.rank for exception in exceptions if exception.equals(cause)]
    if len(raised) == world_size > 1:
        where = f"all {world_size} ranks"
    else:
        where = f"rank {cause.rank} of {world_size} on {cause.host}"
    stopped = [exception.rank for exception in exceptions if exception.rank not in raised]
    aside = f"Also stopped: {rank_names(stopped)}." if stopped else ""
    error = _unpickled(cause)
    if error is None:
        error = ClusterError(f"{where} raised {cause.type_name}: {cause.message}\n\n{cause.trace}")
    else:
        error.add_note(f"Raised on {where}. {aside}".rstrip())
    headline = f"\x1b[1;31m{cause.type_name}\x1b[0m on {where}: {cause.message}"
    lines = [headline, "", cause.trace, *(["", aside] if aside else [])]
    # IPython asks an exception for this, and shows it in place of the frames of this package.
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error


def _unpickled(cause: RankException) -> MatexError | None:
    if cause.pickled is None:
        return None
    try:
        # It comes from one of our own engines, over a signed local connection.
        error = pickle.loads(cause.pickled)
    except Exception:
        return None
    return error if isinstance(error, MatexError) else None
