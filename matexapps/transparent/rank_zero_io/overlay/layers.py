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

from matexapps.transparent.rank_zero_io.copying import kind_of
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.system_errors import error

T = TypeVar("T")


class Layers:
    """What stands under each key, as the program would see it if it ran alone.

    Parameters
    ----------
    own : Notes
        What this rank has changed.
    before : Notes
        What rank 0 has changed, and how it was before.

    Notes
    -----
    A *key* is an absolute path without links, as the program knows it. Its *place* is where its
    contents stand: among this rank's own files, among rank 0's copies, or at the key itself.
    """

    def __init__(self, own: Notes, before: Notes) -> None:
        self._own, self._before = own, before
        self._version = (0, 0)
        self._memories: list[dict[Any, Any]] = []

    def memory(self) -> dict[Any, Any]:
        """Return a dictionary that is emptied whenever something has changed."""
        self._memories.append({})
        return self._memories[-1]

    def refresh(self) -> int:
        """Take in what was changed by now; the number returned grows with rank 0's changes."""
        version = (self._own.refresh(), self._before.refresh())
        if version != self._version:
            for memory in self._memories:
                memory.clear()
            self._version = version
        return version[1]

    @property
    def untouched(self) -> bool:
        """Whether no rank had changed anything at the last :meth:`refresh`."""
        return not any(self._version)

    def steadily(self, act: Callable[[], T]) -> T:
        """Return what ``act`` does while rank 0 changes nothing."""
        while True:
            seen = self.refresh()
            try:
                result = act()
            except OSError:
                if self.refresh() == seen:
                    raise
            else:
                if self.refresh() == seen:
                    return result

    def find(self, key: str) -> str | None:
        """Return the place of ``key``, None where there is none."""
        place = self._own.find(key)
        return self._before.find(key) if place == key else place

    def kind(self, key: str) -> int | None:
        """Return the kind of what stands under ``key``, as ``stat.S_IFREG``; None for nothing."""
        return self.steadily(lambda: kind_of(self.find(key)))

    def names(self, key: str) -> list[str]:
        """Return the names in a folder."""
        return self.steadily(lambda: self._names_now(key))

    def unchanged_folder(self, key: str) -> bool:
        """Whether a folder, and what names are in it, was changed by no rank."""
        noted = [*self._own.names(key), *self._before.names(key)]
        return not noted and self.find(key) == key

    def unchanged_tree(self, key: str) -> bool:
        """Whether a folder, and all that is in it, was changed by no rank."""
        below = self._own.any_below(key) or self._before.any_below(key)
        return not below and self.find(key) == key

    def existing(self, key: str, *paths: Any) -> int:
        """Return the kind of what stands under ``key``.

        Raises
        ------
        FileNotFoundError
            About ``paths``, where nothing does.
        """
        kind = self.kind(key)
        if kind is None:
            raise error(errno.ENOENT, *paths)
        return kind

    def check_folder(self, folder: str, *paths: Any) -> None:
        """Raise the system's error about ``paths`` unless names in a folder may be changed."""
        if self.existing(folder, *paths) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, *paths)
        if not posix.access(self.find(folder) or folder, os.W_OK | os.X_OK):
            raise error(errno.EACCES, *paths)

    def _names_now(self, key: str) -> list[str]:
        names: dict[str, None] = {}
        if self._before.find(key) is not None:
            # It may be there for this rank alone, or rank 0 may have removed it.
            with suppress(FileNotFoundError, NotADirectoryError):
                names = dict.fromkeys(posix.listdir(key))
        for name in [*self._before.names(key), *self._own.names(key)]:
            if kind_of(self.find(join(key, name))) is None:
                names.pop(name, None)
            else:
                names[name] = None
        return list(names)
