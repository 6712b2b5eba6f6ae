"""Replacing attributes for a while, also in modules that are not imported yet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let ``owner.name`` be ``value`` inside.

    Parameters
    ----------
    owner : module, class or object
    name : str
        An attribute that exists.
    value : object
    """
    inherited = isinstance(owner, type) and name not in vars(owner)
    # getattr would unwrap static and class methods.
    own = vars(owner)[name] if isinstance(owner, type) and not inherited else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


@contextmanager
def after_import(name: str, function: Callable[[ModuleType], object]) -> Iterator[None]:
    """Call ``function`` with a module: now if it is loaded, else right after its import.

    Parameters
    ----------
    name : str
        The module's full name, such as ``"pyarrow.parquet"``.
    function : callable
        Called again if the module is loaded again inside.
    """
    module = sys.modules.get(name)
    if module is not None:
        function(module)
    finder = _Finder(name, function)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    """Finds one module with the other finders, and calls a function after the module has run."""

    def __init__(self, name: str, function: Callable[[ModuleType], object]) -> None:
        self._name, self._function = name, function
        self._searching = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name or self._searching:
            return None
        self._searching = True
        try:
            spec = self._find_with_others(name, path, target)
        finally:
            self._searching = False
        if spec is not None:
            self._call_after(spec)
        return spec

    def _find_with_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
        return None

    def _call_after(self, spec: ModuleSpec) -> None:
        # Set on the loader itself, not wrapped around it: resources are read through its type.
        # Loaders of built-in modules are classes, which all such modules share.
        loader = spec.loader
        if loader is None or isinstance(loader, type):
            return
        run = loader.exec_module

        def run_and_call(module: ModuleType) -> None:
            run(module)
            self._function(module)

        loader.exec_module = run_and_call  # type: ignore[method-assign]
