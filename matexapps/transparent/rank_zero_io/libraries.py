"""Libraries that open files by themselves, without Python's ``open``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from matexapps.transparent.after_import import after_import
from matexapps.transparent.rank_zero_io.replacing import Replacing


class Files(Protocol):
    """Where files are read and written; the same on rank 0 and on others."""

    def reading_tree(self, path: Any) -> Any: ...
    def writing(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any: ...
    def writing_folder(self, path: Any) -> Any: ...
    def written_folder(self, path: Any) -> None: ...


class _Call(NamedTuple):
    """A function that takes a path: which argument it is, and what happens to the file.

    ``kind`` is "read", "write" (anew), "update" (or new), or "folder" to fill; or a number and a
    default: where the argument ``mode`` is, and what it is if not given.
    """

    name: str
    position: int
    keyword: str
    kind: str | tuple[int, str]


_PARQUET = [
    _Call("ParquetFile.__init__", 1, "source", "read"),
    _Call("ParquetDataset.__init__", 1, "path_or_paths", "read"),
    _Call("ParquetWriter.__init__", 1, "where", "write"),
]
_SAFETENSORS = [
    _Call("serialize_file", 1, "filename", "write"),
    _Call("safe_open", 0, "filename", "read"),
]
_CALLS = {
    "torch": [_Call("save", 1, "f", "write"), _Call("load", 0, "f", "read")],
    "torch.jit": [_Call("load", 0, "f", "read")],
    "torch.jit._script": [
        _Call("RecursiveScriptModule.save", 1, "f", "write"),
        _Call("ScriptModule.save", 1, "f", "write"),
    ],
    "torch.export": [_Call("save", 1, "f", "write"), _Call("load", 0, "f", "read")],
    "sqlite3": [_Call("connect", 0, "database", "update")],
    "sqlite3.dbapi2": [_Call("connect", 0, "database", "update")],
    "h5py": [_Call("File.__init__", 1, "name", (2, "r"))],
    "tables.file": [_Call("File.__init__", 1, "filename", (2, "r"))],
    "netCDF4": [_Call("Dataset", 0, "filename", (1, "r"))],
    "pyarrow": [
        _Call("OSFile", 0, "path", (1, "r")),
        _Call("memory_map", 0, "path", (1, "r")),
        _Call("input_stream", 0, "source", "read"),
        _Call("output_stream", 0, "source", "write"),
    ],
    "pyarrow.parquet.core": _PARQUET,
    "pyarrow.feather": [
        _Call("write_feather", 1, "dest", "write"),
        _Call("read_feather", 0, "source", "read"),
        _Call("read_table", 0, "source", "read"),
    ],
    "pyarrow.csv": [
        _Call("write_csv", 1, "output_file", "write"),
        _Call("CSVWriter", 0, "sink", "write"),
        _Call("read_csv", 0, "input_file", "read"),
        _Call("open_csv", 0, "input_file", "read"),
    ],
    "pyarrow.dataset": [
        _Call("dataset", 0, "source", "read"),
        _Call("write_dataset", 1, "base_dir", "folder"),
    ],
    "safetensors": [_Call("safe_open", 0, "filename", "read")],
    "safetensors.torch": _SAFETENSORS,
    "safetensors.numpy": _SAFETENSORS,
}


def watch_libraries(files: Files, replacing: Replacing, stack: ExitStack) -> None:
    """Let the libraries' functions open the right file, as soon as they are imported."""
    for module, calls in _CALLS.items():
        stack.enter_context(after_import(module, partial(_replace, calls, files, replacing)))
    stack.enter_context(after_import("numpy.lib._datasource", partial(_replace_openers, replacing)))


def _replace(calls: list[_Call], files: Files, replacing: Replacing, module: ModuleType) -> None:
    for call in calls:
        *owners, name = call.name.split(".")
        owner: Any = module
        for part in owners:
            owner = getattr(owner, part, None)
        original = getattr(owner, name, None)
        if original is None:
            continue  # another version of the library
        if isinstance(original, type):
            replacing.value(owner, name, _class_with_path(original, call, files, replacing))
        else:
            replacing.function(owner, name, _with_path(original, call, files))


def _with_path(original: Callable[..., Any], call: _Call, files: Files) -> Callable[..., Any]:
    @wraps(original)
    def function(*args: Any, **more: Any) -> Any:
        args, more, given = _placed(call, files, args, more)
        result = original(*args, **more)
        if call.kind == "folder" and _is_path(given):
            files.written_folder(given)
        return result

    return function


def _class_with_path(original: type, call: _Call, files: Files, replacing: Replacing) -> Any:
    """Return what opens the right file, for a class whose methods cannot be replaced."""
    if original.__init__ is object.__init__:  # type: ignore[misc]
        return _ClassWithPath(original, call, files, replacing)

    class Opened(original):
        def __init__(self, *args: Any, **more: Any) -> None:
            if replacing.active:
                args, more, _ = _placed(call, files, args, more)
            super().__init__(*args, **more)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Opened, name, getattr(original, name))
    return Opened


class _ClassWithPath:
    """Stands in for a class that opens its file in ``__new__`` and may have no subclasses."""

    def __init__(self, original: type, call: _Call, files: Files, replacing: Replacing) -> None:
        self._original, self._call = original, call
        self._files, self._replacing = files, replacing

    def __call__(self, *args: Any, **more: Any) -> Any:
        if self._replacing.active:
            args, more, _ = _placed(self._call, self._files, args, more)
        return self._original(*args, **more)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._original)

    def __mro_entries__(self, _: object) -> tuple[type]:
        return (self._original,)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _placed(
    call: _Call, files: Files, args: tuple[Any, ...], more: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Return the arguments with the place of the file in them, and what was given."""
    by_name = call.keyword in more
    if not by_name and len(args) <= call.position:
        return args, more, None
    given = more[call.keyword] if by_name else args[call.position]
    if isinstance(given, list):
        place: Any = [_place(call, files, each, args, more) for each in given]
    else:
        place = _place(call, files, given, args, more)
    if by_name:
        return args, {**more, call.keyword: place}, given
    return (*args[: call.position], place, *args[call.position + 1 :]), more, given


def _place(
    call: _Call, files: Files, path: Any, args: tuple[Any, ...], more: dict[str, Any]
) -> Any:
    if not _is_path(path):
        return path
    kind = call.kind
    if kind == "folder":
        return files.writing_folder(path)
    if kind == "update":
        # sqlite3's names of databases that are no files, or are addresses of files
        return path if more.get("uri") else files.writing(path)
    if isinstance(kind, tuple):
        position, default = kind
        mode = more.get("mode", args[position] if len(args) > position else default) or "a"
        return _place_by_mode(files, path, mode)
    return files.writing(path, keep=False) if kind == "write" else files.reading_tree(path)


def _place_by_mode(files: Files, path: Any, mode: str) -> Any:
    if mode in ("r", "rb", "rs"):
        return files.reading_tree(path)
    if mode in ("x", "w-"):
        return files.writing(path, exclusive=True)
    if mode.startswith("w"):
        return files.writing(path, keep=False)
    return files.writing(path, create=mode.startswith("a"))


def _is_path(value: Any) -> bool:
    if not isinstance(value, (str, bytes, os.PathLike)):
        return False
    text = os.fsdecode(value)
    return bool(text) and text != ":memory:" and "://" not in text


def _replace_openers(replacing: Replacing, module: ModuleType) -> None:
    openers = module._file_openers
    replacing.set(openers, "_file_openers", {**openers._file_openers, None: open})
