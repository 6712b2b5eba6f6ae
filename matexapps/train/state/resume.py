"""What of a trainer goes into a checkpoint, and how it comes back."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from matexapps.errors import CheckpointError
from matexapps.train.callbacks import Checkpointing
from matexapps.train.state.checkpoint import (
    finish_checkpoints,
    list_checkpoints,
    load_checkpoint,
)
from matexapps.train.state.position import Position
from matexapps.train.state.recovery import Fit
from matexapps.train.training import RandomState, Training


def take_snapshot(trainer: Training) -> dict[str, Any]:
    """Return the whole state of training as tensors and plain values. Collective."""
    states = trainer.comm.all_gather_object(random_state())
    return {**_state(trainer), "random_states": states}


def restore(trainer: Training, path: str | Path) -> None:
    """Bring a trainer to the state of a checkpoint. Collective.

    A trainer that writes its own checkpoints to ``path`` begins at the start where none is there
    yet, so that the same lines begin a training and go on with it. Elsewhere none is an error, as
    a name mistyped would be.

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
    states = snapshot["random_states"]
    if len(states) == trainer.comm.world_size:
        set_random_state(states[trainer.comm.rank])
    elif trainer.position.step:
        warnings.warn(
            f"the checkpoint was made on {len(states)} ranks, this is {trainer.comm.world_size}: "
            "rows and weights go on exactly, dropout draws anew until the next epoch",
            stacklevel=2,
        )


def _newest(trainer: Training, path: Path) -> dict[str, Any] | None:
    written = [c.folder.resolve() for c in trainer.callbacks if isinstance(c, Checkpointing)]
    finish_checkpoints(path)
    if path.resolve() in written and not list_checkpoints(path):
        return None
    return load_checkpoint(path)


def synchronize(trainer: Training, fit: Fit) -> None:
    """Bring all ranks to the state of the one that came furthest. Collective.

    After a stop or a loss, some ranks may have finished a step, or told a callback, that others
    have not.
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
            "at": trainer.position,
            "stop": trainer.should_stop,
            "events": trainer.history.events,
            "losses": fit.losses,
        }

    state = trainer.comm.broadcast_object(trainer.comm.on_all(own_state), furthest)
    _apply(trainer, state)
    trainer.position, trainer.should_stop = state["at"], state["stop"]
    trainer.history.events[:] = state["events"]
    fit.losses[:] = state["losses"]
    fit.stage = everybody[furthest][0]
    if mine == everybody[furthest] and trainer.random_before_step is not None:
        # The step that was broken off here is taken again.
        set_random_state(trainer.random_before_step)
    trainer.random_before_step = None


def kept_state(trainer: Training, fit: Fit) -> dict[str, Any]:
    """Return what this rank keeps in memory of a fit that was broken off. Not collective."""
    return {
        **_state(trainer),
        "at": trainer.position,
        "stop": trainer.should_stop,
        "events": trainer.history.events,
        "stage": fit.stage,
        "random": trainer.random_before_step or random_state(),
    }


def take_back(trainer: Training, fit: Fit, state: dict[str, Any]) -> None:
    """Bring a new trainer to a state that this rank kept. Not collective."""
    _apply(trainer, state)
    trainer.position, trainer.should_stop = state["at"], state["stop"]
    trainer.history.events[:] = state["events"]
    trainer.random_before_step = state["random"]
    fit.stage = state["stage"]


def _state(trainer: Training) -> dict[str, Any]:
    scaler, scheduler = trainer.precision.scaler, trainer.scheduler
    return {
        "model": trainer.model.state_dict(),
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
    trainer.position = Position(**state["position"])
    _restore_callbacks(trainer, state["callbacks"])


def _settings(trainer: Training) -> dict[str, Any]:
    return {
        "batch size": trainer.batch_size,
        "seed": trainer.seed,
        "digest of the training rows": trainer.train_digest,
    }


def _restore_callbacks(trainer: Training, saved: list[list[Any]]) -> None:
    waiting = list(saved)
    for callback in trainer.callbacks:
        match = next((entry for entry in waiting if entry[0] == type(callback).__name__), None)
        if match is not None:
            waiting.remove(match)
            callback.load_state_dict(match[1])


def random_state() -> RandomState:
    """Return the state of torch's random number generators on this rank."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random_state(states: RandomState) -> None:
    """Bring torch's random number generators back to a state."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
