"""Libraries that open files by themselves, without Python's ``open``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from matexapps.transparent.patching import after_import
from matexapps.transparent.rank_zero_io.replacements import Replacements


class Files(Protocol):
    """Where files are read and written: one class for rank 0, one for other ranks."""

    def path_to_read(self, path: Any) -> Any: ...
    def path_to_write(
        self, path: Any, *, keep: bool = True, create: bool = True, exclusive: bool = False
    ) -> Any: ...
    def folder_to_fill(self, path: Any) -> Any: ...
    def folder_filled(self, path: Any) -> None: ...


class _Call(NamedTuple):
    """A function that takes a path: which argument that is, and what happens to the file.

    ``kind`` is "read", "write" (from the start), "update" (or create), or "folder" to fill; or the
    position and default of the argument ``mode``, which then decides.
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


def redirect_libraries(files: Files, replacements: Replacements, stack: ExitStack) -> None:
    """Let the libraries' functions open the right files, as soon as they are imported.

    Parameters
    ----------
    files : Files
    replacements : Replacements
    stack : ExitStack
        On closing, later imports are left alone.
    """
    for module, calls in _CALLS.items():
        stack.enter_context(after_import(module, partial(_replace, calls, files, replacements)))
    stack.enter_context(
        after_import("numpy.lib._datasource", partial(_replace_openers, replacements))
    )


def _replace(
    calls: list[_Call], files: Files, replacements: Replacements, module: ModuleType
) -> None:
    for call in calls:
        *owners, name = call.name.split(".")
        owner: Any = module
        for part in owners:
            owner = getattr(owner, part, None)
        original = getattr(owner, name, None)
        if original is None:
            continue  # another version of the library
        if isinstance(original, type):
            replacements.value(owner, name, _redirected_class(original, call, files, replacements))
        else:
            replacements.function(owner, name, _redirected(original, call, files))


def _redirected(original: Callable[..., Any], call: _Call, files: Files) -> Callable[..., Any]:
    @wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        args, kwargs, path = _redirect(call, files, args, kwargs)
        result = original(*args, **kwargs)
        if call.kind == "folder" and _is_path(path):
            files.folder_filled(path)
        return result

    return function


def _redirected_class(original: type, call: _Call, files: Files, replacements: Replacements) -> Any:
    """Return what opens the right file, for a class whose methods cannot be replaced."""
    if original.__init__ is object.__init__:  # type: ignore[misc]
        return _ClassProxy(original, call, files, replacements)

    class Redirected(original):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if replacements.active:
                args, kwargs, _ = _redirect(call, files, args, kwargs)
            super().__init__(*args, **kwargs)

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Redirected, name, getattr(original, name))
    return Redirected


class _ClassProxy:
    """Stands in for a class that opens its file in ``__new__`` and cannot be subclassed."""

    def __init__(
        self, original: type, call: _Call, files: Files, replacements: Replacements
    ) -> None:
        self._original, self._call = original, call
        self._files, self._replacements = files, replacements

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._replacements.active:
            args, kwargs, _ = _redirect(self._call, self._files, args, kwargs)
        return self._original(*args, **kwargs)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._original)

    def __mro_entries__(self, _: object) -> tuple[type]:
        return (self._original,)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _redirect(
    call: _Call, files: Files, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Return the arguments with the location of the file in them, and the path that was given."""
    by_keyword = call.keyword in kwargs
    if not by_keyword and len(args) <= call.position:
        return args, kwargs, None
    path = kwargs[call.keyword] if by_keyword else args[call.position]
    if isinstance(path, list):
        location: Any = [_locate(call, files, each, args, kwargs) for each in path]
    else:
        location = _locate(call, files, path, args, kwargs)
    if by_keyword:
        return args, {**kwargs, call.keyword: location}, path
    return (*args[: call.position], location, *args[call.position + 1 :]), kwargs, path


def _locate(
    call: _Call, files: Files, path: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if not _is_path(path):
        return path
    kind = call.kind
    if kind == "folder":
        return files.folder_to_fill(path)
    if kind == "update":
        # With uri=True sqlite3 takes an address of a file, or of no file.
        return path if kwargs.get("uri") else files.path_to_write(path)
    if isinstance(kind, tuple):
        position, default = kind
        mode = kwargs.get("mode", args[position] if len(args) > position else default) or "a"
        return _locate_by_mode(files, path, mode)
    return files.path_to_write(path, keep=False) if kind == "write" else files.path_to_read(path)


def _locate_by_mode(files: Files, path: Any, mode: str) -> Any:
    if mode in ("r", "rb", "rs"):
        return files.path_to_read(path)
    if mode in ("x", "w-"):
        return files.path_to_write(path, exclusive=True)
    if mode.startswith("w"):
        return files.path_to_write(path, keep=False)
    return files.path_to_write(path, create=mode.startswith("a"))


def _is_path(value: Any) -> bool:
    if not isinstance(value, (str, bytes, os.PathLike)):
        return False
    text = os.fsdecode(value)
    return bool(text) and text != ":memory:" and "://" not in text


def _replace_openers(replacements: Replacements, module: ModuleType) -> None:
    openers = module._file_openers
    replacements.set(openers, "_file_openers", {**openers._file_openers, None: open})
