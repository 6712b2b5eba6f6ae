"""What this rank has changed, above how everything was before rank 0 changed it."""

from __future__ import annotations

import errno
import os
import posix
import stat
from collections.abc import Callable
from contextlib import suppress
from posixpath import join
from typing import Any, TypeVar

from matexapps.transparent.rank_zero_io.file_system import kind_of, system_error
from matexapps.transparent.rank_zero_io.journal import Journal

T = TypeVar("T")


class Layers:
    """What is under each key, as the program would see it if it ran alone.

    Parameters
    ----------
    own : Journal
        What this rank has changed.
    rank_zero : Journal
        What rank 0 has changed, and how it was before.

    Notes
    -----
    A *key* is an absolute path without links, as the program knows it. Its *location* is where its
    contents are: among this rank's own files, among rank 0's copies, or at the key itself.
    """

    def __init__(self, own: Journal, rank_zero: Journal) -> None:
        self._own, self._rank_zero = own, rank_zero
        self._version = (0, 0)
        self._caches: list[dict[Any, Any]] = []

    def cache(self) -> dict[Any, Any]:
        """Return a dictionary that is emptied whenever something has changed."""
        self._caches.append({})
        return self._caches[-1]

    def refresh(self) -> int:
        """Take in all changes made so far; the number returned grows with rank 0's changes."""
        version = (self._own.refresh(), self._rank_zero.refresh())
        if version != self._version:
            for cache in self._caches:
                cache.clear()
            self._version = version
        return version[1]

    @property
    def untouched(self) -> bool:
        """Whether no rank had changed anything at the last :meth:`refresh`."""
        return not any(self._version)

    def retry_until_stable(self, act: Callable[[], T]) -> T:
        """Return what ``act`` returns, called again if rank 0 changed something meanwhile."""
        while True:
            version = self.refresh()
            try:
                result = act()
            except OSError:
                if self.refresh() == version:
                    raise
            else:
                if self.refresh() == version:
                    return result

    def locate(self, key: str) -> str | None:
        """Return the location of ``key``, None where there is nothing."""
        location = self._own.locate(key)
        return self._rank_zero.locate(key) if location == key else location

    def kind(self, key: str) -> int | None:
        """Return the kind of what is under ``key``, such as ``stat.S_IFREG``; None for nothing."""
        return self.retry_until_stable(lambda: kind_of(self.locate(key)))

    def names(self, key: str) -> list[str]:
        """Return the names in a folder."""
        return self.retry_until_stable(lambda: self._names_now(key))

    def is_unchanged_folder(self, key: str) -> bool:
        """Whether no rank has changed a folder or the names in it."""
        changed = [*self._own.names(key), *self._rank_zero.names(key)]
        return not changed and self.locate(key) == key

    def is_unchanged_tree(self, key: str) -> bool:
        """Whether no rank has changed a folder or anything in it."""
        changed = self._own.any_below(key) or self._rank_zero.any_below(key)
        return not changed and self.locate(key) == key

    def existing_kind(self, key: str, *paths: Any) -> int:
        """Return the kind of what is under ``key``.

        Raises
        ------
        FileNotFoundError
            About ``paths``, where there is nothing.
        """
        kind = self.kind(key)
        if kind is None:
            raise system_error(errno.ENOENT, *paths)
        return kind

    def require_writable_folder(self, folder: str, *paths: Any) -> None:
        """Raise the system's error about ``paths`` unless names in a folder may be changed."""
        if self.existing_kind(folder, *paths) != stat.S_IFDIR:
            raise system_error(errno.ENOTDIR, *paths)
        if not posix.access(self.locate(folder) or folder, os.W_OK | os.X_OK):
            raise system_error(errno.EACCES, *paths)

    def _names_now(self, key: str) -> list[str]:
        names: dict[str, None] = {}
        if self._rank_zero.locate(key) is not None:
            # It may exist for this rank alone, or rank 0 may have removed it.
            with suppress(FileNotFoundError, NotADirectoryError):
                names = dict.fromkeys(posix.listdir(key))
        for name in [*self._rank_zero.names(key), *self._own.names(key)]:
            if kind_of(self.locate(join(key, name))) is None:
                names.pop(name, None)
            else:
                names[name] = None
        return list(names)
