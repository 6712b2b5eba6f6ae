"""Checkpoints: folders with two safetensors files and a JSON file, which appear complete.

``model.safetensors`` holds the network's weights under their own names, ``training.safetensors``
every other tensor (optimizer, random state), ``state.json`` all plain values and the digests of
the two files. Nothing in a checkpoint is ever unpickled.

Training waits for a copy of its state in memory, not for the disk: a thread writes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from matexapps.errors import CheckpointError
from matexapps.files import atomic_folder

_FORMAT = 2
_MODEL, _TRAINING, _STATE = "model.safetensors", "training.safetensors", "state.json"
_PREFIX = "checkpoint-"


@dataclass(frozen=True)
class _Copy:
    """A state as it was when it was copied."""

    name: str
    weights: dict[str, torch.Tensor]
    tensors: dict[str, torch.Tensor]
    tree: Any


class _Writer:
    """One thread of this process that writes checkpoints, and what is under way in each folder."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "matexapps checkpoints")
        self._under_way: dict[Path, Future[None]] = {}

    def start(self, folder: Path, copy: _Copy, keep: int) -> None:
        self._under_way[folder.resolve()] = self._thread.submit(_write, folder, copy, keep)

    def finish(self, folder: Path) -> None:
        writing = self._under_way.pop(folder.resolve(), None)
        if writing is not None:
            writing.result()


_writer = _Writer()


def save_checkpoint(folder: Path, snapshot: dict[str, Any], keep: int) -> None:
    """Copy ``snapshot``, and start writing it as the newest checkpoint in ``folder``.

    Waits for the previous checkpoint if it is still being written. The oldest ones beyond ``keep``
    are deleted.

    Parameters
    ----------
    folder : Path
        Has all checkpoints of one training; made if it does not exist.
    snapshot : dict
        ``"model"``: the state dictionary; ``"epoch"``, ``"step"``: the position; anything else
        made of dictionaries, lists, plain values and tensors.
    keep : int
        How many checkpoints stay.

    Raises
    ------
    CheckpointError
        If a value cannot be kept in a checkpoint, or the previous one could not be written.
    """
    finish_checkpoints(folder)
    name = f"{_PREFIX}{snapshot['epoch']:05d}-{snapshot['step']:08d}"
    tensors: dict[str, torch.Tensor] = {}
    rest = {key: value for key, value in snapshot.items() if key != "model"}
    tree = _take_tensors(rest, "training", tensors)
    weights = {k: v.detach().cpu().clone() for k, v in snapshot["model"].items()}
    copy = _Copy(name, weights, tensors, tree)
    _writer.start(folder, copy, keep)


def finish_checkpoints(folder: Path) -> None:
    """Wait until everything that this process writes into ``folder`` is complete.

    Raises
    ------
    CheckpointError
        If it could not be written.
    """
    _writer.finish(folder)


def _write(folder: Path, copy: _Copy, keep: int) -> None:
    with atomic_folder(folder / copy.name, CheckpointError) as partial:
        save_file(copy.weights, partial / _MODEL)
        save_file(copy.tensors, partial / _TRAINING)
        files = {part: _digest(partial / part) for part in (_MODEL, _TRAINING)}
        text = json.dumps({"format": _FORMAT, "files": files, "state": copy.tree}, indent=1)
        (partial / _STATE).write_text(text)
    left_by_crashes = folder.glob(f".{_PREFIX}*.partial")
    for old in [*list_checkpoints(folder)[:-keep], *left_by_crashes]:
        shutil.rmtree(old, ignore_errors=True)


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, oldest first."""
    return sorted(p for p in folder.glob(f"{_PREFIX}*") if (p / _STATE).is_file())


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read one checkpoint, or the newest good one in a folder of them.

    A broken checkpoint in a folder is skipped with a warning.

    Raises
    ------
    CheckpointError
        If there is none, or all are broken.
    """
    path = Path(path)
    for folder in (path, path.parent):
        finish_checkpoints(folder)
    if (path / _STATE).is_file():
        return _read(path)
    checkpoints = list_checkpoints(path)
    if not checkpoints:
        raise CheckpointError(
            f"no checkpoint in {path}; give the folder that Checkpointing(folder) wrote to, or, "
            "to begin there, put that Checkpointing among this training's callbacks"
        )
    for checkpoint in reversed(checkpoints):
        try:
            return _read(checkpoint)
        except CheckpointError as error:
            warnings.warn(f"{error}; trying the one before it", stacklevel=2)
    raise CheckpointError(f"all {len(checkpoints)} checkpoints in {path} are broken; start anew")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads((path / _STATE).read_text())
        if content["format"] != _FORMAT:
            raise CheckpointError(
                f"checkpoint {path} has format {content['format']}, this version reads {_FORMAT}"
            )
        for part, expected in content["files"].items():
            if _digest(path / part) != expected:
                raise CheckpointError(f"checkpoint {path} is damaged: {part} has changed")
        tensors = load_file(path / _TRAINING)
        snapshot = _put_tensors(content["state"], tensors)
        snapshot["model"] = load_file(path / _MODEL)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}") from error
    return snapshot


def _take_tensors(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Return ``value`` as plain JSON with names of tensors, which are added to ``tensors``."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        pairs = [[k, _take_tensors(v, f"{name}.{k}", tensors)] for k, v in value.items()]
        return {"pairs": pairs}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_take_tensors(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CheckpointError(
        f"{name} is a {type(value).__name__}, which a checkpoint cannot hold; "
        "keep plain values, lists, dictionaries and tensors"
    )


def _put_tensors(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "pairs":
        return {key: _put_tensors(value, tensors) for key, value in content}
    items = [_put_tensors(value, tensors) for value in content]
    return tuple(items) if kind == "tuple" else items


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
