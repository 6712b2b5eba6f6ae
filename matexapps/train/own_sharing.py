"""Whether a Trainer is at work, which gives each rank its rows itself.

Inside :class:`matexapps.distributed` calls of networks are sharded; calls by a Trainer are not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_at_work: ContextVar[bool] = ContextVar("matexapps_trainer_at_work", default=False)


def trainer_at_work() -> bool:
    """Whether a Trainer has called what runs now."""
    return _at_work.get()


def shares_rows(function: Callable[P, T]) -> Callable[P, T]:
    """Mark a method that gives each rank its rows itself."""

    @wraps(function)
    def marked(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _at_work.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _at_work.reset(token)

    return marked
