"""Modules that a user writes beside a notebook, reloaded on a rank when they have changed."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

# A file's time is that of the kernel's last tick, which is a little earlier than the clock's.
_TICK_NS = 20_000_000
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


class LocalModules:
    """The modules that this process has imported from a user's own folders, with their sources.

    A process has one of these. A module counts as changed when its source differs from the one
    that was imported, or last reloaded. The time of a first import is not known: such a module
    counts as changed if its file is newer than the last :meth:`refresh`. So call :meth:`note` after
    whatever may import modules.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._due: set[str] = set()
        self._checked_at = time.time_ns()

    def refresh(self, folders: Sequence[str]) -> list[str]:
        """Reload, in place, the modules that have changed and those that import them.

        Parameters
        ----------
        folders : sequence of str
            The folders of the user's own modules: the notebook's working folder and its
            ``sys.path``. Installed packages, the standard library and matexapps are left out.

        Returns
        -------
        list of str
            The reloaded modules, each after those that it imports.

        Raises
        ------
        Exception
            What a module raised while it was reloaded, with a note that names its file. The module
            stays as it was, and the next call tries again.
        """
        since, self._checked_at = self._checked_at - _TICK_NS, time.time_ns()
        modules = _modules_under(folders)
        self._due.update(n for n, module in modules.items() if self._changed(n, module, since))
        if self._due.isdisjoint(modules):
            return []
        order = _in_order(self._due, modules)
        self._due.update(order)
        # A module may now import a file that is too new for the import system's caches.
        importlib.invalidate_caches()
        for name in order:
            _reload(modules[name])
            self._due.discard(name)
        return order

    def note(self, folders: Sequence[str]) -> None:
        """Note the modules that were imported since the last :meth:`refresh`."""
        modules = _modules_under(folders).items()
        new = ((name, module) for name, module in modules if name not in self._sources)
        since = self._checked_at
        self._due.update(name for name, module in new if self._changed(name, module, since))

    def _changed(self, name: str, module: ModuleType, since: int) -> bool:
        file, known = _file(module), self._sources.get(name)
        try:
            status = os.stat(file)
            stamp = (file, status.st_mtime_ns, status.st_size)
            if known is not None and known.stamp == stamp:
                return False
            digest = _digest(file)
        except OSError:
            return False
        self._sources[name] = _Source(stamp, digest)
        return status.st_mtime_ns > since if known is None else digest != known.digest


@dataclass(frozen=True)
class _Source:
    """The source of a module: its file with time and size, and a digest."""

    stamp: tuple[str, int, int]
    digest: bytes


def _modules_under(folders: Sequence[str]) -> dict[str, ModuleType]:
    """Return the user's own imported modules whose source lies in one of the folders."""
    included = _prefixes(folders)
    excluded = _prefixes(_foreign_folders())
    modules = {}
    for name, module in sys.modules.copy().items():
        # Not isinstance: libraries opened by cffi claim to be modules, but have no names.
        if not issubclass(type(module), ModuleType):
            continue
        file, spec = _namespace(module).get("__file__"), _namespace(module).get("__spec__")
        # The spec of __main__ has another name or is missing: it cannot be reloaded.
        if not isinstance(file, str) or getattr(spec, "name", None) != name:
            continue
        own = file.endswith(".py") and file.startswith(included) and not file.startswith(excluded)
        if own and not any(part in file for part in _INSTALLED):
            modules[name] = module
    return modules


def _namespace(module: ModuleType) -> dict[str, Any]:
    # Not module.__file__: that would make a lazy module load everything it has deferred.
    namespace: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return namespace


def _file(module: ModuleType) -> str:
    file: str = _namespace(module)["__file__"]
    return file


def _foreign_folders() -> list[str]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    if sys.prefix != sys.base_prefix:
        folders.append(sys.prefix)
    return [*folders, os.path.dirname(os.path.dirname(__file__))]


def _prefixes(folders: Sequence[str]) -> tuple[str, ...]:
    return tuple(os.path.abspath(folder).rstrip(os.sep) + os.sep for folder in folders)


def _in_order(changed: set[str], modules: Mapping[str, ModuleType]) -> list[str]:
    """Return the changed modules and all modules that import them, each after its own imports."""
    imports = {}
    for name, module in modules.items():
        with suppress(OSError):
            imports[name] = _imports(module) & modules.keys() - {name}
    affected = changed & imports.keys()
    while more := {n for n in imports.keys() - affected if imports[n] & affected}:
        affected |= more
    order: list[str] = []
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in affected and name not in visited:
            visited.add(name)
            for other in sorted(imports[name]):
                visit(other)
            order.append(name)

    for name in imports:
        visit(name)
    return order


def _imports(module: ModuleType) -> set[str]:
    """Return the full names that a module's source imports; some may not be modules.

    The source is read because the module's namespace does not show where plain values come from.
    """
    with open(_file(module), "rb") as file:
        text = file.read()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                names.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            with suppress(ImportError):
                base = importlib.util.resolve_name(relative, module.__package__)
                names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return names


def _reload(module: ModuleType) -> None:
    file, namespace = _file(module), _namespace(module)
    previous = namespace.copy()
    # Python recognizes stale bytecode by whole seconds and size, which an edit may not change.
    with suppress(OSError, NotImplementedError):
        os.unlink(importlib.util.cache_from_source(file))
    try:
        importlib.reload(module)
    except BaseException as error:
        namespace.clear()
        namespace.update(previous)
        error.add_note(
            f"{file} has changed and could not be reloaded; correct it and run this again"
        )
        raise


def _digest(file: str) -> bytes:
    with open(file, "rb") as source:
        return hashlib.file_digest(source, "blake2b").digest()
