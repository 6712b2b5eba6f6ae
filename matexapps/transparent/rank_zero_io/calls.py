"""What stands in for ``open`` and the functions of ``os`` while only rank 0 writes real files."""

from __future__ import annotations

import _io
import os
import posix
from collections.abc import Callable
from typing import Any

from matexapps.transparent.rank_zero_io.file_system import error_about, mark_as_read
from matexapps.transparent.rank_zero_io.originals import Originals
from matexapps.transparent.rank_zero_io.overlay.listing import DirectoryEntry, DirectoryIterator
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.overlay.reading import Reader
from matexapps.transparent.rank_zero_io.overlay.writing import Writer

Function = Callable[..., Any]

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_DESCRIPTORS = ("dir_fd", "src_dir_fd", "dst_dir_fd")


def calls_on_rank_0(originals: Originals) -> dict[str, Function]:
    """Return functions that save what they change, by the name of what each stands in for."""

    def save_opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> None:
        # A function given as opener opens by os.open, or not by a name.
        if set(mode) & set("wax+") and kwargs.get("opener") is None and len(args) < 6:
            originals.path_to_write(file)

    def save_os_opened(path: Any, flags: int, *_: Any, **__: Any) -> None:
        if flags & _WRITE_FLAGS:
            originals.path_to_write(path)

    def save_name(path: Any, *_: Any, **__: Any) -> None:
        originals.save(originals.key_of_name(path))

    def save_target(_: Any, dst: Any, *__: Any, **___: Any) -> None:
        originals.save(originals.key_of_name(dst))

    def save_renamed(source: Any, dst: Any, **_: Any) -> None:
        originals.save_renamed(originals.key_of_name(source), originals.key_of_name(dst))

    def save_file(path: Any, *_: Any, **__: Any) -> None:
        originals.path_to_write(path)

    saves: dict[str, Function] = {
        "open": save_opened,
        "os.open": save_os_opened,
        **dict.fromkeys(["os.mkdir", "os.rmdir", "os.remove", "os.unlink"], save_name),
        **dict.fromkeys(["os.link", "os.symlink"], save_target),
        **dict.fromkeys(["os.rename", "os.replace"], save_renamed),
        **dict.fromkeys(["os.chmod", "os.chown", "os.utime", "os.truncate"], save_file),
    }
    return {name: _save_then_call(save, _original(name)) for name, save in saves.items()}


def calls_on_other_ranks(overlay: Overlay) -> dict[str, Function]:
    """Return functions that act on this rank's own files, by the name of what each replaces."""
    functions = {
        **_opening(overlay.reader, overlay.writer),
        **_listing(overlay),
        **_changing_folders(overlay),
    }
    for name in ("stat", "statvfs", "getxattr", "listxattr", "pathconf"):
        functions[f"os.{name}"] = _reading(overlay.reader, getattr(posix, name))
    for name in ("lstat", "readlink"):
        functions[f"os.{name}"] = _reading(overlay.reader, getattr(posix, name), follow=False)
    for name in ("chmod", "chown", "utime", "truncate", "setxattr", "removexattr"):
        functions[f"os.{name}"] = _changing(overlay.writer, getattr(posix, name))
    functions["os.access"] = _false_on_error(_reading(overlay.reader, posix.access))
    replacements = {name: _for_paths(new, _original(name)) for name, new in functions.items()}
    replacements["os.getcwd"] = lambda: overlay.working_folder.path
    replacements["os.getcwdb"] = lambda: os.fsencode(overlay.working_folder.path)
    return replacements


def _opening(reader: Reader, writer: Writer) -> dict[str, Function]:
    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("opener") is not None or len(args) >= 6:
            return _io.open(file, mode, *args, **kwargs)
        if set(mode) & set("wax+"):
            location = writer.path_to_write(
                file, keep="w" not in mode, create="r" not in mode, exclusive="x" in mode
            )
            return _with_errors_about(file, _io.open, location)(mode, *args, **kwargs)

        def act(location: Any) -> Any:
            result = _io.open(location, mode, *args, **kwargs)
            if location is file:
                mark_as_read(result.fileno())
            return result

        return reader.read(file, act, undo=lambda result: result.close())

    def os_open(path: Any, flags: int, mode: int = 0o777) -> int:
        if not flags & _WRITE_FLAGS or flags & os.O_TMPFILE == os.O_TMPFILE:
            return reader.read(
                path, lambda location: posix.open(location, flags, mode), undo=posix.close
            )
        create = bool(flags & os.O_CREAT)
        location = writer.path_to_write(
            path,
            keep=not flags & os.O_TRUNC,
            create=create,
            exclusive=create and bool(flags & os.O_EXCL),
        )
        return _with_errors_about(path, posix.open, location)(flags, mode)

    return {"open": open_file, "os.open": os_open}


def _listing(overlay: Overlay) -> dict[str, Function]:
    reader, directories = overlay.reader, overlay.directories

    def listdir(path: Any = ".") -> list[Any]:
        path = "." if path is None else path
        if not reader.is_unchanged_folder(path):
            return [_same_type(path, name) for name in directories.list_names(path)]
        return _unless_changed(reader, path, posix.listdir, listdir)

    def scandir(path: Any = ".") -> Any:
        path = "." if path is None else path
        if not reader.is_unchanged_folder(path):
            names = [_same_type(path, name) for name in directories.list_names(path)]
            folder = os.fspath(path)
            return DirectoryIterator([DirectoryEntry(folder, name) for name in names])
        return _unless_changed(reader, path, _scandir, scandir)

    return {"os.listdir": listdir, "os.scandir": scandir}


def _changing_folders(overlay: Overlay) -> dict[str, Function]:
    directories = overlay.directories

    def mkdir(path: Any, mode: int = 0o777) -> None:
        directories.make_folder(path, mode)

    def link(source: Any, dst: Any, *, follow_symlinks: bool = True) -> None:
        directories.link(source, dst, follow_symlinks)

    def symlink(source: Any, dst: Any, target_is_directory: bool = False) -> None:
        directories.symlink(source, dst)

    def rename(source: Any, dst: Any) -> None:
        directories.rename(source, dst)

    return {
        "os.mkdir": mkdir,
        "os.rmdir": directories.remove_folder,
        "os.remove": directories.remove,
        "os.unlink": directories.remove,
        "os.link": link,
        "os.symlink": symlink,
        "os.rename": rename,
        "os.replace": rename,
        "os.chdir": overlay.reader.enter_folder,
    }


def _original(name: str) -> Function:
    return _io.open if name == "open" else getattr(posix, name.removeprefix("os."))


def _save_then_call(save: Function, original: Function) -> Function:
    def function(path: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_path(path, kwargs):
            save(path, *args, **kwargs)
        return original(path, *args, **kwargs)

    return _accepting_keywords(function)


def _for_paths(new: Function, original: Function) -> Function:
    """Return ``new`` for paths, ``original`` for descriptors."""

    def function(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if not _is_path(path, kwargs):
            return original(path, *args, **kwargs)
        return new(path, *args, **{k: v for k, v in kwargs.items() if k not in _DESCRIPTORS})

    return _accepting_keywords(function)


def _accepting_keywords(function: Function) -> Function:
    """Let the first path be given by any of the names that ``os`` has for it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if not args:
            for name in ("path", "src", "file"):
                if name in kwargs:
                    return function(kwargs.pop(name), **kwargs)
        return function(*args, **kwargs)

    return call


def _is_path(path: Any, kwargs: dict[str, Any]) -> bool:
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    return all(kwargs.get(name) is None for name in _DESCRIPTORS)


def _reading(reader: Reader, original: Function, follow: bool = True) -> Function:
    def function(path: Any, *args: Any, **kwargs: Any) -> Any:
        follow_link = follow and kwargs.get("follow_symlinks", True)
        return reader.read(path, lambda location: original(location, *args, **kwargs), follow_link)

    return function


def _changing(writer: Writer, original: Function) -> Function:
    def function(path: Any, *args: Any, **kwargs: Any) -> Any:
        location = writer.path_to_change(path, kwargs.get("follow_symlinks", True))
        return _with_errors_about(path, original, location)(*args, **kwargs)

    return function


def _false_on_error(function: Function) -> Function:
    def call(*args: Any, **kwargs: Any) -> bool:
        try:
            return bool(function(*args, **kwargs))
        except OSError:
            return False

    return call


def _with_errors_about(path: Any, original: Function, location: Any) -> Function:
    """Return ``original`` for ``location``, with errors that name ``path``."""

    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(location, *args, **kwargs)
        except OSError as error:
            raise error_about(path, error, location) from None

    return function


def _scandir(path: Any) -> DirectoryIterator[os.DirEntry[str]]:
    with posix.scandir(path) as entries:
        return DirectoryIterator(list(entries))


def _unless_changed(reader: Reader, path: Any, original: Function, retry: Function) -> Any:
    """Return what an unchanged folder holds; ``retry`` if rank 0 changes it meanwhile."""
    version = reader.version()
    try:
        result = original(path)
    except OSError:
        if reader.version() == version:
            raise
        return retry(path)
    return result if reader.is_unchanged_folder(path) else retry(path)


def _same_type(path: Any, name: str) -> Any:
    """Return ``name`` as bytes where ``path`` is given as bytes."""
    return os.fsencode(name) if isinstance(os.fspath(path), bytes) else name
