"""Going on after ranks were lost: what survivors agree on, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, get_args

from matexapps.comm.communicator import Communicator
from matexapps.comm.survival import Loss
from matexapps.data.dataset import DataSet
from matexapps.data.partition import share
from matexapps.errors import TrainingError, did_you_mean
from matexapps.train.callbacks import Callback, Checkpointing
from matexapps.train.training import Training

RecoveryName = Literal["shrink", "checkpoint", "abort"]


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
    losses : list of Loss
        Those that are not in the history yet.
    """

    data: DataSet
    epochs: int
    resume: str | Path | None
    interrupted: bool
    stage: Stage = Stage.CALLED
    losses: list[Loss] = field(default_factory=list)


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
    if name is None:
        return "shrink" if comm.outlives_ranks else "abort"
    known = known_recovery(name)
    if known == "shrink" and comm.world_size > 1 and not comm.outlives_ranks:
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


def event_of(loss: Loss, world_size: int, when: str) -> dict[str, Any]:
    """Return a loss as the history keeps it.

    Parameters
    ----------
    loss : Loss
    world_size : int
        How many ranks go on.
    when : str
        As in "in evaluation".

    Returns
    -------
    dict
        ``event``, a sentence; ``lost``, the numbers of the ranks; ``ranks`` that go on.
    """
    who = " and ".join(f"rank {rank} on {host}" for rank, host in loss.ranks)
    go_on = "1 rank goes on" if world_size == 1 else f"{world_size} ranks go on"
    return {
        "event": f"{who} lost {when}; {go_on}",
        "lost": [rank for rank, _ in loss.ranks],
        "ranks": world_size,
    }


def event_in_step(loss: Loss, trainer: Training, rows: int) -> dict[str, Any]:
    """Return a loss between the first and the last step of a fit, as the history keeps it.

    Parameters
    ----------
    loss : Loss
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
