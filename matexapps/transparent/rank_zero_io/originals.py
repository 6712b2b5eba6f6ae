"""Rank 0's side: how each path was before rank 0 changed it."""

from __future__ import annotations

import os
import posix
import stat
from contextlib import suppress
from posixpath import dirname, join, realpath, split
from typing import Any

from matexapps.transparent.rank_zero_io.copying import copy, kind_of, make_folders, wait_for_readers
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.zone import Zone

_KEPT = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Kept:
    """Keeps what rank 0 is about to change, for ranks that are behind it.

    Rank 0 acts for real. Before it changes, makes or removes a path for the first time, a copy of
    what was there, or that there was nothing, is noted for the others.

    Parameters
    ----------
    folder : str
        Where copies stand.
    notes : Notes
    zone : Zone
    """

    def __init__(self, folder: str, notes: Notes, zone: Zone) -> None:
        self._folder, self._notes, self._zone = folder, notes, zone

    def reading_tree(self, path: Any) -> Any:
        """Return ``path``: rank 0 reads what is there."""
        return path

    def writing(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any:
        """Keep a file that is about to be written, and return ``path``."""
        self.keep(realpath(os.fsdecode(path)), in_place=True)
        return path

    def writing_folder(self, path: Any) -> Any:
        """Keep a folder that is about to be filled, and return ``path``."""
        self.keep_all(realpath(os.fsdecode(path)))
        return path

    def written_folder(self, path: Any) -> None:
        """Note that what a library has added to a folder was not there before."""
        self._note_added(realpath(os.fsdecode(path)))

    def named(self, path: Any) -> str:
        """Return the absolute path of a name itself, should it be a link."""
        text = os.fsdecode(path)
        folder, name = split(text.rstrip("/"))
        return realpath(text) if name in ("", ".", "..") else join(realpath(folder), name)

    def keep(self, key: str, *, in_place: bool = False) -> None:
        """Keep what an absolute path without links is now.

        Parameters
        ----------
        key : str
        in_place : bool
            Whether the file itself is to change, rather than only its name to go.
        """
        self._notes.refresh()
        if not self._zone.has(key) or self._notes.find(key) != key:
            return
        kind = kind_of(key)
        if kind is None:
            self._notes.add(key, None)
        elif kind in _KEPT:
            place = self._folder + key
            # What cannot be read cannot be kept, and is not read on other ranks either.
            with suppress(PermissionError):
                _keep_copy(key, place, link=kind == stat.S_IFREG and not in_place)
                self._notes.add(key, place)
            if in_place and kind == stat.S_IFREG:
                wait_for_readers(key)

    def keep_all(self, key: str) -> None:
        """Keep a path and, where it is a folder, all that is in it."""
        if self._zone.has(key) and kind_of(key) == stat.S_IFDIR:
            for name in posix.listdir(key):
                self.keep_all(join(key, name))
        self.keep(key)

    def keep_renamed(self, old: str, new: str) -> None:
        """Keep what a renaming is about to change: both, and which names are in the new one."""
        self.keep_all(old)
        self.keep(new)
        if kind_of(old) == stat.S_IFDIR:
            for name in posix.listdir(old):
                self.keep(join(new, name))

    def _note_added(self, key: str) -> None:
        kind, place = kind_of(key), self._notes.find(key)
        if place == key:
            if kind in _KEPT and self._zone.has(key):
                self._notes.add(key, None)
        elif place is not None and kind == stat.S_IFDIR:
            for name in posix.listdir(key):
                self._note_added(join(key, name))


def _keep_copy(path: str, place: str, *, link: bool) -> None:
    if link:
        make_folders(dirname(place))
        try:
            posix.link(path, place, follow_symlinks=False)
            return
        except OSError:
            pass  # another file system: a copy
    copy(path, place)
