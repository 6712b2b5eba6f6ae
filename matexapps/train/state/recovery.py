"""How a fit continues after ranks have failed, and what the history says of it."""

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
from matexapps.train.callbacks import Checkpointing
from matexapps.train.training import Callback, Training

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
        Whether an earlier one was broken off, so that ranks may be at different steps.
    stage : Stage
    failures : list of RankFailure
        Those that are not in the history yet.
    earlier_state : dict or None
        The state that this rank kept in memory when all ranks restarted.
    """

    data: DataSet
    epochs: int
    resume: str | Path | None
    interrupted: bool
    stage: Stage = Stage.CALLED
    failures: list[RankFailure] = field(default_factory=list)
    earlier_state: dict[str, Any] | None = None


def choose_recovery(
    name: str | None, comm: Communicator, callbacks: Sequence[Callback]
) -> RecoveryName:
    """Return what to do when ranks die.

    Parameters
    ----------
    name : str or None
        None for the best that is available.
    comm : Communicator
    callbacks : sequence of Callback
        Those of the training.

    Raises
    ------
    TrainingError
        If it is unknown, or not available here.
    """
    if reinit_enabled() and name in (None, "reinit"):
        return "reinit"
    if name is None:
        return "shrink" if comm.fault_tolerant else "abort"
    known = known_recovery(name)
    if known == "reinit":
        raise TrainingError(
            "recovery='reinit' restarts all ranks from an entry: give your main function to "
            "mx.reinit(main), or use `matexapps train` or a notebook's cluster.fit"
        )
    if known == "shrink" and reinit_enabled():
        raise TrainingError(
            "recovery='shrink' does not work inside mx.reinit, which restarts all ranks; leave "
            "recovery= out, or call the function without mx.reinit"
        )
    if known == "shrink" and comm.world_size > 1 and not comm.fault_tolerant:
        raise TrainingError(
            "recovery='shrink' needs ranks that continue when another dies: start them with Open "
            "MPI 5's `mpiexec --with-ft ulfm`; with other MPIs choose recovery='checkpoint' and "
            "put Checkpointing(folder) among the callbacks"
        )
    if known == "checkpoint" and not any(isinstance(c, Checkpointing) for c in callbacks):
        raise TrainingError(
            "recovery='checkpoint' continues from checkpoints, but none are written: put "
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


def own_checkpoints(trainer: Training) -> Path | None:
    """Return the folder of the training's own checkpoints to continue from, None to begin here."""
    begins = trainer.position.epoch == trainer.position.step == 0
    for callback in trainer.callbacks:
        if isinstance(callback, Checkpointing) and (
            trainer.recovery == "checkpoint" or (callback.resume and begins)
        ):
            return callback.folder
    return None


def event_of(failure: RankFailure, world_size: int, when: str) -> dict[str, Any]:
    """Return a failure as the history keeps it.

    Parameters
    ----------
    failure : RankFailure
    world_size : int
        How many ranks go on.
    when : str
        As in "in evaluation".

    Returns
    -------
    dict
        ``event``, a sentence; ``lost``, the numbers of the failed ranks; ``ranks``, how many go on.
    """
    go_on = "1 rank goes on" if world_size == 1 else f"{world_size} ranks go on"
    return _event(failure, f"{_names(failure)} lost {when}; {go_on}", world_size)


def _names(failure: RankFailure) -> str:
    return " and ".join(f"rank {rank} on {host}" for rank, host in failure.ranks)


def _event(failure: RankFailure, sentence: str, world_size: int) -> dict[str, Any]:
    return {"event": sentence, "lost": [rank for rank, _ in failure.ranks], "ranks": world_size}


def event_of_restart(failure: RankFailure, trainer: Training) -> dict[str, Any]:
    """Return a failure after which all ranks restarted, as the history keeps it.

    Parameters
    ----------
    failure : RankFailure
    trainer : Training
        Already at the step from which it continues.

    Returns
    -------
    dict
        As for :func:`event_of`, and ``epoch`` and ``step`` under way, from 1.
    """
    epoch, step, n = trainer.position.epoch + 1, trainer.position.step + 1, trainer.comm.world_size
    sentence = f"{_names(failure)} lost; {n} ranks start again from epoch {epoch}, step {step}"
    return {**_event(failure, sentence, n), "epoch": epoch, "step": step}


def event_in_step(failure: RankFailure, trainer: Training, rows: int) -> dict[str, Any]:
    """Return a failure between the first and the last step of a fit, as the history keeps it.

    Parameters
    ----------
    failure : RankFailure
    trainer : Training
        Already at the step from which it continues.
    rows : int
        Training rows in all.

    Returns
    -------
    dict
        As for :func:`event_of`, and ``epoch`` and ``step`` under way, from 1, and ``rows`` of this
        epoch that the failed ranks would have computed.
    """
    position, size = trainer.position, trainer.batch_size
    sizes = (min(size, rows - first) for first in range(position.step * size, rows, size))
    parts = (share(n, rank, failure.world_size) for n in sizes for rank, _ in failure.ranks)
    taken_over = sum(part.stop - part.start for part in parts)
    epoch, step = position.epoch + 1, position.step + 1
    event = event_of(failure, trainer.comm.world_size, f"at epoch {epoch}, step {step}")
    sentence = f"{event['event']}, {taken_over:,} rows shared out"
    return {**event, "event": sentence, "epoch": epoch, "step": step, "rows": taken_over}


def take_events(fit: Fit, trainer: Training, rows: int) -> list[dict[str, Any]]:
    """Return the failures of a fit that are not in the history yet, as the history keeps them.

    Parameters
    ----------
    fit : Fit
        Has none left afterwards.
    trainer : Training
        Already at the step from which it continues.
    rows : int
        Training rows in all.
    """
    failures, fit.failures = fit.failures, []
    if trainer.recovery == "reinit":
        return [event_of_restart(failure, trainer) for failure in failures]
    return [event_in_step(failure, trainer, rows) for failure in failures]
