"""``python -m matexapps.apps.molecules '{"data": "solubility.csv", "epochs": 20}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.settings.ExperimentSettings`, and ``json``: whether rank 0 prints
the results as one JSON object on its last line (true unless it is set to false) or as a table.
"""

from __future__ import annotations

import sys
from typing import Any

from matexapps.apps.command import run_experiment
from matexapps.apps.molecules.experiment import LONGEST_WAIT_S, run
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.tasks import TASKS, Task

_REJECTED_SHOWN = 10


def as_table(summary: dict[str, Any]) -> str:
    """Return the results for a person."""
    task = TASKS[summary["task"]]
    lines = [
        f"{summary['data']}: {summary['molecules']:,} molecules, {summary['rejected']:,} rows "
        f"rejected, {summary['merged_rows']:,} merged, {len(summary['conflicts']):,} conflicts; "
        f"{summary['ranks']} ranks, {summary['seconds']:.0f} s"
    ]
    for row in summary["rejected_rows"][:_REJECTED_SHOWN]:
        lines.append(f"  rejected: row {row['row']}: {row['smiles']!r}: {row['reason']}")
    for name, floor in summary["noise_floor"].items():
        if floor is not None:
            lines.append(task.noise_line(name, floor))
    lines.append(task.heading)
    for kind, split in summary["splits"].items():
        for name, found in split["targets"].items():
            named = f"{name} ({found['unit']})" if found["unit"] else name
            lines += task.lines(kind, named, summary["network"], found)
        leakage = split["leakage"]
        known = leakage["pretrained"]
        before = f"; pre-training has learned from {known:,} of them" if known else ""
        lines.append(
            f"{'':<10}{leakage['test']:,} test molecules: {len(leakage['identical'])} identical, "
            f"{leakage['same_skeleton']} isomers and {leakage['near']} near neighbours among those "
            f"learned from; median similarity {leakage['median_similarity']:.2f}{before}"
        )
    for name, points in summary["learning_curve"].items():
        lines += _curve_lines(name, points, task)
    return "\n".join(lines)


def _curve_lines(name: str, points: list[dict[str, Any]], task: Task[Any]) -> list[str]:
    """Return the learning curve of a target, a line for each number of training molecules."""
    models = list(points[0]["baselines"])
    head = "".join(f"{model:<15}" for model in ("network", *models))
    lines = [
        f"learning curve of {name}, test {task.score_name}",
        f"{'':<10}{'molecules':<12}{head}",
    ]
    for point in points:
        scores = [point[task.score], *(point["baselines"][model] for model in models)]
        cells = "".join(f"{'-' if one is None else f'{one:.3f}':<15}" for one in scores)
        lines.append(f"{'':<10}{point['molecules']:<12,}{cells}")
    return lines


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_experiment(
        arguments, __doc__, ExperimentSettings, run, "molecules", LONGEST_WAIT_S, as_table
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
