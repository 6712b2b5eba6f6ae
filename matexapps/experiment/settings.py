"""What the settings of all experiments check alike."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Protocol, TypeVar

from matexapps.errors import TrainingError, did_you_mean
from matexapps.train.state.recovery import known_recovery

T = TypeVar("T")


class Recoverable(Protocol):
    """Settings that say what is done when ranks die."""

    @property
    def recovery(self) -> str | None:
        """As for :class:`~matexapps.train.trainer.Trainer`."""

    @property
    def checkpoints(self) -> str | None:
        """A folder for checkpoints."""


def from_plain(kind: type[T], given: dict[str, Any]) -> T:
    """Make settings, a dataclass, of plain values.

    Raises
    ------
    TrainingError
        If a name is unknown, one that is needed is missing, or a value cannot be used.
    """
    items = fields(kind)  # type: ignore[arg-type]
    known = [item.name for item in items]
    for name in given:
        if name not in known:
            raise TrainingError(
                f"unknown setting {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}"
            )
    needed = [item.name for item in items if item.default is MISSING]
    missing = [name for name in needed if name not in given]
    if missing:
        raise TrainingError(f"the setting {missing[0]!r} is missing; give {' and '.join(needed)}")
    return kind(**given)


def check_least(settings: object, **least: int) -> None:
    """Raise a TrainingError if a setting that is not None is below its least value."""
    for name, lowest in least.items():
        value = getattr(settings, name)
        if value is not None and value < lowest:
            raise TrainingError(f"{name} must be at least {lowest}, got {value}")


def check_recovery(settings: Recoverable, folder: str) -> None:
    """Raise a TrainingError if the recovery is unknown, or lacks its folder.

    Parameters
    ----------
    settings : Recoverable
    folder : str
        One that a user may give, for the message.
    """
    if settings.recovery is None:
        return
    if known_recovery(settings.recovery) == "checkpoint" and settings.checkpoints is None:
        raise TrainingError(
            "recovery='checkpoint' needs a folder for checkpoints: give checkpoints, as in "
            f"--checkpoints {folder}"
        )
