"""How a program ended on each rank, told once."""

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
        The error and its traceback, "" where it ended well.
    freed : bool
        Whether it ended here only because another rank gave up.
    at : float
        When, in seconds since 1970.
    """

    status: int
    message: str = ""
    trace: str = ""
    freed: bool = False
    at: float = field(default_factory=time.time)


def tell(mine: Outcome, comm: Communicator) -> int:
    """Print, on rank 0, what went wrong and where; return the exit status. Collective."""
    try:
        outcomes = dict(enumerate(comm.all_gather_object(mine)))
    except CommunicationError:
        # Another rank is busy or gone: nobody else may tell.
        outcomes = {comm.rank: mine}
    failed = {rank: outcome for rank, outcome in outcomes.items() if outcome.message}
    if comm.rank == min(outcomes) and failed:
        print(_story(failed, comm.world_size), file=sys.__stderr__, flush=True)
    return max(outcome.status for outcome in outcomes.values())


def _story(failed: dict[int, Outcome], world_size: int) -> str:
    causes = {rank: outcome for rank, outcome in failed.items() if not outcome.freed} or failed
    first = min(causes, key=lambda rank: causes[rank].at)
    alike = [rank for rank in causes if causes[rank].message == causes[first].message]
    # Ranks that were at the end of the program already have no line of it to show.
    trace = max((causes[rank].trace for rank in alike), key=len)
    if len(alike) == world_size:
        return trace
    ranks = ", ".join(map(str, alike))
    who = f"rank{'s' if len(alike) > 1 else ''} {ranks} of {world_size}"
    lines = [f"failed first on {who}:", trace]
    freed = [rank for rank in failed if failed[rank].freed]
    if freed:
        numbers = ", ".join(map(str, freed))
        lines.append(f"rank{'s' if len(freed) > 1 else ''} {numbers} stopped because of that")
    for rank, outcome in causes.items():
        if rank not in alike:
            lines += [f"on rank {rank}:", outcome.trace]
    return "\n".join(lines)
