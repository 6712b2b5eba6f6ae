"""What trainings leave in memory for a restart in place: see :func:`reinit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from matexapps.comm.failures.fault_tolerant import RankFailure
from matexapps.comm.failures.reinit import rerun_after_failures
from matexapps.comm.world import open_world
from matexapps.train.state.recovery import Fit, Stage
from matexapps.train.state.resume import kept_state
from matexapps.train.training import Training

T = TypeVar("T")

_LONGEST_WAIT_S = 86_400.0

# By the order in which they were begun, which is the same in each run of the entry.
_kept: list[dict[str, Any] | None] = []
_begun: list[tuple[Training, Fit]] = []
_losses: list[RankFailure] = []
_restarted = False


def reinit(main: Callable[[], T]) -> T:
    """Run ``main`` on all ranks; when ranks die, start others and run it again on all of them.

    Each fit in it that had begun goes on from the last step that any of the ranks that are left
    has finished, which is kept in memory. What ``main`` does outside of fits is done again. Open
    communicators inside ``main``.

    Parameters
    ----------
    main : callable
        Takes nothing. It must begin the same fits in the same order each time, and the program
        must come to it by itself when it is started once more.

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
        return rerun_after_failures(main, _LONGEST_WAIT_S, keep)
    finally:
        forget()


def keep(*losses: RankFailure) -> None:
    """Keep the states of the fits that have begun, before all ranks start again."""
    states = [
        # One that was still being prepared has nothing of its own, least of all half of it.
        fit.kept if fit.stage == Stage.CALLED else kept_state(trainer, fit)
        for trainer, fit in _begun
    ]
    _kept[: len(states)] = states
    _begun.clear()
    _losses.extend(losses)


def hand_over() -> list[dict[str, Any] | None] | None:
    """Return what is kept, on the rank that came furthest; None on others. Collective."""
    latest = _kept[-1] if _kept else None
    at = (latest["stage"], *latest["at"].order) if latest else ()
    with open_world() as comm:
        everybody = comm.all_gather_object((len(_kept), at))
        return _kept if comm.rank == everybody.index(max(everybody)) else None


def take_over(
    kept: list[dict[str, Any] | None], ranks: Sequence[tuple[int, str]], size: int
) -> None:
    """Keep what an earlier process kept.

    Parameters
    ----------
    kept : list of dict or None
        What :func:`hand_over` returned there.
    ranks, size : sequence of (int, str), int
        As :class:`~matexapps.comm.failures.fault_tolerant.RankFailure` has them.
    """
    global _restarted
    _restarted = True
    _kept[:] = kept
    _losses.append(RankFailure(tuple(ranks), size))


def forget() -> None:
    """Keep nothing any more."""
    global _restarted
    _restarted = False
    for of in (_kept, _begun, _losses):
        of.clear()


def begin(trainer: Training, fit: Fit) -> None:
    """Note that a fit begins, and give it the state that it had before ranks started again."""
    number = len(_begun)
    _begun.append((trainer, fit))
    if number >= len(_kept) - 1:
        # The fit that was under way, or the next one, tells of it.
        fit.losses += _losses
        _losses.clear()
    fit.kept = _kept[number] if number < len(_kept) else None
    fit.interrupted |= _restarted or trainer.comm.renewals > 0
