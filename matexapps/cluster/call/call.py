"""One call on ranks: sent, watched while it runs, and collected."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from matexapps.cluster.call.hang import HangWatch, format_stacks
from matexapps.cluster.call.live_display import LiveDisplay
from matexapps.cluster.call.rank_exceptions import (
    RankException,
    describe_consequences,
    to_error,
)
from matexapps.cluster.call.rank_failures import RankFailures
from matexapps.cluster.call.replies import Replies
from matexapps.cluster.call.request import pack_request
from matexapps.cluster.call.stopping import END_AFTER_S, StopSequence
from matexapps.cluster.output.display import Folded, after_cell, show_by_rank
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.errors import ClusterError, RanksDied

_POLL_INTERVAL_S = 0.02
_PEER_GRACE_S = 0.3
_STACKS_TIMEOUT_S = 0.5


class Call:
    """A function that runs on ranks.

    Parameters
    ----------
    engines : Engines
    ranks : sequence of int
        The ranks it runs on.
    label : str
        What it is called in messages.
    function : callable or str
        The function, or ``"package.module:name"``.
    args, kwargs : tuple, dict
        Its arguments, the same on every rank.
    timeout_s : float, optional
        Time limit in seconds, after which it is stopped.
    as_one : bool
        Whether the ranks run one distributed program, whose output is shown as that of one process.

    Raises
    ------
    ClusterError
        If the ranks are busy, or function or arguments cannot be sent.
    """

    def __init__(
        self,
        engines: Engines,
        ranks: Sequence[int],
        label: str,
        function: Callable[..., Any] | str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout_s: float | None = None,
        as_one: bool = False,
    ) -> None:
        if engines.activity:
            raise ClusterError(
                f"the ranks are busy with {engines.activity}; wait for it or stop it"
            )
        on_all = len(ranks) == engines.n
        request = pack_request(label, engines.needs_renewal and on_all, function, args, kwargs)
        if on_all:
            engines.needs_renewal = False
        self._engines, self._ranks, self._label = engines, list(ranks), label
        self._timeout_s = timeout_s
        self._replies = Replies(engines, self._ranks, request)
        self._start = time.monotonic()
        self._hang = HangWatch(engines, self._ranks)
        self._rank_failures = RankFailures(engines, self._ranks)
        self._display = LiveDisplay(engines, self._ranks, headings=engines.n > 1 and not as_one)

    def results(self) -> dict[int, Any]:
        """Wait for every rank, showing progress and output, and return what each returned.

        If ranks died and the work went on without them, the remaining ranks are renumbered.

        Raises
        ------
        MatexError
            The exception that came first.
        ClusterError
            If engines ended meanwhile, or the call took longer than its time limit.
        KeyboardInterrupt
            If interrupted, after the ranks have been interrupted too.
        """
        outcome = "failed"
        self._engines.activity = self._label
        try:
            self._wait()
            if not self._replies.exceptions and self._rank_failures.tolerated:
                outcome = "done"
        except KeyboardInterrupt:
            outcome = "stopped"
            raise self._interrupted() from None
        finally:
            self._engines.activity = ""
            self._engines.needs_renewal |= outcome != "done"
            self._replies.wait_for_output()
            self._refresh(final=True)
            self._display.close(outcome)
        show_by_rank(self._replies.figures(), headings=self._engines.n > 1)
        self._report_reloaded()
        return self._values()

    def _values(self) -> dict[int, Any]:
        n, exceptions = self._engines.n, self._replies.exceptions
        died, remaining = self._engines.remove_dead(), self._engines.remaining
        if died and not self._rank_failures.tolerated and not any(map(_is_cause, exceptions)):
            raise RanksDied("\n".join([*died.values(), remaining]), sorted(died))
        if exceptions:
            if text := describe_consequences(exceptions):
                after_cell(partial(Folded().show, "What the other ranks were doing", text))
            raise to_error(exceptions, n)
        if self._rank_failures.dead:
            self._engines.check_alive()
        if died:
            print("\n".join([*map(_first_line, died.values()), remaining]), file=sys.stderr)
        alive = [rank for rank in range(n) if rank not in died]
        return {
            alive.index(rank): self._replies.value(rank) for rank in self._ranks if rank in alive
        }

    def _wait(self) -> None:
        stop: StopSequence | None = None
        while not self._collect():
            self._refresh()
            self._engines.check_alive()
            self._detect_deaths()
            self._hang.check(self._replies.busy)
            failed = any(map(_is_cause, self._replies.exceptions)) or self._rank_failures.fatal
            if stop is None and failed:
                stop = StopSequence(self._engines, _PEER_GRACE_S)
                self._hang.freeze()
            # The failing rank frees those that wait for it; others need to be interrupted.
            if stop is not None and not stop.advance(self._replies.busy):
                return
            if self._timeout_s is not None and time.monotonic() - self._start > self._timeout_s:
                raise self._timed_out(self._timeout_s)
        self._detect_deaths()

    def _collect(self) -> bool:
        if self._replies.collect(_POLL_INTERVAL_S):
            self._hang.note_activity()
        return not self._replies.busy

    def _detect_deaths(self) -> None:
        for rank in self._rank_failures.detect(self._replies.without_outcome):
            self._replies.mark_dead(rank)
            self._hang.remove(rank)

    def _refresh(self, final: bool = False) -> None:
        for rank, event in self._replies.take_events():
            self._dispatch(rank, event)
        if self._display.refresh(self._replies.printed(), final):
            self._hang.note_activity()

    def _dispatch(self, rank: int, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "waiting":
            self._hang.update(rank, event)
            return
        self._hang.note_activity()
        if kind in ("fault_tolerant", "shrunk"):
            self._rank_failures.update(rank, event)
        elif kind == "rank_failure":
            self._display.progress.remove_ranks(event)
        else:
            self._display.progress.update(event)

    def _interrupted(self) -> KeyboardInterrupt:
        """Interrupt the ranks, and return what to raise once they have stopped."""
        try:
            stopped = self._stop()
        except BaseException:
            # A second Stop ends the ranks at once.
            self._engines.stop()
            raise
        seconds = time.monotonic() - self._start
        text = f"{self._label} was stopped on {rank_names(self._ranks)} after {seconds:.1f} s"
        if not stopped:
            text += (
                f"; not all ranks reacted within {END_AFTER_S:.0f} s, so they were ended; the next "
                "use of the cluster starts new ones, without their names"
            )
        else:
            text += "".join(f"; {_first_line(c)}" for c in self._engines.remove_dead().values())
        interrupt = KeyboardInterrupt(text)
        lines = [f"\x1b[1;31mKeyboardInterrupt\x1b[0m: {text}"]
        # IPython asks an exception for this, and shows it in place of the frames of this package.
        interrupt._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        return interrupt

    def _timed_out(self, limit_s: float) -> ClusterError:
        late = self._replies.busy
        stacks = format_stacks(self._engines.stacks(late, _STACKS_TIMEOUT_S), late)
        text = f"{self._label} took longer than {limit_s:g} s on {rank_names(late)} and was stopped"
        if not self._stop():
            text += ", by ending the ranks; the next use of the cluster starts new ones"
        return ClusterError(f"{text}. It was here:\n{stacks}")

    def _stop(self) -> bool:
        """Interrupt all busy ranks; return whether they stopped without being ended."""
        self._hang.freeze()
        stop = StopSequence(self._engines, 0.0)
        while stop.advance(self._replies.busy):
            if self._collect():
                return True
        return False

    def _report_reloaded(self) -> None:
        names = self._replies.reloaded
        if not names:
            return
        text = f"Reloaded on the ranks, because the files have changed: {', '.join(names)}"
        if imported := [name for name in names if name in sys.modules]:
            text += (
                ". This process keeps the version that it has imported, until "
                f"importlib.reload({imported[0]})"
            )
        print(text, file=sys.stderr)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _is_cause(exception: RankException) -> bool:
    return not exception.is_consequence
