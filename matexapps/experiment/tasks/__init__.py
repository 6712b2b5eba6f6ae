"""What is asked of a network: a class or a number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matexapps.errors import DataError
from matexapps.experiment.tasks.classification import BinaryClassification, Classification
from matexapps.experiment.tasks.regression import Regression
from matexapps.experiment.tasks.task import NETWORK, Predicted, SingleTask, Task

__all__ = [
    "NETWORK",
    "TASKS",
    "BinaryClassification",
    "Classification",
    "Predicted",
    "Regression",
    "SingleTask",
    "Task",
    "task_from",
]

TASKS: tuple[type[Task], ...] = (BinaryClassification, Classification, Regression)


def task_from(plain: dict[str, Any], tasks: Iterable[type[Task]] = TASKS) -> Task:
    """Make one of several kinds of tasks of what :meth:`Task.plain` returned.

    Raises
    ------
    DataError
        If there is no such task.
    """
    given, kinds = dict(plain), {kind.__name__: kind for kind in tasks}
    name = given.pop("task", None)
    if name not in kinds:
        raise DataError(f"unknown task {name!r}; there are {', '.join(kinds)}")
    return kinds[name].from_plain(given)
