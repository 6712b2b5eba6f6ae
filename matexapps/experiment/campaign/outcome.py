"""What became of a task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matexapps.errors import CampaignError
from matexapps.files import atomic_file

Status = Literal["done", "failed", "crashed", "timed out"]


@dataclass(frozen=True)
class Outcome:
    """What became of a task. Two are equal if all but their seconds are.

    Attributes
    ----------
    key : str
        The task's.
    status : {"done", "failed", "crashed", "timed out"}
        Failed: the function raised an exception. Crashed: its process ended.
    value : object
        The JSON value that the function returned, without the arrays; None if it is not done.
    arrays : str
        The file of the arrays that it returned, see :func:`load_arrays`; empty without any.
    error : str
        The type of the exception, or how the process ended: a signal, or "exit status 3".
    message : str
        The exception's message, or the last line that a crashed process wrote.
    at : str
        The line of code that raised the exception.
    tries : int
        Attempts that were made.
    allowed_tries : int
        Attempts that might have been made.
    time_limit_s : float
        For all attempts together.
    seconds : float
        That the attempts took.
    """

    key: str
    status: Status
    value: Any = None
    arrays: str = ""
    error: str = ""
    message: str = ""
    at: str = ""
    tries: int = 1
    allowed_tries: int = 1
    time_limit_s: float = 0.0
    seconds: float = field(default=0.0, compare=False)

    @property
    def reason(self) -> str:
        """Why the task is not done, in one line; empty if it is."""
        if self.status == "done":
            return ""
        if self.status == "timed out":
            return f"not done within {self.time_limit_s:.3g} s"
        error = f"crashed ({self.error})" if self.status == "crashed" else self.error
        return ": ".join(text for text in (error, " ".join(self.message.split())) if text)

    def is_final(self, tries: int, time_limit_s: float) -> bool:
        """Whether so many tries in so much time add nothing to those that were made."""
        if self.status == "done":
            return True
        return self.allowed_tries >= tries and self.time_limit_s >= time_limit_s


def save_arrays(folder: Path, key: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Write the arrays of a task into a file of their own, and return its name.

    Raises
    ------
    TypeError
        If an array holds Python objects, which would have to be pickled.
    CampaignError
        If the file cannot be written.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"the array {name!r} holds Python objects; return numbers or text")
    path = folder / f"{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}.npz"
    with atomic_file(path, CampaignError) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return path.name


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that :func:`save_arrays` has written."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
