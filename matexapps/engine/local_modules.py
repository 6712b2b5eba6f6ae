"""Modules that a user writes beside a notebook: loaded again on a rank once they have changed."""

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

# A file's time is that of the kernel's last tick, so a little earlier than that of a clock.
_TICK_NS = 20_000_000
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


class LocalModules:
    """What this process has imported from a user's own folders, and from what source.

    A process keeps one for its whole life. A module counts as changed when its source is another
    than when it was imported, or last loaded again. That moment is not known of a module met for
    the first time, which counts as changed if its file is newer than the last :meth:`refresh`; so
    :meth:`note` should follow whatever may import modules.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._due: set[str] = set()
        self._looked_at = time.time_ns()

    def refresh(self, folders: Sequence[str]) -> list[str]:
        """Load again, in place, the modules that have changed and those that import them.

        Parameters
        ----------
        folders : sequence of str
            Where the user's own modules lie: the notebook's working folder and its ``sys.path``.
            What is installed there, the standard library and matexapps are left out.

        Returns
        -------
        list of str
            The modules loaded again, each after those that it imports.

        Raises
        ------
        Exception
            What a module raised while it was loaded, with a note that names its file. The module
            stays as it was, and the next call tries again.
        """
        since, self._looked_at = self._looked_at - _TICK_NS, time.time_ns()
        modules = _modules_under(folders)
        self._due.update(n for n, module in modules.items() if self._changed(n, module, since))
        if self._due.isdisjoint(modules):
            return []
        order = _in_order(self._due, modules)
        self._due.update(order)
        # A module may now import a file that is so new that the import system has not seen it.
        importlib.invalidate_caches()
        for name in order:
            _load_again(modules[name])
            self._due.discard(name)
        return order

    def note(self, folders: Sequence[str]) -> None:
        """Take note of the modules that were imported since the last :meth:`refresh`."""
        modules = _modules_under(folders).items()
        new = ((name, module) for name, module in modules if name not in self._sources)
        since = self._looked_at
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
    """A module's source: file, time and size; and its digest."""

    stamp: tuple[str, int, int]
    digest: bytes


def _modules_under(folders: Sequence[str]) -> dict[str, ModuleType]:
    """Return the imported modules whose source lies under a folder and is a user's own."""
    wanted = _prefixes(folders)
    others = _prefixes(_not_the_users())
    found = {}
    for name, module in sys.modules.copy().items():
        # Not isinstance: libraries that cffi has opened pass for modules, but have no names.
        if not issubclass(type(module), ModuleType):
            continue
        file, spec = _namespace(module).get("__file__"), _namespace(module).get("__spec__")
        # The spec of __main__ has another name, or there is none: it cannot be loaded again.
        if not isinstance(file, str) or getattr(spec, "name", None) != name:
            continue
        own = file.endswith(".py") and file.startswith(wanted) and not file.startswith(others)
        if own and not any(part in file for part in _INSTALLED):
            found[name] = module
    return found


def _namespace(module: ModuleType) -> dict[str, Any]:
    # Not module.__file__: that would make a lazy module load all that it has put off.
    namespace: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return namespace


def _file(module: ModuleType) -> str:
    file: str = _namespace(module)["__file__"]
    return file


def _not_the_users() -> list[str]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    if sys.prefix != sys.base_prefix:
        folders.append(sys.prefix)
    return [*folders, os.path.dirname(os.path.dirname(__file__))]


def _prefixes(folders: Sequence[str]) -> tuple[str, ...]:
    whole = (os.path.abspath(folder) for folder in folders)
    return tuple(folder.rstrip(os.sep) + os.sep for folder in whole)


def _in_order(changed: set[str], modules: Mapping[str, ModuleType]) -> list[str]:
    """Return the changed modules and all that import them, each after those that it imports."""
    imports = {}
    for name, module in modules.items():
        with suppress(OSError):
            imports[name] = _imports(module) & modules.keys() - {name}
    concerned = changed & imports.keys()
    while more := {n for n in imports.keys() - concerned if imports[n] & concerned}:
        concerned |= more
    order: list[str] = []
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in concerned and name not in visited:
            visited.add(name)
            for other in sorted(imports[name]):
                visit(other)
            order.append(name)

    for name in imports:
        visit(name)
    return order


def _imports(module: ModuleType) -> set[str]:
    """Return what a module's source imports, as full names; some may be of no module.

    The source is asked rather than the module's namespace, which does not tell where its plain
    values come from.
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


def _load_again(module: ModuleType) -> None:
    file, namespace = _file(module), _namespace(module)
    before = namespace.copy()
    # Compiled code is told from stale by whole seconds and size, which an edit may leave alike.
    with suppress(OSError, NotImplementedError):
        os.unlink(importlib.util.cache_from_source(file))
    try:
        importlib.reload(module)
    except BaseException as error:
        namespace.clear()
        namespace.update(before)
        error.add_note(
            f"{file} has changed and could not be loaded again; mend it and run this again"
        )
        raise


def _digest(file: str) -> bytes:
    with open(file, "rb") as source:
        return hashlib.file_digest(source, "blake2b").digest()
