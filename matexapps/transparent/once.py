"""What a program prints and writes, once: rank 0's is real.

Other ranks write into a folder of their own that is thrown away, and read from there what they have
written, so that a program finds on every rank what it has written before.
"""

from __future__ import annotations

import builtins
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from matexapps.comm.communicator import Communicator


@contextmanager
def written_once(comm: Communicator) -> Iterator[None]:
    """Let rank 0's prints and files alone be real inside."""
    if comm.rank == 0:
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="matexapps-") as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
    ):
        opened = _Overlay(Path(folder))
        saved = torch.save

        def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> None:
            if isinstance(f, (str, os.PathLike)):
                f = opened.own(f)
            saved(obj, f, *args, **kwargs)

        with (
            mock.patch.object(builtins, "open", opened),
            mock.patch.object(io, "open", opened),
            mock.patch.object(torch, "save", save),
        ):
            yield


class _Overlay:
    """``open`` that writes to a folder of this rank's own, and reads what was written there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, builtins.open

    def __call__(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, int) or os.fspath(file) == os.devnull:
            return self._open(file, mode, *args, **kwargs)
        here = self._place(file)
        if set(mode) & set("wax+"):
            if "a" in mode or "+" in mode:
                self._copy_first(file, here)
            return self._open(self.own(file), mode, *args, **kwargs)
        return self._open(here if here.exists() else file, mode, *args, **kwargs)

    def own(self, file: Any) -> Path:
        """Return where this rank writes what the program calls ``file``."""
        place = self._place(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _place(self, file: Any) -> Path:
        return self._folder / Path(os.fsdecode(file)).absolute().relative_to("/")

    def _copy_first(self, file: Any, here: Path) -> None:
        if not here.exists() and Path(os.fsdecode(file)).exists():
            with self._open(file, "rb") as source, self._open(self.own(file), "wb") as target:
                target.write(source.read())
