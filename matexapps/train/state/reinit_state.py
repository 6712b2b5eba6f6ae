"""What a process keeps of its fits in memory for a restart in place: see :func:`reinit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from matexapps.comm.failures.fault_tolerant import RankFailure
from matexapps.comm.failures.reinit import rerun_after_failures
from matexapps.comm.world import open_world
from matexapps.train.state.recovery import Fit, Stage
from matexapps.train.state.resume import state_of_fit
from matexapps.train.training import Training

T = TypeVar("T")
FitState = dict[str, Any]

_MAX_WAIT_S = 86_400.0


class ReinitState:
    """The fits of an entry that is run again after failures, in the order in which they begin.

    This order is the same in every run of the entry.
    """

    def __init__(self) -> None:
        self._states: list[FitState | None] = []
        self._fits: list[tuple[Training, Fit]] = []
        self._failures: list[RankFailure] = []
        self._restarted = False

    def begin(self, trainer: Training, fit: Fit) -> None:
        """Note that a fit begins, and give it the state that it had before the restart."""
        number = len(self._fits)
        self._fits.append((trainer, fit))
        if number >= len(self._states) - 1:
            # Reported by the fit that was under way, or else by the next one.
            fit.failures += self._failures
            self._failures.clear()
        fit.earlier_state = self._states[number] if number < len(self._states) else None
        fit.interrupted |= self._restarted or trainer.comm.renewals > 0

    def keep(self, *failures: RankFailure) -> None:
        """Keep the states of the fits that have begun, before all ranks restart."""
        states = [
            # A fit that was still being prepared has no complete state.
            fit.earlier_state if fit.stage == Stage.CALLED else state_of_fit(trainer, fit)
            for trainer, fit in self._fits
        ]
        self._states[: len(states)] = states
        self._fits.clear()
        self._failures.extend(failures)

    def hand_over(self) -> list[FitState | None] | None:
        """Return all states on the rank that is furthest ahead; None on others. Collective."""
        last = self._states[-1] if self._states else None
        progress = (last["stage"], *last["position"].order) if last else ()
        with open_world() as comm:
            progresses = comm.all_gather_object((len(self._states), progress))
            return self._states if comm.rank == progresses.index(max(progresses)) else None

    def take_over(
        self, states: list[FitState | None], ranks: Sequence[tuple[int, str]], size: int
    ) -> None:
        """Keep the states of an earlier process.

        Parameters
        ----------
        states : list of dict or None
            What :meth:`hand_over` returned there.
        ranks, size : sequence of (int, str), int
            As in :class:`~matexapps.comm.failures.fault_tolerant.RankFailure`.
        """
        self._restarted = True
        self._states[:] = states
        self._failures.append(RankFailure(tuple(ranks), size))

    def clear(self) -> None:
        """Forget all fits."""
        self._restarted = False
        for values in (self._states, self._fits, self._failures):
            values.clear()


# Of this process: a notebook asks for it after the call in which a fit was broken off.
reinit_state = ReinitState()
hand_over, take_over = reinit_state.hand_over, reinit_state.take_over


def reinit(main: Callable[[], T]) -> T:
    """Run ``main`` on all ranks; when ranks die, start others and run it again on all of them.

    Each fit in it that had begun continues from the last step that any of the remaining ranks has
    finished, which is kept in memory. What ``main`` does outside of fits is done again. Open
    communicators inside ``main``.

    Parameters
    ----------
    main : callable
        Takes no arguments. It must begin the same fits in the same order each time, and a program
        that is started anew must call it in the same way.

    Returns
    -------
    What ``main`` returns.

    Examples
    --------
    >>> import matexapps as mx
    >>> mx.reinit(lambda: print(mx.open_world().world_size))
    1
    """
    try:
        return rerun_after_failures(main, _MAX_WAIT_S, reinit_state.keep)
    finally:
        reinit_state.clear()
