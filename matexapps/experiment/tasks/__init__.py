"""What is asked of a network: a class or a number."""

from __future__ import annotations

from typing import Any

from matexapps.errors import DataError
from matexapps.experiment.tasks.classification import BinaryClassification, Classification
from matexapps.experiment.tasks.regression import Regression
from matexapps.experiment.tasks.task import SingleTask, Task

__all__ = [
    "TASKS",
    "BinaryClassification",
    "Classification",
    "Regression",
    "SingleTask",
    "Task",
    "task_from",
]

TASKS: dict[str, type[Task]] = {
    kind.__name__: kind for kind in (BinaryClassification, Classification, Regression)
}


def task_from(plain: dict[str, Any]) -> Task:
    """Make a task of what :meth:`Task.plain` returned.

    Raises
    ------
    DataError
        If there is no such task.
    """
    given = dict(plain)
    name = given.pop("task", None)
    if name not in TASKS:
        raise DataError(f"unknown task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name](**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
