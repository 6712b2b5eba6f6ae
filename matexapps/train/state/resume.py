"""The state of a training: in a checkpoint, on another rank, and back in a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matexapps.errors import CheckpointError
from matexapps.sharding.snapshot import RandomState, random_state, set_random_state
from matexapps.train.callbacks import Checkpointing
from matexapps.train.state.checkpoint import (
    finish_checkpoints,
    list_checkpoints,
    load_checkpoint,
)
from matexapps.train.state.position import Position
from matexapps.train.state.recovery import Fit
from matexapps.train.training import BeforeStep, Training


def take_snapshot(trainer: Training) -> dict[str, Any]:
    """Return the whole state of training as tensors and plain values."""
    return {**_state(trainer), "random": random_state()}


def restore(trainer: Training, path: str | Path) -> None:
    """Bring a trainer to the state of a checkpoint. Collective.

    A trainer that writes its own checkpoints to ``path`` begins at the start if there is none yet,
    so that the same lines begin a training and continue it. Elsewhere a missing checkpoint is an
    error, since the path may be mistyped.

    Raises
    ------
    CheckpointError
        If there is no good checkpoint, or it belongs to other data, another batch size, seed or
        network.
    """
    snapshot = trainer.comm.on_root(lambda: _newest(trainer, Path(path)))
    if snapshot is None:
        return
    for name, value in _settings(trainer).items():
        if snapshot["settings"][name] != value:
            raise CheckpointError(
                f"checkpoint {path} was made with {name} {snapshot['settings'][name]!r}, this "
                f"training has {value!r}; use the same, or start anew without resume"
            )
    try:
        _apply(trainer, snapshot)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {path} does not fit this network or optimizer: {error}"
        ) from error
    trainer.position = Position(**snapshot["position"])
    set_random_state(snapshot["random"])


def _newest(trainer: Training, path: Path) -> dict[str, Any] | None:
    written = [c.folder.resolve() for c in trainer.callbacks if isinstance(c, Checkpointing)]
    finish_checkpoints(path)
    if path.resolve() in written and not list_checkpoints(path):
        return None
    return load_checkpoint(path)


def synchronize(trainer: Training, fit: Fit) -> None:
    """Bring all ranks to the state of the one that came furthest. Collective.

    After a stop or a failure some ranks may have finished a step, or called a callback, that
    others have not.
    """
    mine = (fit.stage, *trainer.position.order)
    everybody = trainer.comm.all_gather_object(mine)
    furthest = everybody.index(max(everybody))

    def own_state() -> dict[str, Any]:
        if trainer.comm.rank != furthest:
            return {}
        trainer.position.flush_losses()
        return {
            **_state(trainer),
            **_progress(trainer),
            "failures": fit.failures,
        }

    state = trainer.comm.broadcast_object(trainer.comm.on_all(own_state), furthest)
    _apply(trainer, state)
    _apply_progress(trainer, state)
    fit.failures[:] = state["failures"]
    fit.stage = everybody[furthest][0]
    set_random_state(state["random"])
    trainer.before_step = None


def state_of_fit(trainer: Training, fit: Fit) -> dict[str, Any]:
    """Return the state of a fit that was broken off, to be kept in memory."""
    return {**_state(trainer), **_progress(trainer), "stage": fit.stage}


def restore_fit(trainer: Training, fit: Fit, state: dict[str, Any]) -> None:
    """Bring a new trainer to what :func:`state_of_fit` returned."""
    _apply(trainer, state)
    _apply_progress(trainer, state)
    trainer.before_step = BeforeStep(state["random"])
    fit.stage = state["stage"]


def _progress(trainer: Training) -> dict[str, Any]:
    """Return what a checkpoint does not keep, or only in part."""
    return {
        "position": trainer.position,
        "should_stop": trainer.should_stop,
        "events": trainer.history.events,
        "random": _random(trainer),
    }


def _apply_progress(trainer: Training, state: dict[str, Any]) -> None:
    trainer.position, trainer.should_stop = state["position"], state["should_stop"]
    trainer.history.events[:] = state["events"]


def _state(trainer: Training) -> dict[str, Any]:
    scaler, scheduler = trainer.precision.scaler, trainer.scheduler
    model = trainer.model.state_dict()
    if trainer.before_step is not None:
        # A step that was broken off is taken again.
        buffers = trainer.before_step.buffers
        model |= {name: value for name, value in buffers.items() if name in model}
    return {
        "model": model,
        "epoch": trainer.position.epoch,
        "step": trainer.position.step,
        "position": trainer.position.plain(),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "history": trainer.history.rows,
        "callbacks": [[type(c).__name__, c.state_dict()] for c in trainer.callbacks],
        "settings": _settings(trainer),
    }


def _apply(trainer: Training, state: dict[str, Any]) -> None:
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if trainer.scheduler is not None and state["scheduler"] is not None:
        trainer.scheduler.load_state_dict(state["scheduler"])
    if trainer.precision.scaler is not None and state["scaler"] is not None:
        trainer.precision.scaler.load_state_dict(state["scaler"])
    trainer.history.rows[:] = state["history"]
    _restore_callbacks(trainer, state["callbacks"])


def _settings(trainer: Training) -> dict[str, Any]:
    return {
        "batch size": trainer.batch_size,
        "seed": trainer.seed,
        "digest of the training rows": trainer.train_digest,
    }


def _restore_callbacks(trainer: Training, saved: list[list[Any]]) -> None:
    left = list(saved)
    for callback in trainer.callbacks:
        match = next((entry for entry in left if entry[0] == type(callback).__name__), None)
        if match is not None:
            left.remove(match)
            callback.load_state_dict(match[1])


def _random(trainer: Training) -> RandomState:
    """Return the random state with which the next step, or one that was broken off, begins."""
    return trainer.before_step.random if trainer.before_step is not None else random_state()
