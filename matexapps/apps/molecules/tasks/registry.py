"""The task of given targets."""

from __future__ import annotations

from collections.abc import Sequence

from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.networks.heads import reference
from matexapps.apps.molecules.tasks.classification import MoleculeClassification
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.regression import MoleculeRegression
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.errors import DataError

TASKS: dict[str, type[MoleculeTask]] = {
    task.kind: task for task in (MoleculeRegression, MoleculeClassification)
}
"""By kind."""


def kind_of(targets: Sequence[Target]) -> str:
    """Return the kind of targets that are learned together.

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
    return "classification" if classes else "regression"


def task_of(targets: Sequence[Target], values: Values) -> MoleculeTask:
    """Return the task of targets that are learned together.

    Parameters
    ----------
    targets : sequence of Target
    values : ndarray, shape (molecules, targets)
        Of the training molecules; NaN is missing.
    """
    kind = kind_of(targets)
    mean, scale = (numbers.astype("float32").tolist() for numbers in reference(kind, values))
    return TASKS[kind](tuple(targets), tuple(mean), tuple(scale))
