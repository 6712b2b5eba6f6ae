"""The folder that a model is kept in: complete or not there, and nothing in it is unpickled.

``model.json`` says what the model is, ``model.safetensors`` has its weights and
``arrays.safetensors`` further arrays; ``settings.json`` has the settings, so that the result can
be made again; ``environment.json`` the versions. A study adds ``report.json``, ``report.png`` and
what its domain has to say.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from matexapps.errors import DataError
from matexapps.experiment.settings import SETTINGS_FILE, read_settings
from matexapps.files import atomic_folder

T = TypeVar("T")

FORMAT = 5
MODEL, WEIGHTS, ARRAYS = "model.json", "model.safetensors", "arrays.safetensors"
REPORT, PICTURE, ENVIRONMENT = "report.json", "report.png", "environment.json"
_PACKAGES = ("matexapps", "torch", "numpy", "scikit-learn", "mpi4py")


@dataclass
class Contents:
    """What a model's folder holds.

    Attributes
    ----------
    facts, settings : dict
        Plain values; ``facts["calibration"]`` may be an array of any shape, with NaN.
    weights : dict of str to Tensor
    arrays : dict of str to ndarray
    """

    facts: dict[str, Any]
    settings: dict[str, Any]
    weights: dict[str, torch.Tensor]
    arrays: dict[str, NDArray[Any]]


def write_folder(
    folder: str | Path, contents: Contents, add: Callable[[Path], None] | None = None
) -> None:
    """Write a model; one that is there already is replaced when all is written.

    Parameters
    ----------
    folder : path
    contents : Contents
    add : callable, optional
        Writes further files into the folder that it is given.

    Raises
    ------
    DataError
        If the folder cannot be written, or holds something else.
    """
    check_folder(folder)
    facts = {**contents.facts, "calibration": _without_nan(contents.facts["calibration"])}
    with atomic_folder(folder) as partial:
        write_json(partial / MODEL, {"format": FORMAT, **facts})
        write_json(partial / SETTINGS_FILE, contents.settings)
        write_json(partial / ENVIRONMENT, environment())
        weights = {name: value.contiguous() for name, value in contents.weights.items()}
        save_file(weights, partial / WEIGHTS)
        if contents.arrays:
            save_arrays(contents.arrays, partial / ARRAYS)
        if add is not None:
            add(partial)


def read_folder(folder: str | Path, domain: str, use: Callable[[Contents], T]) -> T:
    """Return what ``use`` makes of the contents of a model's folder.

    Raises
    ------
    DataError
        If it is no complete model, or ``use`` fails on it.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / MODEL).read_text())
        if facts.pop("format") != FORMAT:
            raise DataError(f"{folder} was written by another version of matexapps: train again")
        facts["calibration"] = np.array(facts["calibration"], float)
        arrays = load_arrays(folder / ARRAYS) if (folder / ARRAYS).is_file() else {}
        return use(Contents(facts, read_settings(folder), load_file(folder / WEIGHTS), arrays))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is not a model: there is no {error.filename}; "
            f"`matexapps {domain} train --out` makes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"the model {folder} cannot be read: {error}") from None


def check_folder(folder: str | Path) -> None:
    """Make sure, before a model is trained, that it can be kept in a folder.

    Raises
    ------
    DataError
        If the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not (folder / MODEL).is_file() and any(folder.iterdir()):
            raise DataError(f"{folder} holds something else than a model: give a new folder")
        trial = folder.parent / f".{folder.name}.{platform.node()}.trial"
        trial.mkdir(parents=True, exist_ok=True)
        trial.rmdir()
    except OSError as error:
        raise DataError(f"cannot write the model to {folder}: {error}") from error


def environment() -> dict[str, str]:
    """Return the versions of what computes: Python, platform, packages."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values for people to read; NaN is refused."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _without_nan(numbers: Any) -> Any:
    """Return numbers as lists, in which None stands for NaN."""
    table = np.asarray(numbers, float)
    plain = table.astype(object)
    plain[np.isnan(table)] = None
    return plain.tolist()
