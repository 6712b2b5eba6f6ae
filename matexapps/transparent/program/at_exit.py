"""What a program registers with ``atexit``, run while printing and writing are still rank 0's."""

from __future__ import annotations

import atexit
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from matexapps.transparent.patching import patched
from matexapps.transparent.user_code import called_by_user_code


@contextmanager
def user_exit_functions() -> Iterator[None]:
    """Call on leaving, last first, the functions that the program has registered inside.

    What libraries register is left to the end of the process.
    """
    functions: list[partial[Any]] = []
    original_register, original_unregister = atexit.register, atexit.unregister

    def register(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if not called_by_user_code():
            return original_register(function, *args, **kwargs)
        functions.append(partial(function, *args, **kwargs))
        return function

    def unregister(function: Callable[..., Any]) -> None:
        functions[:] = [call for call in functions if call.func != function]
        original_unregister(function)

    with patched(atexit, "register", register), patched(atexit, "unregister", unregister):
        try:
            yield
        finally:
            while functions:
                try:
                    functions.pop()()
                except (Exception, SystemExit):
                    # As Python does: print it and go on with the others.
                    traceback.print_exc()
