"""Waiting for other ranks in a way that can be interrupted.

A blocking MPI call does not notice Python's interrupts. So a rank here posts a nonblocking call and
tests it in a loop. Between tests Python can raise ``KeyboardInterrupt``, the deadline is checked,
and the rank learns that another one has stopped or failed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, ClassVar

import numpy as np
from mpi4py import MPI

from matexapps.comm.abort_messages import AbortMessages
from matexapps.comm.checks.long_waits import LongWaits
from matexapps.comm.failures.membership import Membership
from matexapps.comm.failures.policy import fault_tolerance_enabled
from matexapps.errors import CommunicationError, DeadlineExceeded, PeerAborted, RankFailureError

_SPIN_S = 300e-6
_YIELD_S = 20e-3
_SLEEP_S = 50e-6
_CHECK_EVERY_S = 2e-3
_CHECK_PROCESSES_EVERY_S = 1.0
# A rank may stop after it has done its part in the exchange that the others still wait for.
_GRACE_S = 0.25
_PROBE_S = 3.0
# How long MPI may take to report a death.
_REPORT_S = 5.0


class Waiting:
    """The wait loop of one communicator.

    Parameters
    ----------
    timeout_s : float
        The limit for a single wait, in seconds.
    membership : Membership
        The ranks whose failure ends a wait, if MPI reports failures.
    after_failure : bool
        Whether a failure is known already, so that a revoked membership is no news.

    Attributes
    ----------
    kills_unresponsive : bool
        Whether ranks that give no sign of life at the deadline are killed, and so count as failed.
        Otherwise the wait ends with an error.
    waited_s : float
        Seconds spent in waits.
    broken_by : str or None
        Why the communicator can no longer be used.
    """

    # The operations of this process that are not complete, by number. MPI uses their buffers
    # whenever messages arrive, even if nobody waits any more.
    _incomplete: ClassVar[dict[int, Any]] = {}
    _numbers: ClassVar = count()

    def __init__(
        self, timeout_s: float, membership: Membership, after_failure: bool = False
    ) -> None:
        self.timeout_s = timeout_s
        self.kills_unresponsive = after_failure
        self.waited_s = 0.0
        self.broken_by: str | None = None
        self._membership, self._after_failure = membership, after_failure
        self._long_waits = LongWaits()
        self._aborts: AbortMessages | None = None
        self._spin_s = _SPIN_S
        self._killed: set[int] = set()

    def listen_on(self, control: MPI.Comm) -> None:
        """Use ``control``, which carries nothing else, for messages that a rank has stopped."""
        self._aborts = AbortMessages(control)

    def never_spin(self) -> None:
        """Yield the core at once: there are more ranks than cores, and another rank needs it."""
        self._spin_s = 0.0

    def run(self, what: str, operation: Callable[..., Any], *buffers: Any, **options: Any) -> None:
        """Begin a nonblocking operation on ``buffers``, and wait until it is complete.

        Raises what :meth:`run_all` raises.
        """
        self.run_all(what, partial(operation, *buffers, **options))

    def run_all(self, what: str, *operations: Callable[[], MPI.Request]) -> None:
        """Begin nonblocking operations, and wait until all are complete.

        If that is cut short, ``operations`` are never freed: MPI may still write to their buffers.

        Raises
        ------
        DeadlineExceeded
            If the others do not arrive within ``timeout_s``.
        PeerAborted
            If another rank has stopped.
        RankFailureError
            If a rank has failed.
        """
        number = next(self._numbers)
        requests: list[MPI.Request] = []
        self._incomplete[number] = operations, requests
        try:
            for operation in operations:
                requests.append(operation())
            # One by one: for several at a time MPI would not say what went wrong.
            if not all(request.Test() for request in requests):
                self._until(lambda: all(request.Test() for request in requests), what)
            del self._incomplete[number]
        except MPI.Exception as error:
            raise self._break(what, error) from error
        except BaseException as error:
            self._cut_short(error)
            raise

    def duplicate(self, comm: MPI.Intracomm) -> MPI.Intracomm:
        """Return a duplicate of a communicator. Collective."""
        duplicates = []

        def begin() -> MPI.Request:
            duplicate, request = comm.Idup()
            duplicates.append(duplicate)
            return request

        self.run_all("opening the world", begin)
        return duplicates[0]

    def agree(self, comm: MPI.Intracomm, what: str) -> None:
        """Return on every rank, or raise ``RankFailureError`` on every rank. Collective."""
        self.run(what, comm.Iagree, np.ones(1, np.int32))

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until ``ready`` returns True. Raises what :meth:`run_all` raises."""
        try:
            self._until(ready, what)
        except MPI.Exception as error:
            raise self._break(what, error) from error
        except BaseException as error:
            self._cut_short(error)
            raise

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        start = time.perf_counter()
        self._long_waits.begin(what)
        completed = False
        try:
            self._loop(ready, what, start)
            completed = True
        finally:
            elapsed = time.perf_counter() - start
            self.waited_s += elapsed
            self._long_waits.end(elapsed, completed)

    def _cut_short(self, error: BaseException) -> None:
        others_know = isinstance(error, PeerAborted | RankFailureError)
        self.mark_broken(f"{type(error).__name__}: {error}", notify=not others_know)

    def mark_broken(self, reason: str, notify: bool = True) -> None:
        """Make the communicator unusable and, if asked to, tell every other rank. Not collective.

        Parameters
        ----------
        reason : str
        notify : bool
            False where the other ranks know already.
        """
        if self.broken_by is not None:
            return
        self.broken_by = reason
        if notify and self._aborts is not None:
            self._aborts.send(reason)

    def _break(self, what: str, error: MPI.Exception) -> CommunicationError:
        """Mark the communicator as broken by an error of MPI, and return that as one of ours."""
        if self._membership.is_rank_failure(error):
            failure = RankFailureError(f"a rank failed during {what}")
            self.mark_broken(f"RankFailureError: {failure}", notify=False)
            return failure
        other = CommunicationError(f"MPI failed in {what}: {error}")
        self.mark_broken(f"CommunicationError: {other}")
        return other

    def _loop(self, ready: Callable[[], bool], what: str, start: float) -> None:
        clock = time.perf_counter
        next_check, next_process_check = start + _CHECK_EVERY_S, start + _CHECK_PROCESSES_EVERY_S
        limit_s = self.timeout_s
        while not ready():
            now = clock()
            elapsed = now - start
            if elapsed > _YIELD_S:
                time.sleep(_SLEEP_S)
            elif elapsed > self._spin_s:
                os.sched_yield()
            if now > next_check:
                self._check_failures()
                if self._aborts is not None and self._aborts.arrived():
                    if _becomes_ready(ready):
                        return
                    raise self._aborts.receive()
                if elapsed > limit_s:
                    if not (self.kills_unresponsive and self._kill_unresponsive()):
                        raise self._deadline_exceeded(elapsed, what)
                    limit_s = elapsed + _REPORT_S
                if now > next_process_check:
                    if self._membership.exited_locally():
                        limit_s = min(limit_s, elapsed + _REPORT_S)
                    next_process_check = now + _CHECK_PROCESSES_EVERY_S
                self._long_waits.check(elapsed)
                next_check = now + _CHECK_EVERY_S

    def _check_failures(self) -> None:
        if not fault_tolerance_enabled():
            return
        if not self._after_failure and self._membership.revoked:
            raise RankFailureError("a rank failed, as another rank has noticed")
        self._membership.answer_probes()

    def _deadline_exceeded(self, elapsed_s: float, what: str) -> DeadlineExceeded:
        if exited := self._membership.exited_locally():
            self._membership.abort_at_exit()
            names = " and ".join(f"rank {member.rank} on {member.host}" for member in exited)
            return DeadlineExceeded(
                f"waited {elapsed_s:.0f} s in {what} for {names}, whose process no longer exists, "
                "and MPI does not report that: it exited without ending MPI (os._exit, or exit() "
                "in a library)"
            )
        return DeadlineExceeded(
            f"waited {elapsed_s:.0f} s in {what} for other ranks, which is the limit; look for a "
            "rank that is stuck or took another branch, or raise the limit with "
            "open_world(timeout_s=...)"
        )

    def _kill_unresponsive(self) -> bool:
        """Kill the ranks of this host that give no sign of life; return whether there are such."""
        silent = self._membership.probe_liveness()
        deadline = time.perf_counter() + _PROBE_S
        while silent and time.perf_counter() < deadline:
            self._check_failures()
            silent -= self._membership.receive_answers()
            time.sleep(_SLEEP_S)
        killed = self._membership.kill_local(silent) - self._killed
        self._killed |= killed
        return bool(killed)


def _becomes_ready(ready: Callable[[], bool]) -> bool:
    deadline = time.perf_counter() + _GRACE_S
    while time.perf_counter() < deadline:
        if ready():
            return True
        os.sched_yield()
    return False
