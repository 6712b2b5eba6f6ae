"""Where this rank writes."""

from __future__ import annotations

import errno
import os
import posix
import stat
from posixpath import dirname
from typing import Any

from matexapps.transparent.rank_zero_io.keys import Keys
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.reading import Reading
from matexapps.transparent.rank_zero_io.system_errors import error
from matexapps.transparent.rank_zero_io.working_folder import WorkingFolder

_COPIED = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Writing:
    """Lets the program write files of this rank's own, so that nothing is changed for real.

    Parameters
    ----------
    layers : Layers
    keys : Keys
    working_folder : WorkingFolder
    own_files : OwnFiles
    reading : Reading
        For libraries that read, and find all they need in one folder.
    """

    def __init__(
        self,
        layers: Layers,
        keys: Keys,
        working_folder: WorkingFolder,
        own_files: OwnFiles,
        reading: Reading,
    ) -> None:
        self._layers, self._keys, self._working_folder = layers, keys, working_folder
        self._own_files, self._reading = own_files, reading

    def writing(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any:
        """Return where this rank writes what the program calls ``path``.

        Parameters
        ----------
        path : path-like
        keep : bool
            Whether what is in the file stays.
        create, exclusive : bool
            Whether it may be missing, and whether it must be.
        """
        key = self._keys.key(path)
        if key is None:
            return self._working_folder.real(path)
        kind = self._layers.kind(key)
        if kind is None:
            if not create:
                raise error(errno.ENOENT, path)
            self._layers.check_folder(dirname(key), path)
        elif exclusive:
            raise error(errno.EEXIST, path)
        elif kind == stat.S_IFDIR:
            raise error(errno.EISDIR, path)
        elif kind != stat.S_IFREG:
            return self._working_folder.real(path)  # a device or a pipe
        elif not posix.access(self._layers.find(key) or key, os.W_OK):
            raise error(errno.EACCES, path)
        return self._own_files.take(key, keep=keep)

    def changing(self, path: Any, follow: bool = True) -> Any:
        """Return where this rank changes mode, times or size of what is called ``path``."""
        key = self._keys.key(path, follow)
        if key is None or self._layers.existing(key, path) not in _COPIED:
            return self._working_folder.real(path)
        return self._own_files.take(key)

    def reading_tree(self, path: Any) -> Any:
        """Return where a library of its own reads a file, or a folder with all that is in it."""
        key = self._keys.key(path)
        changed = key is not None and not self._layers.unchanged_tree(key)
        if key is not None and changed and self._layers.kind(key) == stat.S_IFDIR:
            return self._own_files.take_all(key)
        return self._reading.place(path)

    def writing_folder(self, path: Any) -> Any:
        """Return where a library of its own may fill the folder ``path``."""
        key = self._keys.key(path)
        if key is None:
            return self._working_folder.real(path)
        self._make_folders(key)
        return self._own_files.take_all(key)

    def written_folder(self, path: Any) -> None:
        """Take note of all files that a library has written into the folder ``path``."""
        key = self._keys.key(path)
        if key is not None:
            self._own_files.note_all(key)

    def _make_folders(self, key: str) -> None:
        if self._layers.kind(key) is None:
            self._make_folders(dirname(key))
            self._own_files.make(key, key, posix.mkdir)
