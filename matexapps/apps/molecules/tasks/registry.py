"""The tasks by name, and the task of given targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.tasks.classification import Classification
from matexapps.apps.molecules.tasks.regression import Regression
from matexapps.apps.molecules.tasks.task import Task
from matexapps.errors import DataError

TASKS: dict[str, Task[Any]] = {task.name: task for task in (Regression(), Classification())}
"""By name."""


def task_of(targets: Sequence[Target]) -> Task[Any]:
    """Return the task of targets that are learned together.

    Raises
    ------
    DataError
        If some are numbers and others classes.
    """
    classes = [target.name for target in targets if target.classes is not None]
    numbers = [target.name for target in targets if target.classes is None]
    if classes and numbers:
        raise DataError(
            f"{classes[0]!r} holds two classes and {numbers[0]!r} numbers, which are learned "
            "apart: name targets of one kind with target_columns"
        )
    return TASKS["classification" if classes else "regression"]
