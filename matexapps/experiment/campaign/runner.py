"""Runs one task after another in a child, with a limit of time, and tries again what failed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matexapps.experiment.campaign.child import TaskChild
from matexapps.experiment.campaign.outcome import Outcome
from matexapps.experiment.campaign.task import Task, task_seed


@dataclass
class _Attempt:
    """An attempt at a task.

    Attributes
    ----------
    task : Task
    used_s : float
        What earlier attempts took.
    began : float or None
        None before the child has the task.
    """

    task: Task
    used_s: float = 0.0
    began: float | None = None

    @property
    def total_s(self) -> float:
        """What all attempts took up to now."""
        return self.used_s + (0.0 if self.began is None else time.monotonic() - self.began)


class Runner:
    """Runs the tasks of one rank.

    Parameters
    ----------
    child : TaskChild
    seed : int
        The campaign's.
    tries : int
        The most attempts at a task.
    time_limit_s : float
        For all attempts at a task together.
    """

    def __init__(self, child: TaskChild, seed: int, tries: int, time_limit_s: float) -> None:
        self._child, self._seed = child, seed
        self._tries, self._time_limit_s = tries, time_limit_s
        self._attempt: _Attempt | None = None

    @property
    def running(self) -> str | None:
        """The key of the task under way."""
        return None if self._attempt is None else self._attempt.task.key

    def run(self, tasks: Sequence[tuple[str, Any]], until: float) -> Iterator[Outcome]:
        """Yield outcomes until the time is over: first that of the task under way.

        Parameters
        ----------
        tasks : sequence of (str, object)
            Keys and specs. Those that are not begun when the time is over are forgotten.
        until : float
            By ``time.monotonic()``.
        """
        upcoming = deque(tasks)
        while (left := until - time.monotonic()) > 0:
            if self._attempt is None:
                if not upcoming:
                    time.sleep(left)
                    return
                key, spec = upcoming.popleft()
                self._attempt = _Attempt(Task(key, spec, task_seed(self._seed, key), 0))
            outcome = self._advance(self._attempt, until)
            if outcome is not None:
                self._attempt = None
                yield outcome

    def _advance(self, attempt: _Attempt, until: float) -> Outcome | None:
        """Return the outcome of the task under way, None if it is not known yet."""
        if not self._child.is_ready(until):
            return None
        if attempt.began is None:
            self._child.start_task(attempt.task)
            attempt.began = time.monotonic()
        deadline = attempt.began + self._time_limit_s - attempt.used_s
        answer = self._child.answer(min(until, deadline))
        if answer is not None:
            return self._after(attempt, answer)
        if self._child.crashed:
            return self._after_crash(attempt)
        if time.monotonic() >= deadline:
            self._child.end()
            return self._outcome(attempt, {"status": "timed out"})
        return None

    def _after_crash(self, attempt: _Attempt) -> Outcome | None:
        is_fresh = self._child.answered == 0
        crash = {"error": self._child.end(), "message": self._child.last_words()}
        if is_fresh:
            return self._after(attempt, {"status": "crashed", **crash})
        # An earlier task may have upset the child: only a fresh one's end is this task's doing.
        attempt.began = None
        return None

    def _after(self, attempt: _Attempt, answer: dict[str, Any]) -> Outcome | None:
        """Return the outcome, None if the task is tried again."""
        task, used_s = attempt.task, attempt.total_s
        is_last = task.attempt + 1 >= self._tries or used_s >= self._time_limit_s
        if answer["status"] == "done" or is_last:
            return self._outcome(attempt, answer)
        again = Task(task.key, task.spec, task.seed, task.attempt + 1)
        self._attempt = _Attempt(again, used_s)
        return None

    def _outcome(self, attempt: _Attempt, answer: dict[str, Any]) -> Outcome:
        return Outcome(
            key=attempt.task.key,
            tries=attempt.task.attempt + 1,
            allowed_tries=self._tries,
            time_limit_s=self._time_limit_s,
            seconds=round(attempt.total_s, 4),
            **answer,
        )
