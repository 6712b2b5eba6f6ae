"""The process of one rank."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True)
class Engine:
    """One rank's process.

    Attributes
    ----------
    born : int
        The number it started with, which its log bears; its rank is its place in the list.
    view : ipyparallel.DirectView
    process : psutil.Process
    """

    born: int
    view: Any
    process: psutil.Process

    @property
    def alive(self) -> bool:
        """Whether the process is there; its launcher takes it away when it has ended."""
        try:
            os.kill(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def end(self) -> None:
        """End the process, also where it is stopped."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
