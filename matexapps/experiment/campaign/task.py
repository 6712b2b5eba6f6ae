"""A task of a campaign, and the function that runs it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """What the function of a campaign is given.

    Attributes
    ----------
    key : str
        The name of the task, unique within its campaign.
    spec : object
        What to do, as given to :meth:`~matexapps.experiment.campaign.campaign.Campaign.run`.
    seed : int
        From 0 to 2**63 - 1; it depends on the campaign's seed and the key, and on nothing else.
    attempt : int
        0 in the first attempt, 1 in the second, and so on.
    """

    key: str
    spec: Any
    seed: int
    attempt: int


RunTask = Callable[[Task], Any]
"""Takes a task and returns a JSON value, or a dictionary of JSON values and NumPy arrays."""

TaskFunction = RunTask | Callable[[], RunTask]
"""Runs tasks; or a class, whose objects run them."""


def task_seed(seed: int, key: str) -> int:
    """Return the seed of the task called ``key`` in a campaign with this seed."""
    digest = hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def source_digest(function: object) -> str:
    """Return a fingerprint of a function's or a class's source, blind to comments and layout.

    It does not cover what the function calls. Where there is no source to read, it is the name.
    """
    try:
        source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return getattr(function, "__qualname__", type(function).__qualname__)
    return hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
