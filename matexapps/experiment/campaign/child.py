"""A rank's child process, seen from the rank."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import cloudpickle

from matexapps.errors import CampaignError
from matexapps.experiment.campaign.task import Task, TaskFunction
from matexapps.launch.child import Child

_START_S = 120.0
_LAST_BYTES, _LONGEST_LINE = 4096, 500
# Every rank has a child: with more threads they would be in each other's way.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TaskChild(Child):
    """A child that runs tasks.

    Parameters
    ----------
    function : callable
        Runs a task; a class is instantiated once in each child.
    arrays : Path
        The folder for arrays that tasks return.

    Attributes
    ----------
    answered : int
        Tasks that it has run since it started.
    """

    def __init__(self, function: TaskFunction, arrays: Path) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        super().__init__(
            "matexapps.experiment.campaign.worker", dict.fromkeys(_THREADS, "1"), self._output
        )
        self._first_request = cloudpickle.dumps((cloudpickle.dumps(function), str(arrays)))
        self._ready, self._start_by, self.answered = False, 0.0, 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        self._output.close()

    def is_ready(self, until: float) -> bool:
        """Return whether it takes tasks, which may be known only at ``until``.

        Raises
        ------
        CampaignError
            If it cannot be started.
        """
        if not self.runs:
            self._ready, self._start_by, self.answered = False, time.monotonic() + _START_S, 0
            self.send(self._first_request)
        if not self._ready and (line := self.line(until - time.monotonic())) is not None:
            failure = json.loads(line)
            if failure:
                self._cannot_start("{error}: {message} ({at})".format(**failure))
            self._ready = True
        elif not self._ready and self.crashed:
            how, words = self.end(), self.last_words()
            self._cannot_start(f"it ended with {how}{': ' if words else ''}{words}")
        elif not self._ready and time.monotonic() > self._start_by:
            self._cannot_start(f"it was not ready within {_START_S:.0f} s")
        return self._ready

    def start_task(self, task: Task) -> None:
        """Have it run a task; :meth:`answer` returns what came of it."""
        # Parent and child share the file's offset.
        os.ftruncate(self._output.fileno(), 0)
        os.lseek(self._output.fileno(), 0, os.SEEK_SET)
        self.send(cloudpickle.dumps(task))

    def answer(self, until: float) -> dict[str, Any] | None:
        """Return what the outcome says of the task; None if it has crashed or is not done yet."""
        line = self.line(until - time.monotonic())
        if line is None:
            return None
        self.answered += 1
        answer: dict[str, Any] = json.loads(line)
        return answer

    def last_words(self) -> str:
        """Return the last line that the task, or a program that it started, has written."""
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        lines = tail.decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:_LONGEST_LINE] if lines else ""

    def _cannot_start(self, reason: str) -> None:
        self.end()
        raise CampaignError(f"the process that runs the tasks cannot start: {reason}")
