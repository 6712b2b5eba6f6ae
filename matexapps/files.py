"""Files and folders that appear complete or not at all.

New content is written beside its destination under a hidden name that ends in ``.partial``,
flushed to disk, and renamed. A reader sees the old content or the new, never a mixture, and so
does the next process after a crash.
"""

from __future__ import annotations

import csv
import ctypes
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from matexapps.errors import DataError, MatexError

ABANDONED_S = 2 * 24 * 3600.0
"""Age at which what a killed process left behind is removed, in seconds."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def atomic_file(path: str | Path, error: type[MatexError] = DataError) -> Iterator[Path]:
    """Write a file that appears under its name when it is complete.

    The body writes to the path that it is given. If it raises, nothing is left of that, and a file
    that was there before stays as it was. A link stays a link, and its target is replaced; a file
    that is replaced passes its permissions on.

    Parameters
    ----------
    path : str or Path
        The folder it is in exists.
    error : type
        What an ``OSError`` becomes, inside the body too.

    Yields
    ------
    Path
        An empty file in the same folder.

    Raises
    ------
    MatexError
        Of type ``error``: the file cannot be written.

    Examples
    --------
    >>> with atomic_file("figures.json") as partial:
    ...     partial.write_text('{"auc": 0.91}')
    """
    with _errors_of_writing(path, error):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError("this is a folder")
        partial = _beside(target)
        try:
            _create(partial, target)
            yield partial
            publish(partial, target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, error: type[MatexError] = DataError) -> Iterator[Path]:
    """Write a folder that appears under its name when it is complete.

    As :func:`atomic_file`, for a folder and all that is in it. A folder that was there before is
    replaced, not added to. Folders above it are made.

    Parameters
    ----------
    path : str or Path
    error : type
        What an ``OSError`` becomes, inside the body too.

    Yields
    ------
    Path
        An empty folder beside the destination.

    Raises
    ------
    MatexError
        Of type ``error``: the folder cannot be written.
    """
    with _errors_of_writing(path, error):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_dir():
            raise NotADirectoryError("this is a file")
        partial = _beside(target)
        try:
            partial.mkdir(parents=True)
            if target.exists():
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            yield partial
            publish(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_csv(
    path: str | Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    error: type[MatexError] = DataError,
) -> None:
    """Write a CSV table, with its columns' names in the first line, as :func:`atomic_file` does."""
    with (
        atomic_file(path, error) as partial,
        open(partial, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


class GrowingFile:
    """A file that grows in steps and appears under its name when it is complete.

    A write states its position, so that repeating it does no harm. The hidden name depends on the
    path alone, so that the rank that takes over from a failed one continues the same file.

    Parameters
    ----------
    path : Path
    error : type
        What an ``OSError`` becomes.
    """

    def __init__(self, path: Path, error: type[MatexError] = DataError) -> None:
        self.path, self._error = path, error
        self._target = Path(os.path.realpath(path))
        self._partial = self._target.with_name(f".{self._target.name}.partial")

    def write(self, position: int, content: bytes) -> None:
        """Cut the file off after ``position`` bytes, and append ``content``.

        Raises
        ------
        MatexError
            If it cannot be written.
        """
        with _errors_of_writing(self.path, self._error):
            if not position:
                self._partial.unlink(missing_ok=True)
                _create(self._partial, self._target)
            with open(self._partial, "r+b") as file:
                file.truncate(position)
                file.seek(position)
                file.write(content)

    def finish(self) -> None:
        """Give the file its name, if anything was written.

        Raises
        ------
        MatexError
            If it cannot be done.
        """
        with _errors_of_writing(self.path, self._error):
            if self._partial.exists():
                publish(self._partial, self._target)

    def discard(self) -> None:
        """Remove what was written, unless the file is complete."""
        with suppress(OSError):
            self._partial.unlink()


def partial_path(path: Path) -> Path:
    """Return a new hidden name in the folder of ``path``, for content that is not complete."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def publish(partial: Path, path: Path) -> None:
    """Flush a complete file or folder to disk and give it its name.

    What had that name before is replaced: in one step, except for a folder on a file system that
    cannot exchange two names (NFS), where it is away for the time of one rename.

    Parameters
    ----------
    partial : Path
        In the same folder as ``path``.
    path : Path

    Raises
    ------
    OSError
        If it cannot be done; then what was there stays.
    """
    is_folder = partial.is_dir()
    if is_folder:
        for folder, _, names in os.walk(partial):
            for name in names:
                _flush(os.path.join(folder, name))
            _flush(folder)
    else:
        _flush(partial)
    if is_folder and path.is_dir():
        _exchange(partial, path)
        _flush(path.parent)
        shutil.rmtree(partial, ignore_errors=True)
    else:
        os.replace(partial, path)
        _flush(path.parent)


@contextmanager
def _errors_of_writing(path: str | Path, error: type[MatexError]) -> Iterator[None]:
    try:
        yield
    except OSError as caught:
        about_partial = str(caught.filename or "").endswith(".partial")
        reason = caught.strerror if about_partial else caught
        raise error(f"cannot write {path}: {reason}; free space or choose another path") from caught


def _beside(target: Path) -> Path:
    for old in target.parent.glob(f".{escape(target.name)}.*.partial"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    return partial_path(target)


def _create(partial: Path, target: Path) -> None:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        if target.exists():
            os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
    finally:
        os.close(descriptor)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders swap their names."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old))
    if rename is not None and rename(*names, _RENAME_EXCHANGE) == 0:
        return
    former = partial_path(old)
    os.rename(old, former)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(former, old)
        raise
    os.rename(former, new)


def _flush(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
