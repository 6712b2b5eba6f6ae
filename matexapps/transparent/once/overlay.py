"""The other ranks' side: files as the program would see them if it ran alone."""

from __future__ import annotations

import errno
import os
import posix
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from posixpath import dirname, join, normpath, split
from typing import Any, TypeVar

from matexapps.transparent.once.copying import clear, copy, kind_of, make_folders
from matexapps.transparent.once.notes import Notes
from matexapps.transparent.once.zone import Zone

T = TypeVar("T")

_MOST_LINKS = 40
_MOST_REMEMBERED = 10_000
_COPIED = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Overlay:
    """What this rank has changed, above how everything was before rank 0 changed it.

    Parameters
    ----------
    folder : str
        Where this rank's own files stand, each below its real path.
    own : Notes
        What this rank has changed.
    before : Notes
        What rank 0 has changed, and how it was before.
    zone : Zone

    Notes
    -----
    A *key* is an absolute path without links, as the program knows it. Its *place* is where its
    contents stand: in ``folder``, among rank 0's copies, or at the key itself.
    """

    def __init__(self, folder: str, own: Notes, before: Notes, zone: Zone) -> None:
        self._folder, self._own, self._before, self._zone = folder, own, before, zone
        self._keys_of_folders: dict[str, str] = {}
        self._places_read: dict[tuple[str | bytes, bool], str | None] = {}
        self._version = (0, 0)
        self.working_folder = posix.getcwd()
        self._is_there = True

    def reading(self, path: Any, follow: bool = True) -> Any:
        """Return where to read what the program calls ``path``; ``path`` itself if unchanged."""
        self._refresh()
        return self._reading(path, follow)

    def read(self, path: Any, act: Callable[[Any], T], follow: bool = True) -> T:
        """Return ``act(place)``, done again if rank 0 changed the place while it was done."""
        while True:
            _, seen = self._refresh()
            place = self._reading(path, follow)
            try:
                result = act(place)
            except OSError as failure:
                if self._before.refresh() == seen:
                    raise as_named(failure, place, path) from None
                continue
            if self._before.refresh() == seen or self._reads_from(path, place, follow):
                return result
            if hasattr(result, "close"):
                result.close()

    def reading_tree(self, path: Any) -> Any:
        """Return where a library of its own reads a file, or a folder with all that is in it."""
        key = self._key(path)
        if key is None or self._kind(key) != stat.S_IFDIR:
            return self.reading(path)
        if not self._own.any_below(key) and not self._before.any_below(key):
            return self.reading(path)
        return self._take_all(key)

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
        key = self._key(path)
        if key is None:
            return path if self._is_there else self._absolute(path)
        kind = self._kind(key)
        if kind is None:
            if not create:
                raise error(errno.ENOENT, path)
            self._check_folder(dirname(key), path)
        elif exclusive:
            raise error(errno.EEXIST, path)
        elif kind == stat.S_IFDIR:
            raise error(errno.EISDIR, path)
        elif kind != stat.S_IFREG:
            return path  # a device or a pipe
        elif not posix.access(self._find(key) or key, os.W_OK):
            raise error(errno.EACCES, path)
        return self._take(key, keep=keep)

    def changing(self, path: Any, follow: bool = True) -> Any:
        """Return where this rank changes mode, times or size of what is called ``path``."""
        key = self._key(path, follow)
        if key is None:
            return path
        kind = self._kind(key)
        if kind is None:
            raise error(errno.ENOENT, path)
        return self._take(key) if kind in _COPIED else path

    def writing_folder(self, path: Any) -> Any:
        """Return where a library of its own may fill the folder ``path``."""
        key = self._key(path)
        if key is None:
            return path
        if self._kind(key) is None:
            self.make_parents(key)
        return self._take_all(key)

    def written_folder(self, path: Any) -> None:
        """Take note of all files that a library has written into the folder ``path``."""
        key = self._key(path)
        if key is not None:
            self._note_all(key)

    def make_parents(self, key: str) -> None:
        """Make a folder and those above it, where they are missing."""
        if self._kind(key) is None:
            self.make_parents(dirname(key))
            self.make_folder(key, 0o777)

    def make_folder(self, path: Any, mode: int) -> None:
        """Act as ``os.mkdir``."""
        key = self._key(path, follow=False)
        if key is None:
            posix.mkdir(path, mode)
            return
        mirror = self._new(key, path)
        posix.mkdir(mirror, mode)
        self._own.add(key, mirror)

    def remove_folder(self, path: Any) -> None:
        """Act as ``os.rmdir``."""
        key = self._key(path, follow=False)
        if key is None:
            posix.rmdir(path)
            return
        if self._existing(key, path) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, path)
        if self._names(key):
            raise error(errno.ENOTEMPTY, path)
        self._check_folder(dirname(key), path)
        self._forget(key)

    def remove(self, path: Any) -> None:
        """Act as ``os.remove``."""
        key = self._key(path, follow=False)
        if key is None:
            posix.unlink(path)
            return
        if self._existing(key, path) == stat.S_IFDIR:
            raise error(errno.EISDIR, path)
        self._check_folder(dirname(key), path)
        self._forget(key)

    def rename(self, source: Any, target: Any) -> None:
        """Act as ``os.rename``, which on POSIX is ``os.replace``."""
        old, new = self._key(source, follow=False), self._key(target, follow=False)
        if old is None and new is None:
            posix.rename(source, target)
        elif old is None or new is None:
            self._move_across(source, target)
        else:
            kind = self._existing(old, source, target)
            self._check_folder(dirname(new), source, target)
            self._check_replaced(kind, new, source, target)
            if new.startswith(old + "/"):
                raise error(errno.EINVAL, source, target)
            if new != old:
                self._move(old, new)

    def link(self, source: Any, target: Any, follow: bool = True) -> None:
        """Act as ``os.link``; two names of one file where the file is this rank's own."""
        old, new = self._key(source, follow), self._key(target, follow=False)
        if new is None:
            posix.link(self.reading(source, follow), target)
            return
        place = self._take(old) if old is not None else self._absolute(source)
        if kind_of(place) is None:
            raise error(errno.ENOENT, source, target)
        mirror = self._new(new, target)
        posix.link(place, mirror)
        self._own.add(new, mirror)

    def symlink(self, text: Any, path: Any) -> None:
        """Act as ``os.symlink``."""
        key = self._key(path, follow=False)
        if key is None:
            posix.symlink(text, path)
            return
        mirror = self._new(key, path)
        posix.symlink(text, mirror)
        self._own.add(key, mirror)

    def names(self, path: Any) -> list[str]:
        """Act as ``os.listdir``, for names as text."""
        key = self._key(path)
        if key is None:
            return [os.fsdecode(name) for name in posix.listdir(path)]
        if self._existing(key, path) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, path)
        try:
            return self._names(key)
        except OSError as failure:
            raise as_named(failure, key, path) from None

    def unchanged_folder(self, path: Any) -> bool:
        """Whether a folder, and what names are in it, was changed by no rank."""
        key = self._zoned(path)
        if key is None:
            return True
        if not self._is_there:
            return False
        if not any(self._refresh()):
            return True
        key = self._without_links(key, True)
        noted = [*self._own.names(key), *self._before.names(key)]
        return not noted and self._find(key) == key

    def seen(self) -> int:
        """Return a number that grows with each change that rank 0 makes."""
        return self._before.refresh()

    def enter_folder(self, path: Any) -> None:
        """Act as ``os.chdir``."""
        place = self.reading(path)
        try:
            posix.chdir(place)
        except OSError as failure:
            raise as_named(failure, place, path) from None
        here = posix.getcwd()
        key = self._key(path)
        self._places_read.clear()
        self.working_folder = here if key is None else key
        self._is_there = self.working_folder == here

    def leave(self, folder: str) -> None:
        """Bring the process to where the program believes to be; to ``folder`` if that is not."""
        if not self._is_there:
            try:
                posix.chdir(self.working_folder)
            except OSError:
                posix.chdir(folder)

    def _reading(self, path: Any, follow: bool) -> Any:
        asked = (os.fspath(path), follow)
        place = self._places_read.get(asked, path)
        if place is path:
            place = self._place_to_read(path, follow)
            if len(self._places_read) >= _MOST_REMEMBERED:
                self._places_read.clear()
            self._places_read[asked] = place
        if place is None:
            raise error(errno.ENOENT, path)
        return place or path

    def _place_to_read(self, path: Any, follow: bool) -> str | None:
        """Return where to read a path, None for nowhere, nothing for the path itself."""
        key = self._zoned(path)
        if key is None or not any(self._version):
            return "" if self._is_there or not path else self._absolute(path)
        key = self._without_links(key, follow)
        place = self._find(key)
        return "" if place == key and self._is_there else place

    def _absolute(self, path: Any) -> str:
        key = normpath(join(self.working_folder, os.fsdecode(path)))
        return key[1:] if key.startswith("//") else key

    def _zoned(self, path: Any) -> str | None:
        if not path:
            return None
        path = self._absolute(path)
        return path if self._zone.has(path) else None

    def _key(self, path: Any, follow: bool = True) -> str | None:
        key = self._zoned(path)
        if key is None:
            return None
        self._refresh()
        key = self._without_links(key, follow)
        return key if self._zone.has(key) else None

    def _refresh(self) -> tuple[int, int]:
        version = (self._own.refresh(), self._before.refresh())
        if version != self._version:
            self._keys_of_folders.clear()
            self._places_read.clear()
            self._version = version
        return version

    def _without_links(self, path: str, follow: bool, depth: int = 0) -> str:
        if path == "/":
            return path
        if depth > _MOST_LINKS:
            raise error(errno.ELOOP, path)
        folder, name = split(path)
        known = self._keys_of_folders.get(folder)
        if known is None:
            known = self._without_links(folder, True, depth)
            self._keys_of_folders[folder] = known
        key = join(known, name)
        target = self._target(key) if follow else None
        if target is None:
            return key
        return self._without_links(normpath(join(known, target)), True, depth + 1)

    def _target(self, key: str) -> str | None:
        place = self._find(key)
        try:
            return None if place is None else posix.readlink(place)
        except OSError:
            return None

    def _find(self, key: str) -> str | None:
        place = self._own.find(key)
        return self._before.find(key) if place == key else place

    def _reads_from(self, path: Any, place: Any, follow: bool) -> bool:
        try:
            return self.reading(path, follow) == place
        except FileNotFoundError:
            return False

    def _steadily(self, act: Callable[[], T]) -> T:
        """Return what ``act`` does while rank 0 changes nothing."""
        while True:
            seen = self._before.refresh()
            try:
                result = act()
            except OSError:
                if self._before.refresh() == seen:
                    raise
            else:
                if self._before.refresh() == seen:
                    return result

    def _kind(self, key: str) -> int | None:
        return self._steadily(lambda: kind_of(self._find(key)))

    def _existing(self, key: str, *paths: Any) -> int:
        kind = self._kind(key)
        if kind is None:
            raise error(errno.ENOENT, *paths)
        return kind

    def _check_folder(self, folder: str, *paths: Any) -> None:
        if self._existing(folder, *paths) != stat.S_IFDIR:
            raise error(errno.ENOTDIR, *paths)
        if not posix.access(self._find(folder) or folder, os.W_OK | os.X_OK):
            raise error(errno.EACCES, *paths)

    def _new(self, key: str, path: Any) -> str:
        """Return this rank's place for something that must not be there yet."""
        if self._kind(key) is not None:
            raise error(errno.EEXIST, path)
        self._check_folder(dirname(key), path)
        return self._cleared(key)

    def _cleared(self, key: str) -> str:
        mirror = self._folder + key
        clear(mirror)
        make_folders(dirname(mirror))
        return mirror

    def _take(self, key: str, *, keep: bool = True) -> str:
        """Make what is called ``key`` this rank's own and return its place."""
        mirror = self._folder + key
        if self._own.find(key) == mirror:
            return mirror
        kind = self._kind(key)
        if kind is None:
            self._cleared(key)
        elif keep:
            self._copy(key, mirror)
        else:
            self._copy_mode(key, mirror)
        self._own.add(key, mirror)
        return mirror

    def _copy(self, key: str, mirror: str) -> None:
        def act() -> None:
            place = self._find(key)
            if place is not None:
                if kind_of(place) != stat.S_IFDIR:
                    clear(mirror)
                copy(place, mirror)

        self._steadily(act)

    def _copy_mode(self, key: str, mirror: str) -> None:
        self._cleared(key)
        mode = self._steadily(lambda: posix.stat(self._find(key) or key).st_mode)
        posix.close(posix.open(mirror, os.O_WRONLY | os.O_CREAT, 0o600))
        posix.chmod(mirror, stat.S_IMODE(mode))

    def _take_all(self, key: str) -> str:
        if self._kind(key) == stat.S_IFDIR:
            for name in self._names(key):
                self._take_all(join(key, name))
        return self._take(key)

    def _note_all(self, key: str) -> None:
        mirror = self._folder + key
        if self._own.find(key) != mirror:
            self._own.add(key, mirror)
        if kind_of(mirror) == stat.S_IFDIR:
            for name in posix.listdir(mirror):
                self._note_all(join(key, name))

    def _forget(self, key: str) -> None:
        self._own.add(key, None)
        clear(self._folder + key)

    def _names(self, key: str) -> list[str]:
        return self._steadily(lambda: self._names_now(key))

    def _names_now(self, key: str) -> list[str]:
        names: dict[str, None] = {}
        if self._before.find(key) is not None:
            # It may be there for this rank alone, or rank 0 may have removed it.
            with suppress(FileNotFoundError, NotADirectoryError):
                names = dict.fromkeys(posix.listdir(key))
        for name in [*self._before.names(key), *self._own.names(key)]:
            if kind_of(self._find(join(key, name))) is None:
                names.pop(name, None)
            else:
                names[name] = None
        return list(names)

    def _check_replaced(self, kind: int, new: str, *paths: Any) -> None:
        there = self._kind(new)
        if there is None:
            return
        if kind == stat.S_IFDIR != there:
            raise error(errno.ENOTDIR, *paths)
        if there == stat.S_IFDIR != kind:
            raise error(errno.EISDIR, *paths)
        if kind == stat.S_IFDIR and self._names(new):
            raise error(errno.ENOTEMPTY, *paths)

    def _move(self, old: str, new: str) -> None:
        mirror = self._cleared(new)
        self._take(old)
        if self._kind(old) == stat.S_IFDIR:
            copy(self._folder + old, mirror)
            self._own.add(new, mirror)
            for name in self._names(old):
                self._move(join(old, name), join(new, name))
        else:
            posix.rename(self._folder + old, mirror)
            self._own.add(new, mirror)
        self._forget(old)

    def _move_across(self, source: Any, target: Any) -> None:
        # One of the two is left alone, so shutil's calls of os come back here for the other.
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)
            shutil.rmtree(source)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
            os.remove(source)


def error(number: int, *paths: Any) -> OSError:
    """Return the error that the system would raise about these paths."""
    named = [os.fspath(path) for path in paths]
    return OSError(number, os.strerror(number), named[0], None, *named[1:2])


def as_named(failure: OSError, place: Any, path: Any) -> OSError:
    """Return an error about ``place`` as one about ``path``."""
    if failure.filename == place:
        failure.filename = os.fspath(path)
    return failure
