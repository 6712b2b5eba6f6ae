"""Waiting for other ranks in a way that can be stopped.

A blocking MPI call does not notice Python's interrupts, so a rank here posts a nonblocking call and
tests it in a loop. Between tests Python can raise ``KeyboardInterrupt``, the deadline is watched,
and a message that another rank has given up, or is gone, is received.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mpi4py import MPI

from matexapps.comm.abort_notes import AbortNotes
from matexapps.comm.checks.long_waits import LongWaits
from matexapps.comm.failures.membership import Base, fault_tolerant
from matexapps.errors import CommunicationError, DeadlineExceeded, PeerAborted, RankFailureError

T = TypeVar("T")

_SPIN_S = 300e-6
_YIELD_S = 20e-3
_NAP_S = 50e-6
_LOOK_EVERY_S = 2e-3
_GRACE_S = 0.25
_ROLL_S = 3.0
_LOOK_FOR_PROCESSES_EVERY_S = 1.0
_NEWS_S = 5.0


class Waiting:
    """The wait loop of one communicator.

    Parameters
    ----------
    timeout_s : float
        The longest that a single wait may take, in seconds.
    base : Base
        The ranks whose loss ends a wait, where MPI tells of it.
    after_loss : bool
        Whether that there was a loss is known already.

    Attributes
    ----------
    ends_silent : bool
        Whether ranks that give no sign of life at the deadline are ended, so that they count as
        lost, rather than the wait be given up.
    """

    def __init__(self, timeout_s: float, base: Base, after_loss: bool = False) -> None:
        self.timeout_s = timeout_s
        self.ends_silent = after_loss
        self._base, self._after_loss = base, after_loss
        self.waited_s = 0.0
        self.broken_by: str | None = None
        self._long_waits = LongWaits()
        self._notes: AbortNotes | None = None
        self._spin_s = _SPIN_S
        self._unfinished: list[Any] = []
        self._ended: set[int] = set()

    def listen_on(self, control: MPI.Comm) -> None:
        """Use ``control``, which carries nothing else, for the news that a rank gave up."""
        self._notes = AbortNotes(control)

    def yield_at_once(self) -> None:
        """Never spin: there are more ranks than cores, and the one waited for needs this core."""
        self._spin_s = 0.0

    def begin(self, what: str, operation: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Return what a nonblocking operation does, such as its request.

        Raises
        ------
        RankFailureError
            If a rank is gone.
        """
        try:
            return operation(*args, **kwargs)
        except MPI.Exception as error:
            raise self._failed(what, error) from error

    def complete(self, requests: list[MPI.Request], what: str, *buffers: Any) -> None:
        """Wait until all ``requests`` are complete.

        ``buffers`` are kept alive if the wait is cut short, since MPI may still write to them.

        Raises
        ------
        DeadlineExceeded
            If the others do not arrive within ``timeout_s``.
        PeerAborted
            If another rank gave up.
        RankFailureError
            If a rank is gone.
        """
        # One by one: of several, MPI would not say what went wrong.
        try:
            if all(request.Test() for request in requests):
                return
        except MPI.Exception as error:
            self._unfinished.append((requests, buffers))
            raise self._failed(what, error) from error
        self.until(lambda: all(r.Test() for r in requests), what, requests, *buffers)

    def run(self, what: str, operation: Callable[..., Any], *buffers: Any, **settings: Any) -> None:
        """Begin a nonblocking operation on ``buffers``, and wait until it is complete."""
        self.complete([self.begin(what, operation, *buffers, **settings)], what, *buffers)

    def duplicate(self, comm: MPI.Intracomm) -> MPI.Intracomm:
        """Return a duplicate of a communicator. Collective."""
        what = "opening the world"
        duplicate, ready = self.begin(what, comm.Idup)
        self.complete([ready], what)
        return duplicate

    def until(self, ready: Callable[[], bool], what: str, *kept: Any) -> None:
        """Wait until ``ready`` says yes; ``kept`` and exceptions as for :meth:`complete`."""
        start = time.perf_counter()
        self._long_waits.begin(what)
        well = False
        try:
            self._loop(ready, what, start)
            well = True
        except MPI.Exception as error:
            self._unfinished.append(kept)
            raise self._failed(what, error) from error
        except BaseException as error:
            self._unfinished.append(kept)
            known = isinstance(error, PeerAborted | RankFailureError)
            self.give_up(f"{type(error).__name__}: {error}", tell=not known)
            raise
        finally:
            elapsed = time.perf_counter() - start
            self.waited_s += elapsed
            self._long_waits.end(elapsed, well)

    def _failed(self, what: str, error: MPI.Exception) -> CommunicationError:
        failure: CommunicationError
        if fault_tolerant() and self._base.reports_failures(error):
            failure = RankFailureError(f"a rank was lost during {what}")
        else:
            failure = CommunicationError(f"MPI failed in {what}: {error}")
        self.give_up(
            f"{type(failure).__name__}: {failure}", tell=not isinstance(failure, RankFailureError)
        )
        return failure

    def _loop(self, ready: Callable[[], bool], what: str, start: float) -> None:
        clock = time.perf_counter
        next_look, next_count = start + _LOOK_EVERY_S, start + _LOOK_FOR_PROCESSES_EVERY_S
        limit_s = self.timeout_s
        while not ready():
            now = clock()
            elapsed = now - start
            if elapsed > _YIELD_S:
                time.sleep(_NAP_S)
            elif elapsed > self._spin_s:
                os.sched_yield()
            if now > next_look:
                self._look_for_loss()
                if self._notes is not None and self._notes.arrived():
                    # The one that gave up may have done so after this exchange, which then ends.
                    if _ends_soon(ready):
                        return
                    raise self._notes.take()
                if elapsed > limit_s:
                    if not (self.ends_silent and self._silent_ended()):
                        raise self._too_late(elapsed, what)
                    limit_s = elapsed + _NEWS_S
                if now > next_count:
                    if self._base.gone():
                        limit_s = min(limit_s, elapsed + _NEWS_S)
                    next_count = now + _LOOK_FOR_PROCESSES_EVERY_S
                self._long_waits.watch(elapsed)
                next_look = now + _LOOK_EVERY_S

    def _look_for_loss(self) -> None:
        if not fault_tolerant():
            return
        if not self._after_loss and self._base.revoked:
            raise RankFailureError("a rank was lost, as another one found")
        self._base.answer()

    def _too_late(self, elapsed_s: float, what: str) -> DeadlineExceeded:
        if gone := self._base.gone():
            self._base.end_all_at_exit()
            return DeadlineExceeded(
                f"waited {elapsed_s:.0f} s in {what} for {' and '.join(gone)}, whose process is "
                "gone, which MPI does not tell: it has left by itself (os._exit, a library's exit)"
            )
        return DeadlineExceeded(
            f"waited {elapsed_s:.0f} s in {what} for other ranks, which is the limit; look for a "
            "rank that is stuck or took another branch, or allow more with "
            "open_world(timeout_s=...)"
        )

    def _silent_ended(self) -> bool:
        """End the ranks that give no sign of life; return whether there are such."""
        silent = self._base.probe_liveness()
        until = time.perf_counter() + _ROLL_S
        while silent and time.perf_counter() < until:
            self._look_for_loss()
            silent -= self._base.answered()
            time.sleep(_NAP_S)
        ended = self._base.end(silent) - self._ended
        self._ended |= ended
        return bool(ended)

    def give_up(self, reason: str, tell: bool = True) -> None:
        """Mark the communicator as broken and, unless they know, tell every other rank."""
        if self.broken_by is not None:
            return
        self.broken_by = reason
        if tell and self._notes is not None:
            self._notes.send(reason)


def _ends_soon(ready: Callable[[], bool]) -> bool:
    until = time.perf_counter() + _GRACE_S
    while time.perf_counter() < until:
        if ready():
            return True
        os.sched_yield()
    return False
