"""One call on all ranks: sent, watched while it runs, and collected."""

from __future__ import annotations

import linecache
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import cloudpickle

from matexapps.cluster import on_engine
from matexapps.cluster.engines import Engines
from matexapps.cluster.failures import Failure, as_error
from matexapps.cluster.progress_view import MergedProgress, view_for_here
from matexapps.cluster.rank_output import RankOutput
from matexapps.errors import ClusterError

_LOOK_EVERY_S = 0.05
_OTHERS_GRACE_S = 1.0
_INTERRUPT_GRACE_S = 5.0
_OUTPUT_GRACE_S = 1.0


class Call:
    """A function that is under way on every rank.

    Parameters
    ----------
    engines : Engines
        Where it runs.
    function : callable or str
        The function, or ``"package.module:name"``.
    args, kwargs : tuple, dict
        Its arguments, the same on every rank.
    """

    def __init__(
        self,
        engines: Engines,
        function: Callable[..., Any] | str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        packed = cloudpickle.dumps(
            {
                "folder": os.getcwd(),
                "path": sys.path,
                "sources": _cell_sources(),
                "content": _pack((function, args, kwargs)),
            }
        )
        self._engines = engines
        self._replies = [view.apply_async(on_engine.execute, packed) for view in engines.views]
        self._outcomes: dict[int, dict[str, Any]] = {}
        self._view, self._progress = view_for_here(), MergedProgress()
        self._output = RankOutput(engines.n)

    def results(self) -> list[Any]:
        """Wait for every rank, showing progress and output, and return what each returned.

        Raises
        ------
        MatexError
            The failure that came first.
        ClusterError
            If engines ended meanwhile, or did not react to an interrupt.
        KeyboardInterrupt
            If interrupted; the ranks have then been interrupted too.
        """
        outcome = "failed"
        try:
            self._wait()
            outcome = "failed" if self._failures() else "done"
        except KeyboardInterrupt:
            outcome = "stopped"
            self._interrupt()
            raise
        finally:
            self._look(final=True)
            self._view.close(self._progress, outcome)
        if self._failures():
            raise as_error(self._failures(), self._engines.n)
        return [self._outcomes[rank]["value"] for rank in range(self._engines.n)]

    def _wait(self) -> None:
        failed_at: float | None = None
        pushed = False
        while not self._collect(_LOOK_EVERY_S):
            self._look()
            self._engines.check_alive()
            if failed_at is None and any(not f.is_consequence for f in self._failures()):
                failed_at = time.monotonic()
            # The failing rank frees those that wait for it; any other needs a push.
            if failed_at is not None and not pushed:
                pushed = time.monotonic() - failed_at > _OTHERS_GRACE_S
                if pushed:
                    self._engines.interrupt(self._unanswered())
            if failed_at is not None and time.monotonic() - failed_at > _INTERRUPT_GRACE_S:
                # Stuck where Python is never asked. The failure is what the user has to see.
                self._engines.stop()
                return

    def _collect(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        for rank, reply in enumerate(self._replies):
            if rank in self._outcomes:
                continue
            reply.wait(max(0.0, deadline - time.monotonic()))
            if not reply.ready():
                continue
            self._outcomes[rank] = self._open(rank, reply)
        return len(self._outcomes) == len(self._replies)

    def _open(self, rank: int, reply: Any) -> dict[str, Any]:
        try:
            outcome: dict[str, Any] = cloudpickle.loads(reply.get())
        except Exception as error:
            # The call itself catches everything, so it was its engine that failed, or died.
            name = getattr(error, "ename", "EngineError")
            if name == "EngineError":
                raise self._engines.lost(rank, error) from None
            failure = {"type_name": name, "message": str(error), "trace": "", "host": "this host"}
            return {"failure": {**failure, "raised_at": time.time()}}
        return outcome

    def _failures(self) -> list[Failure]:
        return [
            Failure(rank=rank, **outcome["failure"])
            for rank, outcome in sorted(self._outcomes.items())
            if "failure" in outcome
        ]

    def _unanswered(self) -> list[int]:
        return [rank for rank in range(self._engines.n) if rank not in self._outcomes]

    def _look(self, final: bool = False) -> None:
        for reply in self._replies:
            if final and reply.ready():
                reply.wait_for_output(_OUTPUT_GRACE_S)
            events = reply.metadata["data"]
            for key in list(events):
                self._progress.update(events.pop(key))
        self._output.show([reply.metadata for reply in self._replies], final)
        self._view.show(self._progress)

    def _interrupt(self) -> None:
        deadline = time.monotonic() + _INTERRUPT_GRACE_S
        try:
            self._engines.interrupt(self._unanswered())
            while not self._collect(_LOOK_EVERY_S):
                if time.monotonic() > deadline:
                    raise KeyboardInterrupt(
                        f"the ranks did not stop within {_INTERRUPT_GRACE_S:.0f} s and were ended; "
                        "the next use of the cluster starts new ones"
                    )
        except BaseException:
            # Stuck where Python is never asked, or somebody lost patience.
            self._engines.stop()
            raise


def _pack(content: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(content)
    except Exception as error:
        raise ClusterError(
            f"the function or an argument cannot be sent to the ranks ({error}); "
            "send file names and settings, and open files or connections on the ranks"
        ) from error
    return packed


def _cell_sources() -> dict[str, list[str]]:
    # The code of cells is in no file; a rank's traceback shall show its lines all the same.
    return {
        name: entry[2]
        for name, entry in linecache.cache.items()
        if len(entry) == 4 and entry[1] is None and "ipykernel" in name
    }
