"""Telling callbacks where training has come, each once, however often it is begun anew."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from matexapps.train.callbacks import Callback
from matexapps.train.monitor.error_context import ErrorContext

if TYPE_CHECKING:
    from matexapps.train.trainer import Trainer

# Steps have their place noted with their batch.
_WHEN = {
    "on_fit_start": "before the first epoch",
    "on_epoch_start": "at the start of epoch {1}",
    "on_epoch_end": "at the end of epoch {0}",
    "on_fit_end": "after the last epoch",
}


def call_hook(trainer: Trainer, hook: str) -> None:
    """Tell all callbacks of a hook."""
    trainer.position.reach(hook)
    finish_hook(trainer)


def finish_hook(trainer: Trainer) -> None:
    """Tell those callbacks of the hook reached last that have not been told yet."""
    position = trainer.position
    row = trainer.history.rows[-1:] if position.hook == "on_epoch_end" else []
    when = _WHEN.get(position.hook, "").format(position.epoch, position.epoch + 1)
    with ErrorContext(f"in training, {when}") if when else nullcontext():
        for callback in trainer.callbacks[position.told :]:
            getattr(callback, position.hook)(trainer, *row)
            position.told += 1


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback does something at a hook."""
    return getattr(type(callback), hook) is not getattr(Callback, hook)
