"""The results of an experiment as text, with a column for each split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matexapps.apps.molecules.report.files import CONFLICTS, REJECTED
from matexapps.apps.molecules.splits.leakage import NEAR
from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.experiment.statistics.figures_of_merit import FIGURES

_LISTED = 10
_GAP = 2

Row = tuple[str, str, str, list[str]]
"""Target, model, what the figure is, and a cell for each split."""


def as_table(summary: dict[str, Any]) -> str:
    """Return the summary of a study as text."""
    task, splits = TASKS[summary["task"]], _compared(summary["splits"])
    lines = [*_input_lines(summary), ""]
    rows: list[Row] = [("target", "model", "test molecules", [f"{kind} split" for kind in splits])]
    rows += _target_rows(splits, summary["network"], task)
    rows += _audit_rows(splits)
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


def _compared(splits: dict[str, Any]) -> dict[str, Any]:
    """Return the splits without those of a learning curve."""
    return {name: split for name, split in splits.items() if split["part_of"] is None}


def _input_lines(summary: dict[str, Any]) -> list[str]:
    """Return what became of the rows of the file."""
    lines = [
        f"{summary['data']}: {summary['molecules']:,} molecules; rows rejected: "
        f"{summary['rejected']:,}, merged: {summary['merged_rows']:,}; conflicts: "
        f"{len(summary['conflicts']):,}; ranks: {summary['ranks']}; {summary['seconds']:.0f} s",
        "standard forms: the largest organic fragment (rows with other parts, left out: "
        f"{summary['stripped_rows']:,}), uncharged where protons can do it, the tautomer as drawn",
    ]
    rejected = [
        f"row {row['row']}: {row['smiles']!r}: {row['reason']}" for row in summary["rejected_rows"]
    ]
    return [
        *lines,
        *_listed("rejected", rejected, summary["out"], REJECTED),
        *_listed("conflict", summary["conflicts"], summary["out"], CONFLICTS),
    ]


def _listed(kind: str, entries: list[str], out: str | None, file: str) -> list[str]:
    source = f"{out}/{file}" if out else "--json or --out lists them"
    more = [f"  and {len(entries) - _LISTED:,} more: {source}"] if len(entries) > _LISTED else []
    return [*(f"  {kind}: {entry}" for entry in entries[:_LISTED]), *more]


def _rest(count: int) -> str:
    return f" and {count - _LISTED:,} more" if count > _LISTED else ""


def _target_rows(splits: dict[str, Any], network: str, task: type[MoleculeTask]) -> Iterable[Row]:
    """Yield the figures of each target."""
    for name in dict.fromkeys(name for split in splits.values() for name in split["targets"]):
        figures = [split["targets"].get(name) for split in splits.values()]
        texts = [None if item is None else task.rows(network, item) for item in figures]
        known = next(rows for rows in texts if rows is not None)
        unit = next(item["unit"] for item in figures if item is not None)
        title = f"{name} ({unit})" if unit else name
        for i, (model, figure, _) in enumerate(known):
            cells = ["-" if rows is None else rows[i][2] for rows in texts]
            yield title if i == 0 else "", model, figure, cells
        counts = [f"{split['calibration_values'][name]:,}" for split in splits.values()]
        yield "", "", "calibration values", counts


def _audit_rows(splits: dict[str, Any]) -> Iterable[Row]:
    """Yield the relatives of test molecules among those learned from."""
    audits = [split["leakage"] for split in splits.values()]
    lines: list[tuple[str, list[str]]] = [
        ("molecules", [f"{split['rows']['test']:,}" for split in splits.values()]),
        ("identical to learned", [f"{len(audit['identical']):,}" for audit in audits]),
        ("isomers of learned", [f"{audit['same_skeleton']:,}" for audit in audits]),
        (f"neighbors, {NEAR} alike", [f"{audit['near']:,}" for audit in audits]),
        ("median similarity", [f"{audit['median_similarity']:.2f}" for audit in audits]),
    ]
    if any(audit["pretrained"] for audit in audits):
        lines.append(("in pre-training", [f"{audit['pretrained']:,}" for audit in audits]))
    left_out = [split["rows"]["left_out"] for split in splits.values()]
    if any(left_out):
        lines.append(("in no part", [f"{count:,}" for count in left_out]))
    for i, (figure, cells) in enumerate(lines):
        yield "leakage audit" if i == 0 else "", "", figure, cells


def _aligned(rows: list[Row]) -> list[str]:
    table = [(target, model, figure, *cells) for target, model, figure, cells in rows]
    widths = [max(map(len, column)) + _GAP for column in zip(*table, strict=True)]
    return [
        "".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _curve_lines(name: str, points: list[dict[str, Any]], task: type[MoleculeTask]) -> list[str]:
    """Return the learning curve of a target, with a line for each number of molecules."""
    merit = task.single.merits[0]
    models = list(points[0]["baselines"])
    head = "".join(f"{model:<15}" for model in ("network", *models))
    lines = [
        f"learning curve of {name}, test {FIGURES[merit].title}",
        f"{'':<10}{'molecules':<12}{head}",
    ]
    for point in points:
        scores = [point[merit], *(point["baselines"][model][merit] for model in models)]
        cells = "".join(f"{'-' if score is None else f'{score:.3f}':<15}" for score in scores)
        lines.append(f"{'':<10}{point['molecules']:<12,}{cells}")
    return lines
