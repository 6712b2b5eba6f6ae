"""Running a program's first steps on one rank and on several, and comparing them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matexapps.errors import TrainingError
from matexapps.launch.mpiexec import run_on_ranks
from matexapps.transparent.checking.compare import Difference, first_difference, largest_difference
from matexapps.transparent.checking.record import Event, load


@dataclass(frozen=True)
class Comparison:
    """What a program computed on one rank and on several.

    Attributes
    ----------
    steps, calls, weights : int
        How many steps of optimizers, calls of networks and weights were compared.
    largest : float
        The largest difference of a weight after the last step.
    difference : Difference or None
        The first one that is more than rounding.
    """

    steps: int
    calls: int
    weights: int
    largest: float
    difference: Difference | None

    def __str__(self) -> str:
        compared = f"{self.steps} steps, {self.calls} calls of networks, {self.weights} weights"
        if self.difference is None:
            return (
                f"the same on one rank and on several: {compared}; "
                f"largest difference of a weight {self.largest:.1g}"
            )
        return f"{self.difference}\n(compared: {compared})"


def compare_ranks(script: Path, arguments: Sequence[str], n: int, steps: int) -> Comparison:
    """Run a program's first steps on one rank and on ``n``, and compare them.

    Both runs start from the same seeds. What they print and write is discarded.

    Parameters
    ----------
    script : Path
    arguments : sequence of str
        The program's command line.
    n : int
        The number of ranks.
    steps : int
        The number of steps of optimizers.

    Raises
    ------
    TrainingError
        If one of the runs fails, or makes no step.
    """
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        expected, events = (
            _record(script, arguments, ranks, steps, Path(folder) / f"{ranks}-ranks")
            for ranks in (1, n)
        )
    steps_made = max((event.step for event in expected if event.kind == "weight"), default=0)
    if not steps_made:
        raise TrainingError(
            f"{script} ended without a step of an optimizer, so there is nothing to compare"
        )
    expected_weights = {event.name: event for event in expected if event.kind == "weight"}
    weights = {event.name: event for event in events if event.kind == "weight"}
    differences = [
        largest_difference(weights[name], event)
        for name, event in expected_weights.items()
        if name in weights and event.values.shape == weights[name].values.shape
    ]
    calls = len({event.name for event in expected if event.kind == "input"})
    return Comparison(
        steps_made,
        calls,
        len(expected_weights),
        max(differences, default=0.0),
        first_difference(expected, events),
    )


def _record(
    script: Path, arguments: Sequence[str], n: int, steps: int, record: Path
) -> list[Event]:
    words = ["--record", str(record), "--steps", str(steps), str(script), *arguments]
    environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")}
    status = run_on_ranks("matexapps", words, n, environment)
    if status or not record.exists():
        raise TrainingError(
            f"{script} failed on {n} rank{'s' if n > 1 else ''} with the error above, so there is "
            "nothing to compare"
        )
    return load(record)
