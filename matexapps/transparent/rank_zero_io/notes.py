"""Which paths were changed, told from one process to others through a file."""

from __future__ import annotations

import json
import os
import posix
import threading
from collections.abc import Iterable
from posixpath import dirname, split


class Notes:
    """For each changed path where its contents stand, or None where there are none.

    One line is appended for each note. All processes that hold the same file, ranks as well as
    workers they have forked, learn of it in :meth:`refresh`, which costs one look at the file's
    size.

    Parameters
    ----------
    file : str
        Made if it is not there.
    first_counts : bool
        Whether a path's first note counts, or its last.
    far : bool
        Whether another host may write the file: then it is opened anew for each look, since a
        network file system shows changes at opening.
    """

    def __init__(self, file: str, *, first_counts: bool, far: bool = False) -> None:
        self._path, self._first_counts, self._far = file, first_counts, far
        self._file = _open(file)
        self._process, self._lock = posix.getpid(), threading.RLock()
        self._read = 0
        self._places: dict[str, str | None] = {}
        self._names: dict[str, dict[str, None]] = {}

    def close(self) -> None:
        """Give the file back."""
        posix.close(self._file)

    def refresh(self) -> int:
        """Take in what was noted by now; the number returned grows with it."""
        if self._process != posix.getpid():
            # A thread that this process does not have may have held the lock when it was forked.
            self._process, self._lock = posix.getpid(), threading.RLock()
        with self._lock:
            if self._far:
                again = _open(self._path)
                posix.close(self._file)
                self._file = again
            size, start = posix.fstat(self._file).st_size, self._read
            if size > start:
                lines, end, _ = posix.pread(self._file, size - start, start).rpartition(b"\n")
                for line in lines.splitlines():
                    path, place = json.loads(line)
                    self._take(path, place)
                # Not added to: a finalizer that ran meanwhile may have come here, too.
                self._read = start + len(lines) + len(end)
            return self._read

    def add(self, path: str, place: str | None) -> None:
        """Note that what is called ``path`` stands at ``place``, or nowhere."""
        posix.write(self._file, json.dumps([path, place]).encode() + b"\n")
        self.refresh()

    def find(self, path: str) -> str | None:
        """Return where ``path`` stands: as noted for it, or ``path`` itself if it is unchanged.

        A path below one that is nowhere is nowhere.
        """
        if path in self._places:
            return self._places[path]
        folder = dirname(path)
        while folder != "/":
            if folder in self._places:
                return None if self._places[folder] is None else path
            folder = dirname(folder)
        return path

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in ``folder`` of which there is a note."""
        return self._names.get(folder, ())

    def any_below(self, folder: str) -> bool:
        """Whether there is a note of anything in ``folder``, however deep."""
        return any(path.startswith(folder + "/") for path in list(self._places))

    def _take(self, path: str, place: str | None) -> None:
        if self._first_counts and path in self._places:
            return
        self._places[path] = place
        folder, name = split(path)
        names = self._names.setdefault(folder, {})
        names.pop(name, None)
        names[name] = None


def _open(file: str) -> int:
    return posix.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
