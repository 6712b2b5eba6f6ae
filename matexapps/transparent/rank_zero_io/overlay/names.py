"""Names in folders: made, removed, renamed, linked and listed."""

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

from matexapps.transparent.rank_zero_io.keys import Keys
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.reading import Reading
from matexapps.transparent.rank_zero_io.system_errors import as_named, error
from matexapps.transparent.rank_zero_io.working_folder import WorkingFolder


class Names:
    """Acts as functions of ``os`` do, for this rank alone.

    Parameters
    ----------
    layers : Layers
    keys : Keys
    working_folder : WorkingFolder
    own_files : OwnFiles
    reading : Reading
        For links from where paths are left alone.
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

    def make_folder(self, path: Any, mode: int) -> None:
        """Act as ``os.mkdir``."""
        self._make(path, lambda place: posix.mkdir(place, mode))

    def symlink(self, text: Any, path: Any) -> None:
        """Act as ``os.symlink``."""
        self._make(path, lambda place: posix.symlink(text, place))

    def link(self, source: Any, target: Any, follow: bool = True) -> None:
        """Act as ``os.link``; two names of one file where the file is this rank's own."""
        old, new = self._keys.key(source, follow), self._keys.key(target, follow=False)
        if old is None or new is None:
            origin = self._reading.place(source, follow)
        else:
            self._layers.existing(old, source, target)
            origin = self._own_files.take(old)

        def act(place: Any) -> None:
            try:
                posix.link(origin, place)
            except OSError as failure:
                raise error(failure.errno or errno.EIO, source, target) from None

        self._make(target, act)

    def remove_folder(self, path: Any) -> None:
        """Act as ``os.rmdir``."""
        key = self._keys.key(path, follow=False)
        if key is None:
            posix.rmdir(self._working_folder.real(path))
            return
        if self._layers.existing(key, path) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, path)
        if self._layers.names(key):
            raise error(errno.ENOTEMPTY, path)
        self._layers.check_folder(dirname(key), path)
        self._own_files.forget(key)

    def remove(self, path: Any) -> None:
        """Act as ``os.remove``."""
        key = self._keys.key(path, follow=False)
        if key is None:
            posix.unlink(self._working_folder.real(path))
            return
        if self._layers.existing(key, path) == stat.S_IFDIR:
            raise error(errno.EISDIR, path)
        self._layers.check_folder(dirname(key), path)
        self._own_files.forget(key)

    def rename(self, source: Any, target: Any) -> None:
        """Act as ``os.rename``, which on POSIX is ``os.replace``."""
        old, new = (self._keys.key(path, follow=False) for path in (source, target))
        if old is None and new is None:
            posix.rename(*map(self._working_folder.real, (source, target)))
        elif old is None or new is None:
            _move_across(source, target)
        else:
            kind = self._layers.existing(old, source, target)
            self._layers.check_folder(dirname(new), source, target)
            self._check_replaced(kind, new, source, target)
            if new.startswith(old + "/"):
                raise error(errno.EINVAL, source, target)
            if new != old:
                self._own_files.move(old, new)

    def listed(self, path: Any) -> list[str]:
        """Act as ``os.listdir``, for names as text."""
        key = self._keys.key(path)
        if key is None:
            names = posix.listdir(self._working_folder.real(path))
            return [os.fsdecode(name) for name in names]
        if self._layers.existing(key, path) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, path)
        try:
            return self._layers.names(key)
        except OSError as failure:
            raise as_named(failure, key, path) from None

    def _make(self, path: Any, act: Callable[[Any], None]) -> None:
        key = self._keys.key(path, follow=False)
        if key is None:
            act(self._working_folder.real(path))
        else:
            self._own_files.make(key, path, act)

    def _check_replaced(self, kind: int, new: str, *paths: Any) -> None:
        there = self._layers.kind(new)
        if there is None:
            return
        if kind == stat.S_IFDIR != there:
            raise error(errno.ENOTDIR, *paths)
        if there == stat.S_IFDIR != kind:
            raise error(errno.EISDIR, *paths)
        if kind == stat.S_IFDIR and self._layers.names(new):
            raise error(errno.ENOTEMPTY, *paths)


def _move_across(source: Any, target: Any) -> None:
    # One of the two is left alone, so shutil's calls of os come back here for the other.
    if stat.S_ISDIR(os.lstat(source).st_mode):
        shutil.copytree(source, target, symlinks=True)
        shutil.rmtree(source)
    else:
        with suppress(FileNotFoundError):
            os.remove(target)
        shutil.copy2(source, target, follow_symlinks=False)
        os.remove(source)
