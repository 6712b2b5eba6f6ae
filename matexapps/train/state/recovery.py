"""Going on after ranks were lost: what survivors agree on, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, get_args

from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import RankFailure
from matexapps.comm.failures.policy import reinit_enabled
from matexapps.data.dataset import DataSet
from matexapps.data.partition import share
from matexapps.errors import TrainingError, did_you_mean
from matexapps.train.callbacks import Callback, Checkpointing
from matexapps.train.training import Training

RecoveryName = Literal["shrink", "reinit", "checkpoint", "abort"]


class Stage(IntEnum):
    """How far a fit has come."""

    CALLED = 0
    RESTORED = 1
    BEGUN = 2


@dataclass
class Fit:
    """A call of ``fit``.

    Attributes
    ----------
    data : DataSet
    epochs : int
    resume : path or None
    interrupted : bool
        Whether an earlier one was broken off, so that ranks may stand at different steps.
    stage : Stage
    losses : list of RankFailure
        Those that are not in the history yet.
    kept : dict or None
        The state that this rank kept when all started again.
    """

    data: DataSet
    epochs: int
    resume: str | Path | None
    interrupted: bool
    stage: Stage = Stage.CALLED
    losses: list[RankFailure] = field(default_factory=list)
    kept: dict[str, Any] | None = None


def choose_recovery(
    name: str | None, comm: Communicator, callbacks: Sequence[Callback]
) -> RecoveryName:
    """Return what is done when ranks die.

    Parameters
    ----------
    name : str or None
        None for the best that there is.
    comm : Communicator
    callbacks : sequence of Callback
        Those of the training.

    Raises
    ------
    TrainingError
        If it is unknown, or not to be had here.
    """
    if reinit_enabled() and name in (None, "reinit"):
        return "reinit"
    if name is None:
        return "shrink" if comm.fault_tolerant else "abort"
    known = known_recovery(name)
    if known == "reinit":
        raise TrainingError(
            "recovery='reinit' starts all ranks again from an entry: give your main function to "
            "mx.reinit(main), or use `matexapps train` or a notebook's cluster.fit"
        )
    if known == "shrink" and reinit_enabled():
        raise TrainingError(
            "recovery='shrink' cannot be had inside mx.reinit, which starts all ranks again; leave "
            "recovery= out, or call the function without mx.reinit"
        )
    if known == "shrink" and comm.world_size > 1 and not comm.fault_tolerant:
        raise TrainingError(
            "recovery='shrink' needs ranks that outlive the death of one, as Open MPI 5 lets them "
            "if it is started with `mpiexec --with-ft ulfm`, and other MPIs do not; with those "
            "choose recovery='checkpoint' and put Checkpointing(folder) among the callbacks"
        )
    if known == "checkpoint" and not any(isinstance(c, Checkpointing) for c in callbacks):
        raise TrainingError(
            "recovery='checkpoint' goes on from checkpoints, but none are written: put "
            "Checkpointing(folder) among the callbacks"
        )
    return known


def known_recovery(name: str) -> RecoveryName:
    """Return ``name`` if it is one, or raise a ``TrainingError``."""
    names: tuple[RecoveryName, ...] = get_args(RecoveryName)
    for known in names:
        if known == name:
            return known
    raise TrainingError(
        f"recovery={name!r} is not known{did_you_mean(name, names)}; use one of {', '.join(names)}"
    )


def event_of(loss: RankFailure, world_size: int, when: str) -> dict[str, Any]:
    """Return a loss as the history keeps it.

    Parameters
    ----------
    loss : RankFailure
    world_size : int
        How many ranks go on.
    when : str
        As in "in evaluation".

    Returns
    -------
    dict
        ``event``, a sentence; ``lost``, the numbers of the ranks; ``ranks`` that go on.
    """
    go_on = "1 rank goes on" if world_size == 1 else f"{world_size} ranks go on"
    return _event(loss, f"{_who(loss)} lost {when}; {go_on}", world_size)


def _who(loss: RankFailure) -> str:
    return " and ".join(f"rank {rank} on {host}" for rank, host in loss.ranks)


def _event(loss: RankFailure, sentence: str, world_size: int) -> dict[str, Any]:
    return {"event": sentence, "lost": [rank for rank, _ in loss.ranks], "ranks": world_size}


def event_of_restart(loss: RankFailure, trainer: Training) -> dict[str, Any]:
    """Return a loss after which all ranks started again, as the history keeps it.

    Parameters
    ----------
    loss : RankFailure
    trainer : Training
        Already at the step at which it goes on.

    Returns
    -------
    dict
        As for :func:`event_of`, and ``epoch`` and ``step`` under way, from 1.
    """
    epoch, step, n = trainer.position.epoch + 1, trainer.position.step + 1, trainer.comm.world_size
    sentence = f"{_who(loss)} lost; {n} ranks start again from epoch {epoch}, step {step}"
    return {**_event(loss, sentence, n), "epoch": epoch, "step": step}


def event_in_step(loss: RankFailure, trainer: Training, rows: int) -> dict[str, Any]:
    """Return a loss between the first and the last step of a fit, as the history keeps it.

    Parameters
    ----------
    loss : RankFailure
    trainer : Training
        Already at the step at which it goes on.
    rows : int
        Training rows in all.

    Returns
    -------
    dict
        As for :func:`event_of`, and ``epoch`` and ``step`` under way, from 1, and ``rows`` of this
        epoch that the lost would have had.
    """
    position, size = trainer.position, trainer.batch_size
    sizes = (min(size, rows - first) for first in range(position.step * size, rows, size))
    parts = (share(n, rank, loss.world_size) for n in sizes for rank, _ in loss.ranks)
    taken_over = sum(part.stop - part.start for part in parts)
    epoch, step = position.epoch + 1, position.step + 1
    event = event_of(loss, trainer.comm.world_size, f"at epoch {epoch}, step {step}")
    sentence = f"{event['event']}, {taken_over:,} rows shared out"
    return {**event, "event": sentence, "epoch": epoch, "step": step, "rows": taken_over}
