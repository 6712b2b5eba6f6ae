"""Which file the program means by a path."""

from __future__ import annotations

import errno
import posix
from posixpath import dirname, join, split
from typing import Any

from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.system_errors import error
from matexapps.transparent.rank_zero_io.working_folder import WorkingFolder
from matexapps.transparent.rank_zero_io.zone import Zone

_MOST_LINKS = 40


class Keys:
    """Finds the key of what the program calls by any path: absolute, and without links.

    Parameters
    ----------
    layers : Layers
        What links there are.
    zone : Zone
        Which paths have a key.
    working_folder : WorkingFolder
    """

    def __init__(self, layers: Layers, zone: Zone, working_folder: WorkingFolder) -> None:
        self._layers, self._zone, self._working_folder = layers, zone, working_folder
        self._of_folders: dict[str, str] = layers.memory()

    def key(self, path: Any, follow: bool = True) -> str | None:
        """Return the key of ``path``; None for one that is left alone.

        Parameters
        ----------
        path : path-like
        follow : bool
            Whether a link at its end is followed.
        """
        if not path:
            return None
        if not self._zone.has(self._working_folder.absolute(path)):
            return None
        # A ".." after a link leads out of the folder that the link leads to.
        text = self._working_folder.joined(path)
        key = self._layers.steadily(lambda: self._without_links(text, follow))
        return key if self._zone.has(key) else None

    def _without_links(self, path: str, follow: bool, depth: int = 0) -> str:
        if not path.strip("/"):
            return "/"
        if depth > _MOST_LINKS:
            raise error(errno.ELOOP, path)
        folder, name = split(path)
        known = self._of_folders.get(folder)
        if known is None:
            known = self._without_links(folder, True, depth)
            self._of_folders[folder] = known
        if name in ("", "."):
            return known
        if name == "..":
            return dirname(known)
        key = join(known, name)
        target = self._target(key) if follow else None
        if target is None:
            return key
        return self._without_links(join(known, target), True, depth + 1)

    def _target(self, key: str) -> str | None:
        place = self._layers.find(key)
        try:
            return None if place is None else posix.readlink(place)
        except OSError:
            return None
