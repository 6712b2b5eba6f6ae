"""What a program registers with ``atexit``, done while its prints and files still are rank 0's."""

from __future__ import annotations

import atexit
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

from matexapps.transparent.telling import called_by_the_program


@contextmanager
def done_at_the_end() -> Iterator[None]:
    """Call on leaving, the last first, what the program inside has registered by itself.

    What libraries register is left to the end of the process.
    """
    registered: list[partial[Any]] = []
    register, unregister = atexit.register, atexit.unregister

    def note(function: Callable[..., Any], /, *args: Any, **more: Any) -> Callable[..., Any]:
        if not called_by_the_program():
            return register(function, *args, **more)
        registered.append(partial(function, *args, **more))
        return function

    def forget(function: Callable[..., Any]) -> None:
        registered[:] = [call for call in registered if call.func != function]
        unregister(function)

    with mock.patch.multiple(atexit, register=note, unregister=forget):
        try:
            yield
        finally:
            while registered:
                try:
                    registered.pop()()
                except (Exception, SystemExit):
                    # As Python does: told, and the others are called all the same.
                    traceback.print_exc()
