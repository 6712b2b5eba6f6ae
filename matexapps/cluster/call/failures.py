"""When ranks fail: which failure came first, and how it is shown."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

from matexapps.cluster.output.rank_names import rank_names
from matexapps.errors import ClusterError, MatexError

_CONSEQUENCES = ("PeerAborted", "RankFailureError", "KeyboardInterrupt")


@dataclass(frozen=True)
class Failure:
    """An exception on one rank.

    Attributes
    ----------
    rank : int
        The rank it was raised on.
    host : str
        That rank's machine.
    type_name, message : str
        The exception's class name and text.
    trace : str
        Its traceback, from the called function on.
    raised_at : float
        When it was caught, in seconds since 1970.
    place : str
        The innermost line of the user's own code that was being executed, "" where there is none.
    pickled : bytes or None
        The exception itself, where it can be pickled.
    """

    rank: int
    host: str
    type_name: str
    message: str
    trace: str
    raised_at: float
    place: str = ""
    pickled: bytes | None = None

    @property
    def is_consequence(self) -> bool:
        """Whether this rank only stopped because another had failed."""
        return self.type_name in _CONSEQUENCES


def root_cause(failures: Sequence[Failure]) -> Failure:
    """Return the failure that made the others fail: the first that is no mere consequence."""
    causes = [failure for failure in failures if not failure.is_consequence]
    causes = causes or list(failures)
    if all(_same(failure, causes[0]) for failure in causes):
        return min(causes, key=lambda failure: failure.rank)
    return min(causes, key=lambda failure: failure.raised_at)


def describe_others(failures: Sequence[Failure]) -> str:
    """Return what the ranks were doing that only stopped because another failed, "" for none."""
    cause = root_cause(failures)
    others = [failure for failure in failures if not _same(failure, cause)]
    return "\n\n".join(
        f"rank {failure.rank}: {failure.place or 'in no code of yours'}\n{failure.trace}"
        for failure in others
    )


def as_error(failures: Sequence[Failure], world_size: int) -> MatexError:
    """Return one error that tells the root cause first, and once.

    An error of matexapps stays of its own class, so that ``except DataError`` works in a notebook
    as it does in a script. Any other becomes a ``ClusterError``.
    """
    cause = root_cause(failures)
    alike = [failure for failure in failures if _same(failure, cause)]
    if len(alike) == world_size > 1:
        place = f"all {world_size} ranks"
    else:
        place = f"rank {cause.rank} of {world_size} on {cause.host}"
    others = [failure.rank for failure in failures if failure not in alike]
    aside = f"Also stopped: {rank_names(others)}." if others else ""
    error = _own_class(cause)
    if error is None:
        error = ClusterError(f"{place} raised {cause.type_name}: {cause.message}\n\n{cause.trace}")
    else:
        error.add_note(f"Raised on {place}. {aside}".rstrip())
    headline = f"\x1b[1;31m{cause.type_name}\x1b[0m on {place}: {cause.message}"
    shown = [headline, "", cause.trace, *(["", aside] if aside else [])]
    # IPython asks an exception for this, and shows it in place of the frames of this package.
    error._render_traceback_ = lambda: shown  # type: ignore[attr-defined]
    return error


def _same(one: Failure, other: Failure) -> bool:
    return (one.type_name, one.message) == (other.type_name, other.message)


def _own_class(cause: Failure) -> MatexError | None:
    if cause.pickled is None:
        return None
    try:
        # From one of our own engines, over a signed local connection.
        error = pickle.loads(cause.pickled)
    except Exception:
        return None
    return error if isinstance(error, MatexError) else None
