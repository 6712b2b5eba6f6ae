"""A request on several ranks, and what has come back from each of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import cloudpickle

from matexapps.cluster.call.rank_exceptions import RankException
from matexapps.cluster.output.display import MimeBundle
from matexapps.cluster.ranks.engines import Engines
from matexapps.engine import calls

_OUTPUT_GRACE_S = 1.0
# Open MPI writes this when a rank's death cuts off a message.
_OPEN_MPI_NOISE = re.compile(r"^NBC_Progress: an error 7[567] was found[^\n]*\n?\n?", re.MULTILINE)


class Replies:
    """The replies of ranks to one request, which is sent when this is created.

    Parameters
    ----------
    engines : Engines
    ranks : sequence of int
        The ranks that the request goes to.
    request : bytes
        See :func:`matexapps.cluster.call.request.pack_request`.
    """

    def __init__(self, engines: Engines, ranks: Sequence[int], request: bytes) -> None:
        self._engines = engines
        self._pending = {
            rank: engines.ranks[rank].view.apply_async(calls.execute, request) for rank in ranks
        }
        self._outcomes: dict[int, dict[str, Any]] = {}

    @property
    def busy(self) -> list[int]:
        """The ranks that have not answered yet."""
        return [rank for rank in self._pending if rank not in self._outcomes]

    @property
    def without_outcome(self) -> list[int]:
        """The ranks that have not answered, or whose engine failed before it could."""
        return [rank for rank in self._pending if not self._outcomes.get(rank)]

    def collect(self, timeout_s: float) -> bool:
        """Wait at most ``timeout_s`` seconds; return whether a rank has answered meanwhile."""
        deadline, new = time.monotonic() + timeout_s, False
        for rank in self.busy:
            reply = self._pending[rank]
            reply.wait(max(0.0, deadline - time.monotonic()))
            if reply.ready():
                self._outcomes[rank] = self._unpack(rank, reply)
                new = True
        return new

    def _unpack(self, rank: int, reply: Any) -> dict[str, Any]:
        try:
            outcome: dict[str, Any] = cloudpickle.loads(reply.get())
        except Exception as error:
            # The call itself catches everything, so its engine failed, died, or dropped the
            # request.
            name = getattr(error, "ename", type(error).__name__)
            if name == "EngineError":
                self._engines.confirm_dead(rank)
                return {}
            failure = {"type_name": name, "message": str(error), "trace": "", "host": "this host"}
            return {"failure": {**failure, "raised_at": time.time()}}
        return outcome

    def mark_dead(self, rank: int) -> None:
        """Expect no answer from a rank any more."""
        self._outcomes[rank] = {}

    def value(self, rank: int) -> Any:
        """Return what the function returned on a rank."""
        return self._outcomes[rank]["value"]

    @property
    def exceptions(self) -> list[RankException]:
        """The exceptions raised so far, in rank order."""
        return [
            RankException(rank=rank, **outcome["failure"])
            for rank, outcome in sorted(self._outcomes.items())
            if "failure" in outcome
        ]

    @property
    def reloaded(self) -> list[str]:
        """The names of the modules that were reloaded on some rank."""
        outcomes = self._outcomes.values()
        return sorted({name for outcome in outcomes for name in outcome.get("reloaded", [])})

    def wait_for_output(self) -> None:
        """Wait until the output of the ranks that have answered is complete."""
        for reply in self._pending.values():
            if reply.ready():
                reply.wait_for_output(_OUTPUT_GRACE_S)

    def take_events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the ranks' new events, each with its rank."""
        for rank, reply in self._pending.items():
            events = reply.metadata["data"]
            for key in list(events):
                yield rank, events.pop(key)

    def printed(self) -> list[dict[str, str]]:
        """Return each rank's ``stdout`` and ``stderr`` so far."""
        return [
            {
                "stdout": reply.metadata["stdout"],
                "stderr": _without_noise(reply.metadata["stderr"]),
            }
            for reply in self._pending.values()
        ]

    def figures(self) -> dict[int, list[MimeBundle]]:
        """Return what each rank displayed."""
        return {
            rank: [
                (output["data"], output.get("metadata", {}))
                for output in reply.metadata["outputs"]
                if "data" in output
            ]
            for rank, reply in self._pending.items()
        }


def _without_noise(text: str) -> str:
    # The result for a longer text begins with that for a shorter one, except for the last line.
    return _OPEN_MPI_NOISE.sub("", text) if "NBC_Progress" in text else text
