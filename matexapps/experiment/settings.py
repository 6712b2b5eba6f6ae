"""Settings of an experiment: plain values, checked when they are made."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from matexapps.errors import DataError, TrainingError, did_you_mean

T = TypeVar("T")

SETTINGS_FILE = "settings.json"
"""In the folder of a model."""

RECOVERIES = ("shrink", "reinit", "checkpoint", "abort")


@dataclass(frozen=True)
class ExperimentSettings:
    """Settings that every experiment has; a domain adds its own.

    Attributes
    ----------
    data : str
        A file, or a name of the catalog.
    network : str
        Which network is trained.
    epochs : int or None
        Passes over the training rows; what suits the network, if not given.
    batch_size : int or None
        Rows of a step, of all ranks together; what suits the network, if not given.
    seeds : int
        How many trainings; they differ in initial weights and in the order of rows.
    seed : int
        Seed of the split and of the first training.
    out : str or None
        Folder in which the model of the first seed is kept, with report.json and report.png.
    recovery : {"shrink", "reinit", "checkpoint", "abort"} or None
        When ranks die: shrink (the others go on; the default where MPI can do it), reinit (new
        ranks take their place, and all go on from memory), checkpoint (all start again from
        files), or abort.
    checkpoints : str or None
        Folder for checkpoints; run again, the command goes on from the newest.

    Raises
    ------
    TrainingError
        If a value cannot be used.
    """

    data: str = ""
    network: str = ""
    epochs: int | None = None
    batch_size: int | None = None
    seeds: int = 1
    seed: int = 0
    out: str | None = None
    recovery: str | None = None
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        check_least(self, epochs=1, batch_size=1, seeds=1, seed=0)
        if self.recovery is not None:
            check_choice(self, "recovery", RECOVERIES)
        if self.recovery == "checkpoint" and self.checkpoints is None:
            raise TrainingError(
                "recovery='checkpoint' needs a folder for checkpoints: give checkpoints, as in "
                "--checkpoints runs"
            )

    @property
    def training_seeds(self) -> range:
        """The seed of each training."""
        return range(self.seed, self.seed + self.seeds)


def from_plain(kind: type[T], given: dict[str, Any]) -> T:
    """Make settings, a dataclass, of plain values.

    Raises
    ------
    TrainingError
        If a name is unknown, one that is needed is missing, or a value cannot be used.
    """
    items = [item for item in fields(kind) if item.init]  # type: ignore[arg-type]
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


def read_settings(path: str | Path) -> dict[str, Any]:
    """Return the settings in a JSON file, or those that a model's folder keeps.

    Raises
    ------
    DataError
        If there are none.
    """
    path = Path(path)
    file = path / SETTINGS_FILE if path.is_dir() else path
    try:
        given = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read settings from {file}: {error}") from None
    if not isinstance(given, dict):
        raise DataError(f"{file} holds no settings: it must be a JSON object of names and values")
    return given


def check_least(settings: object, **least: int) -> None:
    """Raise a TrainingError if a setting that is not None is below its least value."""
    for name, lowest in least.items():
        value = getattr(settings, name)
        if value is not None and value < lowest:
            raise TrainingError(f"{name} must be at least {lowest}, got {value}")


def check_choice(settings: object, name: str, choices: Collection[str]) -> None:
    """Raise a TrainingError if a setting is none of the words that it may be."""
    value = getattr(settings, name)
    if value not in choices:
        raise TrainingError(
            f"unknown {name} {value!r}: use one of {', '.join(choices)}"
            f"{did_you_mean(str(value), choices)}"
        )
