"""Where this rank writes."""

from __future__ import annotations

import errno
import os
import posix
import stat
from posixpath import dirname
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import system_error
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.paths import PathResolver, WorkingFolder
from matexapps.transparent.rank_zero_io.overlay.reading import Reader

_COPIED_KINDS = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Writer:
    """Lets the program write files of this rank's own, so that no real file changes.

    Parameters
    ----------
    layers : Layers
    paths : PathResolver
    working_folder : WorkingFolder
    own_files : OwnFiles
    reader : Reader
        For libraries that read, and expect everything they need in one folder.
    """

    def __init__(
        self,
        layers: Layers,
        paths: PathResolver,
        working_folder: WorkingFolder,
        own_files: OwnFiles,
        reader: Reader,
    ) -> None:
        self._layers, self._paths, self._working_folder = layers, paths, working_folder
        self._own_files, self._reader = own_files, reader

    def path_to_write(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any:
        """Return where this rank writes what the program calls ``path``.

        Parameters
        ----------
        path : path-like
        keep : bool
            Whether the contents of the file stay.
        create, exclusive : bool
            Whether the file may be missing, and whether it must be.
        """
        key = self._paths.key(path)
        if key is None:
            return self._working_folder.real_path(path)
        kind = self._layers.kind(key)
        if kind is None:
            if not create:
                raise system_error(errno.ENOENT, path)
            self._layers.require_writable_folder(dirname(key), path)
        elif exclusive:
            raise system_error(errno.EEXIST, path)
        elif kind == stat.S_IFDIR:
            raise system_error(errno.EISDIR, path)
        elif kind != stat.S_IFREG:
            return self._working_folder.real_path(path)  # a device or a pipe
        elif not posix.access(self._layers.locate(key) or key, os.W_OK):
            raise system_error(errno.EACCES, path)
        return self._own_files.copy_up(key, keep=keep)

    def path_to_change(self, path: Any, follow: bool = True) -> Any:
        """Return where this rank changes mode, times or size of what is called ``path``."""
        key = self._paths.key(path, follow)
        if key is None or self._layers.existing_kind(key, path) not in _COPIED_KINDS:
            return self._working_folder.real_path(path)
        return self._own_files.copy_up(key)

    def path_to_read(self, path: Any) -> Any:
        """Return where a library reads a file, or a folder with everything in it."""
        key = self._paths.key(path)
        changed = key is not None and not self._layers.is_unchanged_tree(key)
        if key is not None and changed and self._layers.kind(key) == stat.S_IFDIR:
            return self._own_files.copy_up_tree(key)
        return self._reader.locate(path)

    def folder_to_fill(self, path: Any) -> Any:
        """Return where a library may fill the folder ``path``."""
        key = self._paths.key(path)
        if key is None:
            return self._working_folder.real_path(path)
        self._make_folders(key)
        return self._own_files.copy_up_tree(key)

    def folder_filled(self, path: Any) -> None:
        """Take in all files that a library has written into the folder ``path``."""
        key = self._paths.key(path)
        if key is not None:
            self._own_files.enter_tree(key)

    def _make_folders(self, key: str) -> None:
        if self._layers.kind(key) is None:
            self._make_folders(dirname(key))
            self._own_files.create(key, key, posix.mkdir)
