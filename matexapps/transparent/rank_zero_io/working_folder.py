"""The folder in which the program believes to be."""

from __future__ import annotations

import os
import posix
from posixpath import join, normpath
from typing import Any


class WorkingFolder:
    """Where the program believes to be, while the process is at that folder's place.

    Attributes
    ----------
    path : str
    is_there : bool
        Whether the process is where the program believes to be.
    """

    def __init__(self) -> None:
        self.path = posix.getcwd()
        self.is_there = True

    def joined(self, path: Any) -> str:
        """Return ``path``, as the program gives it, below this folder unless it is absolute."""
        return join(self.path, os.fsdecode(path))

    def absolute(self, path: Any) -> str:
        """Return the absolute path of what the program calls ``path``."""
        text = normpath(self.joined(path))
        return text[1:] if text.startswith("//") else text

    def real(self, path: Any) -> Any:
        """Return what names, to the system, what the program calls ``path``."""
        return path if self.is_there or not path else self.absolute(path)

    def enter(self, place: Any, key: str | None) -> None:
        """Go to a place, which the program knows as ``key``, or as it is."""
        posix.chdir(place)
        here = posix.getcwd()
        self.path = here if key is None else key
        self.is_there = self.path == here

    def leave(self, folder: str) -> None:
        """Bring the process to where the program believes to be; to ``folder`` if that is not."""
        if not self.is_there:
            try:
                posix.chdir(self.path)
            except OSError:
                posix.chdir(folder)
