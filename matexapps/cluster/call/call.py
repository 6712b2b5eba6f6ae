"""One call on ranks: sent, watched while it runs, and collected."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cloudpickle

from matexapps.cluster.call.failures import Failure, as_error, describe_others
from matexapps.cluster.call.freeing import ENDED_AFTER_S, Freeing
from matexapps.cluster.call.hang import HangWatch, report
from matexapps.cluster.call.rank_failures import Losses
from matexapps.cluster.call.request import pack
from matexapps.cluster.output.cut_short import without_cut_short
from matexapps.cluster.output.grouped import GroupedOutput
from matexapps.cluster.output.lines import LineOutput
from matexapps.cluster.output.notebook import Folded, after_the_cell, in_notebook
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.output.rich import show_rich
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.view.progress_view import HEADLESS, MergedProgress, view_for_here
from matexapps.engine import calls
from matexapps.errors import ClusterError, RanksDied

_LOOK_EVERY_S = 0.02
_LOOK_AT_MEMORY_S = 1.0
_OUTPUT_GRACE_S = 1.0
_OTHERS_GRACE_S = 0.3
_STACKS_TIMEOUT_S = 0.5


class Call:
    """A function that is under way on ranks.

    Parameters
    ----------
    engines : Engines
        Where it runs.
    ranks : sequence of int
        On which of them.
    label : str
        What a person calls it.
    function : callable or str
        The function, or ``"package.module:name"``.
    args, kwargs : tuple, dict
        Its arguments, the same on every rank.
    timeout_s : float, optional
        After which it is stopped.

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
        if engines.doing:
            raise ClusterError(f"the ranks are busy with {engines.doing}; wait for it, or stop it")
        renew = engines.cut_short and len(ranks) == engines.n
        packed = pack(label, renew, function, args, kwargs)
        if len(ranks) == engines.n:
            engines.cut_short = False
        self._engines, self._ranks, self._label = engines, list(ranks), label
        self._timeout_s = timeout_s
        self._replies = {
            rank: engines.ranks[rank].view.apply_async(calls.execute, packed)
            for rank in self._ranks
        }
        self._began = self._memory_at = time.monotonic()
        self._outcomes: dict[int, dict[str, Any]] = {}
        self._printed = 0
        self._view, self._progress = view_for_here(), MergedProgress()
        self._hang, self._losses = HangWatch(engines, self._ranks), Losses(engines, self._ranks)
        self._output: GroupedOutput | LineOutput
        voices = 1 if as_one else engines.n
        # A headless run writes its log while it runs; a person wants to see less, and in order.
        if in_notebook() and not os.environ.get(HEADLESS):
            self._output = GroupedOutput(self._ranks, voices, str(engines.run_folder))
        else:
            self._output = LineOutput(self._ranks, voices)

    def results(self) -> dict[int, Any]:
        """Wait for every rank, showing progress and output, and return what each returned.

        Where ranks died and the work went on without them, the others are numbered anew.

        Raises
        ------
        MatexError
            The failure that came first.
        ClusterError
            If engines ended meanwhile, or the call took longer than its time limit.
        KeyboardInterrupt
            If interrupted; the ranks have then been interrupted too.
        """
        outcome = "failed"
        self._engines.doing = self._label
        try:
            self._wait()
            if not self._failures() and self._losses.survived:
                outcome = "done"
        except KeyboardInterrupt:
            outcome = "stopped"
            raise self._stopped() from None
        finally:
            self._engines.doing = ""
            self._engines.cut_short |= outcome != "done"
            self._look(final=True)
            self._view.close(self._progress, outcome)
        self._show_figures()
        self._tell_reloaded()
        before = self._engines.n
        died = self._engines.gather()
        failures = self._failures()
        if died and not self._losses.survived and not any(_is_cause(f) for f in failures):
            raise RanksDied("\n".join([*died.values(), self._engines.left]), sorted(died))
        if failures:
            if story := describe_others(failures):
                after_the_cell(partial(Folded().show, "What the other ranks were doing", story))
            raise as_error(failures, before)
        if self._losses.dead:
            self._engines.check_alive()
        if died:
            print(
                "\n".join([*map(_first_line, died.values()), self._engines.left]), file=sys.stderr
            )
        left = [rank for rank in range(before) if rank not in died]
        return {
            left.index(rank): self._outcomes[rank]["value"] for rank in self._ranks if rank in left
        }

    def _wait(self) -> None:
        freeing: Freeing | None = None
        while not self._collect(_LOOK_EVERY_S):
            self._look()
            self._engines.check_alive()
            self._note_deaths()
            self._hang.look(self._unanswered())
            failed = any(_is_cause(failure) for failure in self._failures())
            if freeing is None and (failed or self._losses.fatal):
                freeing = Freeing(self._engines, _OTHERS_GRACE_S)
                self._hang.end()
            # The failing rank frees those that wait for it; any other needs a push.
            if freeing is not None and not freeing.go_on(self._unanswered()):
                return
            if self._timeout_s is not None and time.monotonic() - self._began > self._timeout_s:
                raise self._timed_out(self._timeout_s)
        self._note_deaths()

    def _note_deaths(self) -> None:
        for rank in self._losses.look([r for r in self._ranks if not self._outcomes.get(r)]):
            self._outcomes[rank] = {}
            self._hang.lost(rank)

    def _stopped(self) -> KeyboardInterrupt:
        """Interrupt the ranks, and return what to raise once they have stopped."""
        try:
            soft = self._free()
        except BaseException:
            # Somebody lost patience.
            self._engines.stop()
            raise
        took = time.monotonic() - self._began
        text = f"{self._label} was stopped on {rank_names(self._ranks)} after {took:.1f} s"
        if not soft:
            text += (
                f"; not all reacted within {ENDED_AFTER_S:.0f} s, so they were ended; the next use "
                "of the cluster starts new ones, without their names"
            )
        else:
            text += "".join(f"; {_first_line(why)}" for why in self._engines.gather().values())
        stop = KeyboardInterrupt(text)
        shown = [f"\x1b[1;31mKeyboardInterrupt\x1b[0m: {text}"]
        # IPython asks an exception for this, and shows it in place of the frames of this package.
        stop._render_traceback_ = lambda: shown  # type: ignore[attr-defined]
        return stop

    def _timed_out(self, limit_s: float) -> ClusterError:
        late = self._unanswered()
        where = report(self._engines.stacks(late, _STACKS_TIMEOUT_S), late)
        text = f"{self._label} took longer than {limit_s:g} s on {rank_names(late)} and was stopped"
        if not self._free():
            text += ", by ending the ranks; the next use of the cluster starts new ones"
        return ClusterError(f"{text}. There it was:\n{where}")

    def _free(self) -> bool:
        """Interrupt all ranks that still work; return whether they have stopped by themselves."""
        self._hang.end()
        freeing = Freeing(self._engines, 0.0)
        while freeing.go_on(self._unanswered()):
            if self._collect(_LOOK_EVERY_S):
                return True
        return False

    def _collect(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        for rank, reply in self._replies.items():
            if rank in self._outcomes:
                continue
            reply.wait(max(0.0, deadline - time.monotonic()))
            if reply.ready():
                self._outcomes[rank] = self._open(rank, reply)
                self._hang.heard()
        return len(self._outcomes) == len(self._replies)

    def _open(self, rank: int, reply: Any) -> dict[str, Any]:
        try:
            outcome: dict[str, Any] = cloudpickle.loads(reply.get())
        except Exception as error:
            # The call itself catches everything, so it was its engine that failed, or died, or
            # that threw the request away.
            name = getattr(error, "ename", type(error).__name__)
            if name == "EngineError":
                self._engines.end_the_silent(rank)
                return {}
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
        return [rank for rank in self._ranks if rank not in self._outcomes]

    def _look(self, final: bool = False) -> None:
        for rank, reply in self._replies.items():
            if final and reply.ready():
                reply.wait_for_output(_OUTPUT_GRACE_S)
            events = reply.metadata["data"]
            for key in list(events):
                self._take_in(rank, events.pop(key))
        metadata = [reply.metadata for reply in self._replies.values()]
        requests = [
            {"stdout": of["stdout"], "stderr": without_cut_short(of["stderr"])} for of in metadata
        ]
        printed = sum(len(request["stdout"]) + len(request["stderr"]) for request in requests)
        if printed > self._printed:
            self._printed = printed
            self._hang.heard()
        self._output.show(requests, final)
        self._view.show(self._progress)
        if time.monotonic() - self._memory_at > _LOOK_AT_MEMORY_S:
            self._memory_at = time.monotonic()
            self._engines.memory()

    def _show_figures(self) -> None:
        outputs = {rank: reply.metadata["outputs"] for rank, reply in self._replies.items()}
        forms = {
            rank: [(shown["data"], shown.get("metadata", {})) for shown in some if "data" in shown]
            for rank, some in outputs.items()
        }
        show_rich(forms, self._engines.n == 1)

    def _take_in(self, rank: int, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "waiting":
            self._hang.waiting(rank, event)
            return
        self._hang.heard()
        if kind in ("prepared", "survived"):
            self._losses.take_in(rank, event)
        elif kind == "loss":
            self._progress.loss(event)
        else:
            self._progress.update(event)

    def _tell_reloaded(self) -> None:
        names = sorted(
            {n for outcome in self._outcomes.values() for n in outcome.get("reloaded", [])}
        )
        if not names:
            return
        text = f"Reloaded on the ranks, because the files have changed: {', '.join(names)}"
        if here := [name for name in names if name in sys.modules]:
            text += (
                f". This process keeps the version it has imported, until "
                f"importlib.reload({here[0]})"
            )
        print(text, file=sys.stderr)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _is_cause(failure: Failure) -> bool:
    return not failure.is_consequence
