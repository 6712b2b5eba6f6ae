"""``os.scandir`` over names that come from several folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, Generic, Self, TypeVar

E = TypeVar("E")


class DirectoryIterator(Generic[E]):
    """An iterator with the interface of ``os.scandir``'s: it may be closed, or used in ``with``.

    Parameters
    ----------
    entries : list
    """

    def __init__(self, entries: list[E]) -> None:
        self._entries: Iterator[E] = iter(entries)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> E:
        return next(self._entries)

    def close(self) -> None:
        """Stop iterating."""
        self._entries = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DirectoryEntry:
    """A name in a folder, with the interface of ``os.DirEntry``.

    Parameters
    ----------
    folder, name : str or bytes
    """

    def __init__(self, folder: Any, name: Any) -> None:
        self.name = name
        self.path = os.path.join(folder, name)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return its status."""
        return os.stat(self.path, follow_symlinks=follow_symlinks)

    def inode(self) -> int:
        """Return its inode number."""
        return self.stat(follow_symlinks=False).st_ino

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""
        return self._kind(follow_symlinks) == stat.S_IFDIR

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file."""
        return self._kind(follow_symlinks) == stat.S_IFREG

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self._kind(False) == stat.S_IFLNK

    def is_junction(self) -> bool:
        """Whether it is a junction: never on POSIX."""
        return False

    def _kind(self, follow_symlinks: bool) -> int | None:
        try:
            return stat.S_IFMT(self.stat(follow_symlinks=follow_symlinks).st_mode)
        except FileNotFoundError:
            return None
