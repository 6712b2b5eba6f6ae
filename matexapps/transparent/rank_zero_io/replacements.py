"""Functions that stand in for others, under every name by which modules know them."""

from __future__ import annotations

import builtins
import functools
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType, ModuleType
from typing import Any

from matexapps.transparent.patching import patched

Function = Callable[..., Any]

_SKIPPED_MODULES = ("posix", "_io", "tokenize", "linecache", "importlib", "_frozen_importlib")
_SUPPORT_SETS = (
    "supports_dir_fd",
    "supports_effective_ids",
    "supports_fd",
    "supports_follow_symlinks",
)


class Replacements:
    """Functions and classes that stand in for others until :meth:`close`.

    A program may keep a replacement for longer; after that it acts as the original.

    Attributes
    ----------
    active : bool
        Whether :meth:`close` has not been called yet.
    """

    def __init__(self) -> None:
        self.active = True
        self._stack = ExitStack()
        self._pairs: list[tuple[Any, Any]] = []
        self._new: dict[int, Any] = {}

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Let ``owner.name`` be ``new``."""
        self._stack.enter_context(patched(owner, name, new))

    def function(self, owner: Any, name: str, new: Function) -> None:
        """Let ``new`` stand in for the function ``owner.name``."""
        original = getattr(owner, name)
        self.value(owner, name, self._new.get(id(original)) or self._while_active(new, original))

    def value(self, owner: Any, name: str, new: Any) -> None:
        """Let ``new``, which checks ``active`` itself, stand in for ``owner.name``."""
        original = getattr(owner, name)
        self._pairs.append((original, new))
        self._new[id(original)] = new
        self.set(owner, name, new)

    def files(self, functions: dict[str, Function]) -> None:
        """Replace ``open`` and functions of ``os``.

        Parameters
        ----------
        functions : dict
            By the name of what each replaces, such as ``"open"`` or ``"os.stat"``.
        """
        for name, new in functions.items():
            if name == "open":
                self.function(builtins, "open", new)
                self.function(io, "open", new)
            elif hasattr(os, name.removeprefix("os.")):
                self._function_of_os(name.removeprefix("os."), new)
        # With file descriptors, rmtree would remove the real files.
        self.set(shutil, "_use_fd_functions", False)
        self._defaults_of(tempfile._TemporaryFileCloser)  # type: ignore[attr-defined]

    def everywhere(self) -> None:
        """Replace also the names under which modules have imported the originals."""
        for module, name, value in _names_in_modules():
            if id(value) in self._new:
                self.set(module, name, self._new[id(value)])

    def close(self) -> None:
        """Restore the originals, also in modules that were imported meanwhile."""
        self.active = False
        self._stack.close()
        originals = {id(new): original for original, new in self._pairs}
        for module, name, value in _names_in_modules():
            if id(value) in originals:
                setattr(module, name, originals[id(value)])

    def _while_active(self, new: Function, original: Function) -> Function:
        @functools.wraps(original)
        def function(*args: Any, **kwargs: Any) -> Any:
            return new(*args, **kwargs) if self.active else original(*args, **kwargs)

        return function

    def _function_of_os(self, name: str, new: Function) -> None:
        original = getattr(os, name)
        self.function(os, name, new)
        for functions in (getattr(os, support) for support in _SUPPORT_SETS):
            if original in functions:
                functions.add(getattr(os, name))
                self._stack.callback(functions.discard, getattr(os, name))

    def _defaults_of(self, owner: type) -> None:
        for method in vars(owner).values():
            if isinstance(method, FunctionType) and method.__defaults__:
                new = tuple(self._new.get(id(value), value) for value in method.__defaults__)
                self.set(method, "__defaults__", new)


def _names_in_modules() -> Iterator[tuple[ModuleType, str, Any]]:
    for module_name, module in list(sys.modules.items()):
        skipped = module_name.partition(".")[0] in _SKIPPED_MODULES
        if not skipped and not module_name.startswith(__package__) and module is not None:
            for name, value in list(vars(module).items()):
                yield module, name, value


@contextmanager
def opened_replacements() -> Iterator[Replacements]:
    """Open a :class:`Replacements`, and close it on leaving."""
    replacements = Replacements()
    try:
        yield replacements
    finally:
        replacements.close()
