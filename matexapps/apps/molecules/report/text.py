"""The results of an experiment as text: the scores of every split side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matexapps.apps.molecules.report.files import CONFLICTS, REJECTED
from matexapps.apps.molecules.splits.leakage import NEAR
from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.apps.molecules.tasks.task import Task

_LISTED = 10
_GAP = 2

Row = tuple[str, str, str, list[str]]
"""Target, model, what is told, and a cell for each split."""


def as_table(summary: dict[str, Any]) -> str:
    """Return :meth:`~matexapps.apps.molecules.study.Study.summary` for a person."""
    task, splits = TASKS[summary["task"]], summary["splits"]
    lines = [*_of_input(summary), ""]
    rows: list[Row] = [("target", "model", "test molecules", [f"{kind} split" for kind in splits])]
    rows += _of_targets(summary, task)
    rows += _of_audit(splits)
    lines += _aligned(rows)
    for kind, split in splits.items():
        moved = split["leakage"]["moved"]
        if moved:
            lines.append(
                f"{kind}: {len(moved)} molecules stood in several parts and were taken out of the "
                f"later ones: {', '.join(moved[:_LISTED])}{_rest(len(moved))}"
            )
    for name, points in summary["learning_curve"].items():
        lines += ["", *_curve_lines(name, points, task)]
    for name, floor in summary["noise_floor"].items():
        if floor is not None:
            lines += ["", task.noise_line(name, floor)]
    if summary["out"] is not None:
        lines += ["", f"the model, all these figures and lists are in {summary['out']}"]
    return "\n".join(lines)


def _of_input(summary: dict[str, Any]) -> list[str]:
    """Return what became of the rows."""
    lines = [
        f"{summary['data']}: {summary['molecules']:,} molecules; rows rejected: "
        f"{summary['rejected']:,}, merged: {summary['merged_rows']:,}; conflicts: "
        f"{len(summary['conflicts']):,}; ranks: {summary['ranks']}; {summary['seconds']:.0f} s",
        "standard forms: the largest organic fragment (rows with other parts, left out: "
        f"{summary['stripped_rows']:,}), uncharged where protons can do it, the tautomer as drawn",
    ]
    rejected = [
        f"row {one['row']}: {one['smiles']!r}: {one['reason']}" for one in summary["rejected_rows"]
    ]
    return [
        *lines,
        *_listed("rejected", rejected, summary["out"], REJECTED),
        *_listed("conflict", summary["conflicts"], summary["out"], CONFLICTS),
    ]


def _listed(what: str, entries: list[str], out: str | None, kept: str) -> list[str]:
    where = f"{out}/{kept}" if out else "--json or --out lists them"
    more = [f"  and {len(entries) - _LISTED:,} more: {where}"] if len(entries) > _LISTED else []
    return [*(f"  {what}: {one}" for one in entries[:_LISTED]), *more]


def _rest(count: int) -> str:
    return f" and {count - _LISTED:,} more" if count > _LISTED else ""


def _of_targets(summary: dict[str, Any], task: Task[Any]) -> Iterable[Row]:
    """Yield the scores of each target, split beside split."""
    splits = summary["splits"].values()
    for name in dict.fromkeys(name for split in splits for name in split["targets"]):
        found = [split["targets"].get(name) for split in splits]
        told = [None if one is None else task.rows(summary["network"], one) for one in found]
        known = next(one for one in told if one is not None)
        unit = next(one["unit"] for one in found if one is not None)
        title = f"{name} ({unit})" if unit else name
        for place, (model, what, _) in enumerate(known):
            cells = ["-" if one is None else one[place][2] for one in told]
            yield title if place == 0 else "", model, what, cells
        counts = ["-" if one is None else f"{one['calibration_values']:,}" for one in found]
        yield "", "", "values that set them", counts


def _of_audit(splits: dict[str, Any]) -> Iterable[Row]:
    """Yield what test molecules have in common with those learned from, split beside split."""
    audits = [split["leakage"] for split in splits.values()]
    lines: list[tuple[str, list[str]]] = [
        ("molecules", [f"{split['rows']['test']:,}" for split in splits.values()]),
        ("identical to learned", [f"{len(one['identical']):,}" for one in audits]),
        ("isomers of learned", [f"{one['same_skeleton']:,}" for one in audits]),
        (f"neighbors, {NEAR} alike", [f"{one['near']:,}" for one in audits]),
        ("median similarity", [f"{one['median_similarity']:.2f}" for one in audits]),
    ]
    if any(one["pretrained"] for one in audits):
        lines.append(("in pre-training", [f"{one['pretrained']:,}" for one in audits]))
    left_out = [split["rows"]["left_out"] for split in splits.values()]
    if any(left_out):
        lines.append(("in no part", [f"{one:,}" for one in left_out]))
    for place, (what, cells) in enumerate(lines):
        yield "leakage audit" if place == 0 else "", "", what, cells


def _aligned(rows: list[Row]) -> list[str]:
    table = [(target, model, what, *cells) for target, model, what, cells in rows]
    widths = [max(map(len, column)) + _GAP for column in zip(*table, strict=True)]
    return [
        "".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


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
