"""This rank's own files: copies of what it changes, and what it creates."""

from __future__ import annotations

import errno
import os
import posix
import stat
from collections.abc import Callable
from posixpath import dirname, join
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import (
    clear,
    copy,
    kind_of,
    make_folders,
    system_error,
)
from matexapps.transparent.rank_zero_io.journal import Journal
from matexapps.transparent.rank_zero_io.overlay.layers import Layers


class OwnFiles:
    """What this rank has changed, each file below its real path in a folder.

    Parameters
    ----------
    folder : str
    journal : Journal
        Which files are here.
    layers : Layers
        What is copied.
    """

    def __init__(self, folder: str, journal: Journal, layers: Layers) -> None:
        self._folder, self._journal, self._layers = folder, journal, layers

    def copy_up(self, key: str, *, keep: bool = True) -> str:
        """Make what is under ``key`` this rank's own, and return its location.

        Parameters
        ----------
        key : str
        keep : bool
            Whether the contents of the file are copied too.
        """
        location = self._folder + key
        if self._journal.locate(key) == location:
            return location
        kind = self._layers.kind(key)
        if kind is None:
            self._free_location(key)
        elif keep:
            self._copy(key, location)
        else:
            self._copy_mode(key, location)
        self._journal.add(key, location)
        return location

    def copy_up_tree(self, key: str) -> str:
        """Make a file, or a folder with everything in it, this rank's own."""
        if self._layers.kind(key) == stat.S_IFDIR:
            for name in self._layers.names(key):
                self.copy_up_tree(join(key, name))
        return self.copy_up(key)

    def enter_tree(self, key: str) -> None:
        """Enter what is at the location of ``key``, and everything in it, in the journal."""
        location = self._folder + key
        if self._journal.locate(key) != location:
            self._journal.add(key, location)
        if kind_of(location) == stat.S_IFDIR:
            for name in posix.listdir(location):
                self.enter_tree(join(key, name))

    def create(self, key: str, path: Any, act: Callable[[str], None]) -> None:
        """Let ``act`` create, at the location it is given, what the program calls ``path``.

        Raises
        ------
        OSError
            The system's, where something exists already or nothing can be created.
        """
        if self._layers.kind(key) is not None:
            raise system_error(errno.EEXIST, path)
        self._layers.require_writable_folder(dirname(key), path)
        location = self._free_location(key)
        act(location)
        self._journal.add(key, location)

    def move(self, old: str, new: str) -> None:
        """Rename a file, or a folder with everything in it, replacing what is under ``new``."""
        target = self._free_location(new)
        source = self.copy_up(old)
        if self._layers.kind(old) == stat.S_IFDIR:
            copy(source, target)
            self._journal.add(new, target)
            for name in self._layers.names(old):
                self.move(join(old, name), join(new, name))
        else:
            posix.rename(source, target)
            self._journal.add(new, target)
        self.delete(old)

    def delete(self, key: str) -> None:
        """Let there be nothing under ``key``."""
        self._journal.add(key, None)
        clear(self._folder + key)

    def _free_location(self, key: str) -> str:
        location = self._folder + key
        clear(location)
        make_folders(dirname(location))
        return location

    def _copy(self, key: str, location: str) -> None:
        def act() -> None:
            source = self._layers.locate(key)
            if source is not None:
                if kind_of(source) != stat.S_IFDIR:
                    clear(location)
                copy(source, location)

        self._layers.retry_until_stable(act)

    def _copy_mode(self, key: str, location: str) -> None:
        def mode() -> int:
            return posix.stat(self._layers.locate(key) or key).st_mode

        self._free_location(key)
        posix.close(posix.open(location, os.O_WRONLY | os.O_CREAT, 0o600))
        posix.chmod(location, stat.S_IMODE(self._layers.retry_until_stable(mode)))
