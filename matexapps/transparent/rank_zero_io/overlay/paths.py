"""Which file the program means by a path, and the folder in which it believes to be."""

from __future__ import annotations

import errno
import os
import posix
from posixpath import dirname, join, normpath, split
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import system_error
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.scope import Scope

_MOST_LINKS = 40


class WorkingFolder:
    """Where the program believes to be, while the process is at that folder's location.

    Attributes
    ----------
    path : str
        The folder's path for the program.
    is_real : bool
        Whether the process is at this path.
    """

    def __init__(self) -> None:
        self.path = posix.getcwd()
        self.is_real = True

    def join(self, path: Any) -> str:
        """Return ``path``, as the program gives it, below this folder unless it is absolute."""
        return join(self.path, os.fsdecode(path))

    def absolute(self, path: Any) -> str:
        """Return the normalized absolute path of what the program calls ``path``."""
        text = normpath(self.join(path))
        return text[1:] if text.startswith("//") else text

    def real_path(self, path: Any) -> Any:
        """Return the path by which the system knows what the program calls ``path``."""
        return path if self.is_real or not path else self.absolute(path)

    def enter(self, location: Any, key: str | None) -> None:
        """Change to a location, which the program knows as ``key``, or by its real path."""
        posix.chdir(location)
        real = posix.getcwd()
        self.path = real if key is None else key
        self.is_real = self.path == real

    def leave(self, folder: str) -> None:
        """Change to where the program believes to be; to ``folder`` if that does not exist."""
        if not self.is_real:
            try:
                posix.chdir(self.path)
            except OSError:
                posix.chdir(folder)


class PathResolver:
    """Finds the key of what the program calls by any path.

    Parameters
    ----------
    layers : Layers
        What links there are.
    scope : Scope
        Which paths have a key.
    working_folder : WorkingFolder
    """

    def __init__(self, layers: Layers, scope: Scope, working_folder: WorkingFolder) -> None:
        self._layers, self._scope, self._working_folder = layers, scope, working_folder
        self._folder_keys: dict[str, str] = layers.cache()

    def key(self, path: Any, follow: bool = True) -> str | None:
        """Return the key of ``path``: absolute, and without links; None outside the scope.

        Parameters
        ----------
        path : path-like
        follow : bool
            Whether a link at its end is followed.
        """
        if not path:
            return None
        if not self._scope.includes(self._working_folder.absolute(path)):
            return None
        # Not normalized: a ".." after a link leads out of the folder that the link leads to.
        text = self._working_folder.join(path)
        key = self._layers.retry_until_stable(lambda: self._resolve(text, follow))
        return key if self._scope.includes(key) else None

    def _resolve(self, path: str, follow: bool, depth: int = 0) -> str:
        if not path.strip("/"):
            return "/"
        if depth > _MOST_LINKS:
            raise system_error(errno.ELOOP, path)
        folder, name = split(path)
        folder_key = self._folder_keys.get(folder)
        if folder_key is None:
            folder_key = self._folder_keys[folder] = self._resolve(folder, True, depth)
        if name in ("", "."):
            return folder_key
        if name == "..":
            return dirname(folder_key)
        key = join(folder_key, name)
        target = self._link_target(key) if follow else None
        if target is None:
            return key
        return self._resolve(join(folder_key, target), True, depth + 1)

    def _link_target(self, key: str) -> str | None:
        location = self._layers.locate(key)
        try:
            return None if location is None else posix.readlink(location)
        except OSError:
            return None
