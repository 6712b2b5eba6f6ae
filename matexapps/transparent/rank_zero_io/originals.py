"""Rank 0's side: how each path was before rank 0 changed it."""

from __future__ import annotations

import os
import posix
import stat
from contextlib import suppress
from posixpath import dirname, join, realpath, split
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import (
    copy,
    kind_of,
    make_folders,
    wait_for_readers,
)
from matexapps.transparent.rank_zero_io.journal import Journal
from matexapps.transparent.rank_zero_io.scope import Scope

_SAVED_KINDS = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Originals:
    """Saves what rank 0 is about to change, for ranks that are behind it.

    Rank 0 acts on the real files. Before it changes, makes or removes a path for the first time, a
    copy of what was there, or that there was nothing, is entered in a journal for the others.

    Parameters
    ----------
    folder : str
        Where the copies are.
    journal : Journal
    scope : Scope
    """

    def __init__(self, folder: str, journal: Journal, scope: Scope) -> None:
        self._folder, self._journal, self._scope = folder, journal, scope

    def path_to_read(self, path: Any) -> Any:
        """Return ``path``: rank 0 reads what is there."""
        return path

    def path_to_write(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any:
        """Save a file that is about to be written, and return ``path``."""
        self.save(realpath(os.fsdecode(path)), in_place=True)
        return path

    def folder_to_fill(self, path: Any) -> Any:
        """Save a folder that is about to be filled, and return ``path``."""
        self.save_tree(realpath(os.fsdecode(path)))
        return path

    def folder_filled(self, path: Any) -> None:
        """Enter that what a library has added to a folder was not there before."""
        self._enter_added(realpath(os.fsdecode(path)))

    def key_of_name(self, path: Any) -> str:
        """Return the absolute path of a name itself, even if the name is a link."""
        text = os.fsdecode(path)
        folder, name = split(text.rstrip("/"))
        return realpath(text) if name in ("", ".", "..") else join(realpath(folder), name)

    def save(self, key: str, *, in_place: bool = False) -> None:
        """Save what is at an absolute path without links.

        Parameters
        ----------
        key : str
        in_place : bool
            Whether the file itself is about to change, rather than only its name to go.
        """
        self._journal.refresh()
        if not self._scope.includes(key) or self._journal.locate(key) != key:
            return
        kind = kind_of(key)
        if kind is None:
            self._journal.add(key, None)
        elif kind in _SAVED_KINDS:
            location = self._folder + key
            # What cannot be read cannot be saved, and other ranks do not read it either.
            with suppress(PermissionError):
                _save_copy(key, location, link=kind == stat.S_IFREG and not in_place)
                self._journal.add(key, location)
            if in_place and kind == stat.S_IFREG:
                wait_for_readers(key)

    def save_tree(self, key: str) -> None:
        """Save a path and, if it is a folder, everything in it."""
        if self._scope.includes(key) and kind_of(key) == stat.S_IFDIR:
            for name in posix.listdir(key):
                self.save_tree(join(key, name))
        self.save(key)

    def save_renamed(self, old: str, new: str) -> None:
        """Save what a renaming is about to change: both paths, and the names in the new one."""
        self.save_tree(old)
        self.save(new)
        if kind_of(old) == stat.S_IFDIR:
            for name in posix.listdir(old):
                self.save(join(new, name))

    def _enter_added(self, key: str) -> None:
        kind, location = kind_of(key), self._journal.locate(key)
        if location == key:
            if kind in _SAVED_KINDS and self._scope.includes(key):
                self._journal.add(key, None)
        elif location is not None and kind == stat.S_IFDIR:
            for name in posix.listdir(key):
                self._enter_added(join(key, name))


def _save_copy(path: str, location: str, *, link: bool) -> None:
    if link:
        make_folders(dirname(location))
        try:
            posix.link(path, location, follow_symlinks=False)
            return
        except OSError:
            pass  # another file system: copy
    copy(path, location)
