"""Putting functions in the place of others, wherever these are known, and back."""

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
from unittest import mock

Function = Callable[..., Any]

_LEFT_ALONE = ("posix", "_io", "tokenize", "linecache", "importlib", "_frozen_importlib")
_SETS = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")


class Replacing:
    """Functions and classes that stand in for others until it is closed.

    A program may keep one of them for longer; it then acts as what it stood in for.

    Attributes
    ----------
    active : bool
        Whether it is open.
    """

    def __init__(self) -> None:
        self.active = True
        self._stack = ExitStack()
        self._pairs: list[tuple[Any, Any]] = []
        self._new: dict[int, Any] = {}

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Let ``owner.name`` be ``new``."""
        self._stack.enter_context(mock.patch.object(owner, name, new))

    def function(self, owner: Any, name: str, new: Function) -> None:
        """Let ``new`` stand in for the function ``owner.name``."""
        original = getattr(owner, name)
        self.value(owner, name, self._new.get(id(original)) or self._while_active(new, original))

    def value(self, owner: Any, name: str, new: Any) -> None:
        """Let ``new``, which looks at ``active`` itself, stand in for ``owner.name``."""
        original = getattr(owner, name)
        self._pairs.append((original, new))
        self._new[id(original)] = new
        self.set(owner, name, new)

    def files(self, functions: dict[str, Function]) -> None:
        """Let functions stand in for those of ``os`` that they are named after, and ``open``."""
        for name, new in functions.items():
            if name == "open":
                self.function(builtins, "open", new)
                self.function(io, "open", new)
            elif hasattr(os, name.removeprefix("os.")):
                self._function_of_os(name.removeprefix("os."), new)
        # By file descriptors it would remove what is really there.
        self.set(shutil, "_use_fd_functions", False)
        self._defaults_of(tempfile._TemporaryFileCloser)  # type: ignore[attr-defined]

    def everywhere(self) -> None:
        """Replace the names that modules have imported from others, too."""
        for module, name, value in _names_of_modules():
            if id(value) in self._new:
                self.set(module, name, self._new[id(value)])

    def close(self) -> None:
        """Put back what was there, also in modules that were imported meanwhile."""
        self.active = False
        self._stack.close()
        original = {id(new): original for original, new in self._pairs}
        for module, name, value in _names_of_modules():
            if id(value) in original:
                setattr(module, name, original[id(value)])

    def _while_active(self, new: Function, original: Function) -> Function:
        @functools.wraps(original)
        def function(*args: Any, **more: Any) -> Any:
            return new(*args, **more) if self.active else original(*args, **more)

        return function

    def _function_of_os(self, name: str, new: Function) -> None:
        original = getattr(os, name)
        self.function(os, name, new)
        for supporting in (getattr(os, each) for each in _SETS):
            if original in supporting:
                supporting.add(getattr(os, name))
                self._stack.callback(supporting.discard, getattr(os, name))

    def _defaults_of(self, owner: type) -> None:
        for method in vars(owner).values():
            if isinstance(method, FunctionType) and method.__defaults__:
                new = tuple(self._new.get(id(value), value) for value in method.__defaults__)
                self.set(method, "__defaults__", new)


def _names_of_modules() -> Iterator[tuple[ModuleType, str, Any]]:
    for module_name, module in list(sys.modules.items()):
        left_alone = module_name.partition(".")[0] in _LEFT_ALONE
        if not left_alone and not module_name.startswith(__package__) and module is not None:
            for name, value in list(vars(module).items()):
                yield module, name, value


@contextmanager
def replacing() -> Iterator[Replacing]:
    """Open a :class:`Replacing`, and close it on leaving."""
    it = Replacing()
    try:
        yield it
    finally:
        it.close()
