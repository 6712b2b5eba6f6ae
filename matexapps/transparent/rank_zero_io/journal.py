"""A record of which paths were changed, passed from one process to others through a file."""

from __future__ import annotations

import json
import os
import posix
import threading
from collections.abc import Iterable
from posixpath import dirname, split


class Journal:
    """For each changed path the location of its contents, or None where it has none.

    Each entry appends one line. All processes that have opened the same file, ranks as well as
    workers that they have forked, see it in :meth:`refresh`, which costs one look at the file's
    size.

    Parameters
    ----------
    file : str
        Created if it does not exist.
    first_counts : bool
        Whether a path's first entry counts, or its last.
    remote : bool
        Whether another host may write the file. Then it is opened again for each look, since a
        network file system shows changes at opening.
    """

    def __init__(self, file: str, *, first_counts: bool, remote: bool = False) -> None:
        self._path, self._first_counts, self._remote = file, first_counts, remote
        self._file = _open(file)
        self._process, self._lock = posix.getpid(), threading.RLock()
        self._bytes_read = 0
        self._locations: dict[str, str | None] = {}
        self._names: dict[str, dict[str, None]] = {}

    def close(self) -> None:
        """Close the file."""
        posix.close(self._file)

    def refresh(self) -> int:
        """Take in all entries made so far; the number returned grows with them."""
        if self._process != posix.getpid():
            # A thread that this process does not have may have held the lock at the fork.
            self._process, self._lock = posix.getpid(), threading.RLock()
        with self._lock:
            if self._remote:
                reopened = _open(self._path)
                posix.close(self._file)
                self._file = reopened
            size, start = posix.fstat(self._file).st_size, self._bytes_read
            if size > start:
                lines, end, _ = posix.pread(self._file, size - start, start).rpartition(b"\n")
                for line in lines.splitlines():
                    path, location = json.loads(line)
                    self._take(path, location)
                # Not an increment: a finalizer that ran meanwhile may have come here too.
                self._bytes_read = start + len(lines) + len(end)
            return self._bytes_read

    def add(self, path: str, location: str | None) -> None:
        """Enter that the contents of ``path`` are at ``location``, or that it has none."""
        posix.write(self._file, json.dumps([path, location]).encode() + b"\n")
        self.refresh()

    def locate(self, path: str) -> str | None:
        """Return the location of ``path``: as entered, or ``path`` itself if it is unchanged.

        A path below one that has no contents has none.
        """
        if path in self._locations:
            return self._locations[path]
        folder = dirname(path)
        while folder != "/":
            if folder in self._locations:
                return None if self._locations[folder] is None else path
            folder = dirname(folder)
        return path

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in ``folder`` that have an entry."""
        return self._names.get(folder, ())

    def any_below(self, folder: str) -> bool:
        """Whether anything in ``folder``, at any depth, has an entry."""
        return any(path.startswith(folder + "/") for path in list(self._locations))

    def _take(self, path: str, location: str | None) -> None:
        if self._first_counts and path in self._locations:
            return
        self._locations[path] = location
        folder, name = split(path)
        names = self._names.setdefault(folder, {})
        names.pop(name, None)
        names[name] = None


def _open(file: str) -> int:
    return posix.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
