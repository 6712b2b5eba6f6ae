"""Doing something to a module as soon as it is imported, without importing it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType


@contextmanager
def after_import(name: str, function: Callable[[ModuleType], object]) -> Iterator[None]:
    """Call ``function`` with the module: now if it is loaded, else right after its import.

    Parameters
    ----------
    name : str
        The module's full name, as ``"pyarrow.parquet"``.
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
    """Finds one module as others would, and calls a function after it has run."""

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
            spec = _found_by_others(self, name, path, target)
        finally:
            self._searching = False
        if spec is not None:
            self._call_after(spec)
        return spec

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


def _found_by_others(
    finder: object, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for other in list(sys.meta_path):
        if other is not finder:
            spec = other.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None
