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
from types import FunctionType
from typing import Any
from unittest import mock

Function = Callable[..., Any]

_LEFT_ALONE = ("posix", "_io", "tokenize", "linecache", "importlib", "_frozen_importlib")
_SETS = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")


class Replacing:
    """Functions that stand in for others until it is closed.

    A program may keep one of them for longer; it then acts as the function it stood in for.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._active = True
        self._new: dict[int, Function] = {}

    def set(self, owner: Any, name: str, new: Any) -> None:
        """Let ``owner.name`` be ``new``."""
        self._stack.enter_context(mock.patch.object(owner, name, new))

    def function(self, owner: Any, name: str, new: Function) -> None:
        """Let ``new`` stand in for the function ``owner.name``."""
        original = getattr(owner, name)
        if id(original) not in self._new:
            self._new[id(original)] = self._while_active(new, original)
        self.set(owner, name, self._new[id(original)])

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
        for module_name, module in list(sys.modules.items()):
            root = module_name.partition(".")[0]
            if root in _LEFT_ALONE or module_name.startswith(__package__) or module is None:
                continue
            for name, value in list(vars(module).items()):
                new = self._new.get(id(value))
                if new is not None and new is not value:
                    self.set(module, name, new)

    def close(self) -> None:
        """Put back what was there."""
        self._active = False
        self._stack.close()

    def _while_active(self, new: Function, original: Function) -> Function:
        @functools.wraps(original)
        def function(*args: Any, **more: Any) -> Any:
            return new(*args, **more) if self._active else original(*args, **more)

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


@contextmanager
def replacing() -> Iterator[Replacing]:
    """Open a :class:`Replacing`, and close it on leaving."""
    it = Replacing()
    try:
        yield it
    finally:
        it.close()
