"""This rank's own files: copies of what it changes, and what it makes."""

from __future__ import annotations

import errno
import os
import posix
import stat
from collections.abc import Callable
from posixpath import dirname, join
from typing import Any

from matexapps.transparent.rank_zero_io.copying import clear, copy, kind_of, make_folders
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.system_errors import error


class OwnFiles:
    """What this rank has changed, each file below its real path in a folder.

    Parameters
    ----------
    folder : str
    notes : Notes
        Which files are here.
    layers : Layers
        What is copied.
    """

    def __init__(self, folder: str, notes: Notes, layers: Layers) -> None:
        self._folder, self._notes, self._layers = folder, notes, layers

    def take(self, key: str, *, keep: bool = True) -> str:
        """Make what is called ``key`` this rank's own, and return its place.

        Parameters
        ----------
        key : str
        keep : bool
            Whether what is in the file is copied, too.
        """
        mirror = self._folder + key
        if self._notes.find(key) == mirror:
            return mirror
        kind = self._layers.kind(key)
        if kind is None:
            self._cleared(key)
        elif keep:
            self._copy(key, mirror)
        else:
            self._copy_mode(key, mirror)
        self._notes.add(key, mirror)
        return mirror

    def take_all(self, key: str) -> str:
        """Take a file, or a folder with all that is in it."""
        if self._layers.kind(key) == stat.S_IFDIR:
            for name in self._layers.names(key):
                self.take_all(join(key, name))
        return self.take(key)

    def note_all(self, key: str) -> None:
        """Take note of what has come to the place of ``key``, and all that is in it."""
        mirror = self._folder + key
        if self._notes.find(key) != mirror:
            self._notes.add(key, mirror)
        if kind_of(mirror) == stat.S_IFDIR:
            for name in posix.listdir(mirror):
                self.note_all(join(key, name))

    def make(self, key: str, path: Any, act: Callable[[str], None]) -> None:
        """Let ``act`` make, at the place it is given, what the program calls ``path``.

        Raises
        ------
        OSError
            The system's, where something is there already or nothing can be made.
        """
        if self._layers.kind(key) is not None:
            raise error(errno.EEXIST, path)
        self._layers.check_folder(dirname(key), path)
        mirror = self._cleared(key)
        act(mirror)
        self._notes.add(key, mirror)

    def move(self, old: str, new: str) -> None:
        """Rename a file, or a folder with all that is in it, to what may be replaced."""
        mirror = self._cleared(new)
        place = self.take(old)
        if self._layers.kind(old) == stat.S_IFDIR:
            copy(place, mirror)
            self._notes.add(new, mirror)
            for name in self._layers.names(old):
                self.move(join(old, name), join(new, name))
        else:
            posix.rename(place, mirror)
            self._notes.add(new, mirror)
        self.forget(old)

    def forget(self, key: str) -> None:
        """Let there be nothing called ``key``."""
        self._notes.add(key, None)
        clear(self._folder + key)

    def _cleared(self, key: str) -> str:
        mirror = self._folder + key
        clear(mirror)
        make_folders(dirname(mirror))
        return mirror

    def _copy(self, key: str, mirror: str) -> None:
        def act() -> None:
            place = self._layers.find(key)
            if place is not None:
                if kind_of(place) != stat.S_IFDIR:
                    clear(mirror)
                copy(place, mirror)

        self._layers.steadily(act)

    def _copy_mode(self, key: str, mirror: str) -> None:
        def mode() -> int:
            return posix.stat(self._layers.find(key) or key).st_mode

        self._cleared(key)
        posix.close(posix.open(mirror, os.O_WRONLY | os.O_CREAT, 0o600))
        posix.chmod(mirror, stat.S_IMODE(self._layers.steadily(mode)))
