"""Copies of files, folders and links by calls that nothing is put before."""

from __future__ import annotations

import _io
import fcntl
import posix
import shutil
import stat
import time
from contextlib import suppress
from posixpath import dirname, join

_PATIENCE_S = 1.0


def kind_of(place: str | None) -> int | None:
    """Return the kind of what stands at ``place``, as ``stat.S_IFREG``; None for nothing."""
    if place is None:
        return None
    try:
        return stat.S_IFMT(posix.lstat(place).st_mode)
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
    """Copy a file with its mode and times, a link, or a folder without what is in it."""
    make_folders(dirname(target))
    status = posix.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        posix.symlink(posix.readlink(source), target)
        return
    if stat.S_ISDIR(status.st_mode):
        make_folders(target)
        posix.chmod(target, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
    else:
        with _io.open(source, "rb") as read, _io.open(target, "wb") as written:
            shutil.copyfileobj(read, written, 1 << 20)
        posix.chmod(target, stat.S_IMODE(status.st_mode))
    posix.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def clear(place: str) -> None:
    """Remove what stands at ``place``, if anything, and all that is in it."""
    if kind_of(place) == stat.S_IFDIR:
        for name in posix.listdir(place):
            clear(join(place, name))
        posix.rmdir(place)
    else:
        with suppress(FileNotFoundError):
            posix.unlink(place)


def mark_as_read(file: int) -> None:
    """Ask :func:`wait_for_readers` of other ranks to wait until this open file is closed."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def wait_for_readers(path: str) -> None:
    """Wait, for a second at most, until no rank has ``path`` open that marked it."""
    with suppress(OSError):
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            end = time.monotonic() + _PATIENCE_S
            while not _alone(file) and time.monotonic() < end:
                time.sleep(0.001)
        finally:
            posix.close(file)


def _alone(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True
