"""Names in folders: created, removed, renamed, linked and listed."""

from __future__ import annotations

import errno
import os
import posix
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from posixpath import dirname
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import error_about, system_error
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.paths import PathResolver, WorkingFolder
from matexapps.transparent.rank_zero_io.overlay.reading import Reader


class Directories:
    """Acts as functions of ``os`` do, for this rank alone.

    Parameters
    ----------
    layers : Layers
    paths : PathResolver
    working_folder : WorkingFolder
    own_files : OwnFiles
    reader : Reader
        For links to files outside the scope.
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

    def make_folder(self, path: Any, mode: int) -> None:
        """Act as ``os.mkdir``."""
        self._create(path, lambda location: posix.mkdir(location, mode))

    def symlink(self, target: Any, path: Any) -> None:
        """Act as ``os.symlink``."""
        self._create(path, lambda location: posix.symlink(target, location))

    def link(self, source: Any, target: Any, follow: bool = True) -> None:
        """Act as ``os.link``; both are names of one file, which becomes this rank's own."""
        old, new = self._paths.key(source, follow), self._paths.key(target, follow=False)
        if old is None or new is None:
            origin = self._reader.locate(source, follow)
        else:
            self._layers.existing_kind(old, source, target)
            origin = self._own_files.copy_up(old)

        def act(location: Any) -> None:
            try:
                posix.link(origin, location)
            except OSError as error:
                raise system_error(error.errno or errno.EIO, source, target) from None

        self._create(target, act)

    def remove_folder(self, path: Any) -> None:
        """Act as ``os.rmdir``."""
        key = self._paths.key(path, follow=False)
        if key is None:
            posix.rmdir(self._working_folder.real_path(path))
            return
        if self._layers.existing_kind(key, path) != stat.S_IFDIR:
            raise system_error(errno.ENOTDIR, path)
        if self._layers.names(key):
            raise system_error(errno.ENOTEMPTY, path)
        self._layers.require_writable_folder(dirname(key), path)
        self._own_files.delete(key)

    def remove(self, path: Any) -> None:
        """Act as ``os.remove``."""
        key = self._paths.key(path, follow=False)
        if key is None:
            posix.unlink(self._working_folder.real_path(path))
            return
        if self._layers.existing_kind(key, path) == stat.S_IFDIR:
            raise system_error(errno.EISDIR, path)
        self._layers.require_writable_folder(dirname(key), path)
        self._own_files.delete(key)

    def rename(self, source: Any, target: Any) -> None:
        """Act as ``os.rename``, which on POSIX is ``os.replace``."""
        old, new = (self._paths.key(path, follow=False) for path in (source, target))
        if old is None and new is None:
            posix.rename(*map(self._working_folder.real_path, (source, target)))
        elif old is None or new is None:
            _move_across_scopes(source, target)
        else:
            kind = self._layers.existing_kind(old, source, target)
            self._layers.require_writable_folder(dirname(new), source, target)
            self._require_replaceable(kind, new, source, target)
            if new.startswith(old + "/"):
                raise system_error(errno.EINVAL, source, target)
            if new != old:
                self._own_files.move(old, new)

    def list_names(self, path: Any) -> list[str]:
        """Act as ``os.listdir``, for names as text."""
        key = self._paths.key(path)
        if key is None:
            names = posix.listdir(self._working_folder.real_path(path))
            return [os.fsdecode(name) for name in names]
        if self._layers.existing_kind(key, path) != stat.S_IFDIR:
            raise system_error(errno.ENOTDIR, path)
        try:
            return self._layers.names(key)
        except OSError as error:
            raise error_about(path, error, key) from None

    def _create(self, path: Any, act: Callable[[Any], None]) -> None:
        key = self._paths.key(path, follow=False)
        if key is None:
            act(self._working_folder.real_path(path))
        else:
            self._own_files.create(key, path, act)

    def _require_replaceable(self, kind: int, new: str, *paths: Any) -> None:
        """Raise the system's error about ``paths`` unless this kind may replace ``new``."""
        replaced = self._layers.kind(new)
        if replaced is None:
            return
        if kind == stat.S_IFDIR != replaced:
            raise system_error(errno.ENOTDIR, *paths)
        if replaced == stat.S_IFDIR != kind:
            raise system_error(errno.EISDIR, *paths)
        if kind == stat.S_IFDIR and self._layers.names(new):
            raise system_error(errno.ENOTEMPTY, *paths)


def _move_across_scopes(source: Any, target: Any) -> None:
    # These calls come back here for the path that is in the scope.
    if stat.S_ISDIR(os.lstat(source).st_mode):
        shutil.copytree(source, target, symlinks=True)
        shutil.rmtree(source)
    else:
        with suppress(FileNotFoundError):
            os.remove(target)
        shutil.copy2(source, target, follow_symlinks=False)
        os.remove(source)
