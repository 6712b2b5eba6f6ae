"""The file system itself, through calls that are never replaced, and its errors about paths."""

from __future__ import annotations

import _io
import fcntl
import os
import posix
import shutil
import stat
import time
from contextlib import suppress
from posixpath import dirname, join
from typing import Any

_LONGEST_WAIT_S = 1.0


def kind_of(path: str | None) -> int | None:
    """Return the kind of what is at ``path``, such as ``stat.S_IFREG``; None for nothing."""
    if path is None:
        return None
    try:
        return stat.S_IFMT(posix.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_folders(folder: str) -> None:
    """Make a folder and those above it, where they are missing."""
    try:
        posix.mkdir(folder, 0o777)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_folders(dirname(folder))
        make_folders(folder)


def copy(source: str, target: str) -> None:
    """Copy a file with its mode and times, a link, or a folder without its contents."""
    make_folders(dirname(target))
    status = posix.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        posix.symlink(posix.readlink(source), target)
        return
    if stat.S_ISDIR(status.st_mode):
        make_folders(target)
        posix.chmod(target, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
    else:
        with _io.open(source, "rb") as reader, _io.open(target, "wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
        posix.chmod(target, stat.S_IMODE(status.st_mode))
    posix.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def clear(path: str) -> None:
    """Remove what is at ``path``, if anything, with everything in it."""
    if kind_of(path) == stat.S_IFDIR:
        for name in posix.listdir(path):
            clear(join(path, name))
        posix.rmdir(path)
    else:
        with suppress(FileNotFoundError):
            posix.unlink(path)


def mark_as_read(file: int) -> None:
    """Ask :func:`wait_for_readers` on other ranks to wait until this open file is closed."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def wait_for_readers(path: str) -> None:
    """Wait, for a second at most, until no rank that has marked ``path`` as read has it open."""
    with suppress(OSError):
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            end = time.monotonic() + _LONGEST_WAIT_S
            while _is_marked(file) and time.monotonic() < end:
                time.sleep(0.001)
        finally:
            posix.close(file)


def _is_marked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def system_error(number: int, *paths: Any) -> OSError:
    """Return the error that the system would raise about these paths.

    Parameters
    ----------
    number : int
        Such as ``errno.ENOENT``.
    *paths : path-like
        One, or two as for a renaming.
    """
    names = [os.fspath(path) for path in paths]
    return OSError(number, os.strerror(number), names[0], None, *names[1:2])


def error_about(path: Any, error: OSError, location: Any) -> OSError:
    """Return an error about ``location`` as one about ``path``, the program's name for it."""
    if error.filename == location:
        error.filename = os.fspath(path)
    return error
