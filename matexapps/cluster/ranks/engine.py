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
    """The process of one rank.

    Attributes
    ----------
    launch_rank : int
        The rank it was launched with, which names its log. Its present rank is its position among
        the engines.
    view : ipyparallel.DirectView
    process : psutil.Process
    """

    launch_rank: int
    view: Any
    process: psutil.Process

    @property
    def alive(self) -> bool:
        """Whether the process exists; its launcher collects it when it has ended."""
        try:
            os.kill(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """End the process, even if it is stopped by a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
