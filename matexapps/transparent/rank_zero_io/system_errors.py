"""Errors of the system, about the paths that the program has named."""

from __future__ import annotations

import os
from typing import Any


def error(number: int, *paths: Any) -> OSError:
    """Return the error that the system would raise about these paths."""
    named = [os.fspath(path) for path in paths]
    return OSError(number, os.strerror(number), named[0], None, *named[1:2])


def as_named(failure: OSError, place: Any, path: Any) -> OSError:
    """Return an error about ``place`` as one about ``path``."""
    if failure.filename == place:
        failure.filename = os.fspath(path)
    return failure
