"""How a program ended on each rank, reported in one message."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

from matexapps.comm.communicator import Communicator
from matexapps.errors import CommunicationError


@dataclass(frozen=True)
class Outcome:
    """How a program ended on one rank.

    Attributes
    ----------
    status : int
        The exit status.
    message, trace : str
        The error and its traceback; "" where there was none.
    peer_aborted : bool
        Whether it ended here only because another rank failed.
    at : float
        When it ended, in seconds since 1970.
    """

    status: int
    message: str = ""
    trace: str = ""
    peer_aborted: bool = False
    at: float = field(default_factory=time.time)


def report_outcome(outcome: Outcome, comm: Communicator) -> int:
    """Print on rank 0 which ranks failed, and how; return the exit status. Collective."""
    try:
        outcomes = dict(enumerate(comm.all_gather_object(outcome)))
    except CommunicationError:
        # Another rank is busy or gone, so this one reports its own failure.
        outcomes = {comm.rank: outcome}
    failures = {rank: outcome for rank, outcome in outcomes.items() if outcome.message}
    if comm.rank == min(outcomes) and failures:
        print(_describe(failures, comm.world_size), file=sys.__stderr__, flush=True)
    return max(outcome.status for outcome in outcomes.values())


def _describe(failures: dict[int, Outcome], world_size: int) -> str:
    causes = {r: failure for r, failure in failures.items() if not failure.peer_aborted} or failures
    first = min(causes, key=lambda rank: causes[rank].at)
    same_error = [rank for rank in causes if causes[rank].message == causes[first].message]
    # Ranks that had come to the end of the program have no line of it to show.
    trace = max((causes[rank].trace for rank in same_error), key=len)
    if len(same_error) == world_size:
        return trace
    lines = [f"failed first on {_ranks(same_error)} of {world_size}:", trace]
    stopped = [rank for rank in failures if failures[rank].peer_aborted]
    if stopped:
        lines.append(f"{_ranks(stopped)} stopped because of that")
    for rank, cause in causes.items():
        if rank not in same_error:
            lines += [f"on rank {rank}:", cause.trace]
    return "\n".join(lines)


def _ranks(ranks: list[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"
