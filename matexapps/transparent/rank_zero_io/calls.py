"""What stands in for ``open`` and the functions of ``os`` while files are written once."""

from __future__ import annotations

import _io
import os
import posix
from collections.abc import Callable
from typing import Any

from matexapps.transparent.rank_zero_io.copying import mark_as_read
from matexapps.transparent.rank_zero_io.originals import Kept
from matexapps.transparent.rank_zero_io.overlay.listing import Entry, Scan
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.overlay.reading import Reading
from matexapps.transparent.rank_zero_io.overlay.writing import Writing
from matexapps.transparent.rank_zero_io.system_errors import as_named

Function = Callable[..., Any]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_DESCRIPTORS = ("dir_fd", "src_dir_fd", "dst_dir_fd")


def on_rank_0(kept: Kept) -> dict[str, Function]:
    """Return the functions that keep what they change, by name; ``open`` is the built-in one."""

    def opened(file: Any, mode: str = "r", *args: Any, **more: Any) -> None:
        # A function given as opener opens by os.open, or not by a name.
        if set(mode) & set("wax+") and more.get("opener") is None and len(args) < 6:
            kept.writing(file)

    def os_opened(path: Any, flags: int, *_: Any, **__: Any) -> None:
        if flags & _WRITES:
            kept.writing(path)

    def of_name(path: Any, *_: Any, **__: Any) -> None:
        kept.keep(kept.named(path))

    def of_target(_: Any, dst: Any, *__: Any, **___: Any) -> None:
        kept.keep(kept.named(dst))

    def of_both(source: Any, dst: Any, **_: Any) -> None:
        kept.keep_renamed(kept.named(source), kept.named(dst))

    def of_file(path: Any, *_: Any, **__: Any) -> None:
        kept.writing(path)

    before: dict[str, Function] = {
        "open": opened,
        "os.open": os_opened,
        **dict.fromkeys(["os.mkdir", "os.rmdir", "os.remove", "os.unlink"], of_name),
        **dict.fromkeys(["os.link", "os.symlink"], of_target),
        **dict.fromkeys(["os.rename", "os.replace"], of_both),
        **dict.fromkeys(["os.chmod", "os.chown", "os.utime", "os.truncate"], of_file),
    }
    return {name: _after(note, _original(name)) for name, note in before.items()}


def on_other_ranks(overlay: Overlay) -> dict[str, Function]:
    """Return the functions that act on this rank's own files, by name."""
    reading, writing, names = overlay.reading, overlay.writing, overlay.names

    def opened(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if more.get("opener") is not None or len(args) >= 6:
            return _io.open(file, mode, *args, **more)
        if set(mode) & set("wax+"):
            place = writing.writing(
                file, keep="w" not in mode, create="r" not in mode, exclusive="x" in mode
            )
            return _named(_io.open, place, file)(mode, *args, **more)

        def act(place: Any) -> Any:
            result = _io.open(place, mode, *args, **more)
            if place is file:
                mark_as_read(result.fileno())
            return result

        return reading.read(file, act, undo=lambda result: result.close())

    def os_opened(path: Any, flags: int, mode: int = 0o777) -> int:
        if not flags & _WRITES or flags & os.O_TMPFILE == os.O_TMPFILE:
            return reading.read(
                path, lambda place: posix.open(place, flags, mode), undo=posix.close
            )
        create = bool(flags & os.O_CREAT)
        place = writing.writing(
            path,
            keep=not flags & os.O_TRUNC,
            create=create,
            exclusive=create and bool(flags & os.O_EXCL),
        )
        return _named(posix.open, place, path)(flags, mode)

    def listed(path: Any = ".") -> list[Any]:
        path = "." if path is None else path
        if not reading.unchanged_folder(path):
            return [_like(path, name) for name in names.listed(path)]
        return _unless_changed(reading, path, posix.listdir, listed)

    def scanned(path: Any = ".") -> Any:
        path = "." if path is None else path
        if not reading.unchanged_folder(path):
            folder = os.fspath(path)
            return Scan([Entry(folder, _like(path, name)) for name in names.listed(path)])
        return _unless_changed(reading, path, _scan, scanned)

    access = _reading(reading, posix.access)

    def accessible(path: Any, *args: Any, **more: Any) -> bool:
        try:
            return bool(access(path, *args, **more))
        except OSError:
            return False

    def linked(source: Any, dst: Any, *, follow_symlinks: bool = True) -> None:
        names.link(source, dst, follow_symlinks)

    def renamed(source: Any, dst: Any) -> None:
        names.rename(source, dst)

    def made(path: Any, mode: int = 0o777) -> None:
        names.make_folder(path, mode)

    def symlinked(source: Any, dst: Any, target_is_directory: bool = False) -> None:
        names.symlink(source, dst)

    functions: dict[str, Function] = {
        "open": opened,
        "os.open": os_opened,
        "os.listdir": listed,
        "os.scandir": scanned,
        "os.link": linked,
        "os.symlink": symlinked,
        "os.mkdir": made,
        "os.rmdir": names.remove_folder,
        "os.remove": names.remove,
        "os.unlink": names.remove,
        "os.rename": renamed,
        "os.replace": renamed,
        "os.chdir": reading.enter_folder,
        "os.access": accessible,
    }
    for name in ("stat", "statvfs", "getxattr", "listxattr", "pathconf"):
        functions[f"os.{name}"] = _reading(reading, getattr(posix, name))
    for name in ("lstat", "readlink"):
        functions[f"os.{name}"] = _reading(reading, getattr(posix, name), follow=False)
    for name in ("chmod", "chown", "utime", "truncate", "setxattr", "removexattr"):
        functions[f"os.{name}"] = _changing(writing, getattr(posix, name))
    replaced = {name: _by_name(new, _original(name)) for name, new in functions.items()}
    replaced["os.getcwd"] = lambda: overlay.working_folder.path
    replaced["os.getcwdb"] = lambda: os.fsencode(overlay.working_folder.path)
    return replaced


def _original(name: str) -> Function:
    return _io.open if name == "open" else getattr(posix, name.removeprefix("os."))


def _after(note: Function, original: Function) -> Function:
    def function(path: Any, *args: Any, **more: Any) -> Any:
        if _is_name(path, more):
            note(path, *args, **more)
        return original(path, *args, **more)

    return _accepting_keywords(function)


def _by_name(new: Function, original: Function) -> Function:
    """Return ``new`` for paths, ``original`` for descriptors."""

    def function(path: Any = ".", *args: Any, **more: Any) -> Any:
        if not _is_name(path, more):
            return original(path, *args, **more)
        return new(path, *args, **{k: v for k, v in more.items() if k not in _DESCRIPTORS})

    return _accepting_keywords(function)


def _accepting_keywords(function: Function) -> Function:
    """Let the first path be given by any of the names that ``os`` has for it."""

    def call(*args: Any, **more: Any) -> Any:
        if not args:
            for name in ("path", "src", "file"):
                if name in more:
                    return function(more.pop(name), **more)
        return function(*args, **more)

    return call


def _is_name(path: Any, more: dict[str, Any]) -> bool:
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    return all(more.get(name) is None for name in _DESCRIPTORS)


def _reading(reading: Reading, original: Function, follow: bool = True) -> Function:
    def function(path: Any, *args: Any, **more: Any) -> Any:
        follows = follow and more.get("follow_symlinks", True)
        return reading.read(path, lambda place: original(place, *args, **more), follows)

    return function


def _changing(writing: Writing, original: Function) -> Function:
    def function(path: Any, *args: Any, **more: Any) -> Any:
        place = writing.changing(path, more.get("follow_symlinks", True))
        return _named(original, place, path)(*args, **more)

    return function


def _named(original: Function, place: Any, path: Any) -> Function:
    """Return ``original`` for ``place``, whose errors name ``path``."""

    def function(*args: Any, **more: Any) -> Any:
        try:
            return original(place, *args, **more)
        except OSError as failure:
            raise as_named(failure, place, path) from None

    return function


def _scan(path: Any) -> Scan[os.DirEntry[str]]:
    with posix.scandir(path) as entries:
        return Scan(list(entries))


def _unless_changed(reading: Reading, path: Any, original: Function, again: Function) -> Any:
    """Return what a folder holds that no rank had changed, looked at again if one does so now."""
    seen = reading.seen()
    try:
        result = original(path)
    except OSError:
        if reading.seen() == seen:
            raise
        return again(path)
    return result if reading.unchanged_folder(path) else again(path)


def _like(path: Any, name: str) -> Any:
    return os.fsencode(name) if isinstance(os.fspath(path), bytes) else name
