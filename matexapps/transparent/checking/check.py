"""Whether a program gives on several ranks what it gives on one, tried for a few steps."""

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
    """What a program did on one rank and on several.

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
        seen = f"{self.steps} steps, {self.calls} calls of networks, {self.weights} weights"
        if self.difference is None:
            return f"the same on one rank and on several: {seen}; weights to {self.largest:.1g}"
        return f"{self.difference}\n({seen} were compared)"


def compare_ranks(script: Path, arguments: Sequence[str], n: int, steps: int) -> Comparison:
    """Run a program's first steps on one rank and on ``n``, and compare them.

    Both runs begin with the same seeds. What they print and write is thrown away.

    Raises
    ------
    TrainingError
        If one of the runs fails, or makes no step.
    """
    with tempfile.TemporaryDirectory(prefix="matexapps-") as folder:
        one, several = (
            _record(script, arguments, ranks, steps, Path(folder) / f"{ranks}-ranks")
            for ranks in (1, n)
        )
    made = max((event.step for event in one if event.kind == "weight"), default=0)
    if not made:
        raise TrainingError(
            f"{script} ended without a step of an optimizer, so there is nothing to compare"
        )
    last = {e.name: e for e in one if e.kind == "weight"}
    others = {e.name: e for e in several if e.kind == "weight"}
    largest = [
        largest_difference(event, others[name])
        for name, event in last.items()
        if name in others and event.values.shape == others[name].values.shape
    ]
    calls = len({event.name for event in one if event.kind == "input"})
    return Comparison(
        made, calls, len(last), max(largest, default=0.0), first_difference(one, several)
    )


def _record(script: Path, arguments: Sequence[str], n: int, steps: int, to: Path) -> list[Event]:
    words = ["--record", str(to), "--steps", str(steps), str(script), *arguments]
    environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0")}
    status = run_on_ranks("matexapps", words, n, environment)
    if status or not to.exists():
        raise TrainingError(
            f"{script} failed on {n} rank{'s' if n > 1 else ''}, with the error above, so there is "
            "nothing to compare"
        )
    return load(to)
