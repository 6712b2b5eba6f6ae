"""The figures of an experiment as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from matexapps.experiment.statistics.figures_of_merit import FIGURES

BETTER = "better_baselines"
"""Where a summary, and a model's facts, say which baselines the kept model is behind."""

_SMALL = 0.1
"""Smaller numbers have three digits, as energies in hartree need; others three decimals."""

_LISTED = 5
_TITLES = {"r2": "R squared", **{name: merit.title for name, merit in FIGURES.items()}}

Row = tuple[str, str, str]
"""Model, empty where it is that of the row above; what the figure is; and the figure."""


def with_better_baselines(text: str, better: Sequence[dict[str, Any]]) -> str:
    """Return a text, and below it what :func:`better_baseline_lines` says."""
    return "\n".join([text, *better_baseline_lines(better)])


def better_baseline_lines(better: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each baseline that is better than the kept model on validation rows.

    Parameters
    ----------
    better : sequence of dict
        As :meth:`~matexapps.experiment.tasks.Task.better_baselines` gives them.
    """
    lines = [
        f"On the validation rows {entry['baseline'].replace('_', ' ')} is better than the model"
        f"{' for ' if entry['target'] else ''}{entry['target']}: {entry['figure']} "
        f"{number(entry['value'])} against {number(entry['network'])}"
        for entry in better
    ]
    more = len(lines) - _LISTED
    return lines if more <= 0 else [*lines[:_LISTED], f"and {more} more baselines are better there"]


def as_table(summary: dict[str, Any]) -> str:
    """Return the results for a person: every model on the same test rows, split by split.

    Parameters
    ----------
    summary : dict
        As :meth:`~matexapps.experiment.results.Study.summary` gives it.
    """
    lines: list[str] = []
    for name, split in summary["splits"].items():
        rows = split["rows"]
        lines.append(
            f"{name} split: {rows['train']:,} rows train, {rows['validation']:,} choose, "
            f"{rows['test']:,} judge; {_leakage(split['leakage'])}"
        )
        table = list(model_rows(summary["network"] or "network", split))
        widths = [max(len(row[column]) for row in table) for column in range(2)]
        lines += [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in table]
    seconds, ranks = summary["seconds"], summary["ranks"]
    lines.append(f"seeds: {summary['seeds']}, ranks: {ranks}, {seconds:.1f} s")
    if summary["out"]:
        lines.append(f"kept in {summary['out']}")
    return "\n".join(lines)


def model_rows(network: str, figures: dict[str, Any]) -> Iterator[Row]:
    """Yield the figures of one value: those of the network, then those of each baseline.

    Parameters
    ----------
    network : str
        Its name.
    figures : dict
        As a :class:`~matexapps.experiment.tasks.SingleTask` reports them, finite or None.
    """
    yield from _merits(network, figures)
    for name, value in figures.items():
        if isinstance(value, float) and f"{name}_interval" not in figures and name != "rows_per_s":
            words = _TITLES.get(name, name.replace("_", " "))
            yield "", words, f"{value:.4g}"
    for name, other in figures["baselines"].items():
        yield from _merits(name.replace("_", " "), other)
        yield "", "the network's gain", _with_interval(other, "network_gain", "+")


def _merits(model: str, figures: dict[str, Any]) -> Iterator[Row]:
    for name in filter(figures.__contains__, FIGURES):
        if f"{name}_interval" in figures:
            yield model, _TITLES[name], _with_interval(figures, name)
            model = ""


def _with_interval(figures: dict[str, Any], name: str, sign: str = "") -> str:
    value, (low, high) = figures[name], figures[f"{name}_interval"]
    if value is None or low is None or high is None:
        return "-"
    form = f"{sign}.3f" if max(abs(value), abs(low), abs(high)) >= _SMALL else f"{sign}.3g"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def number(value: float) -> str:
    """Return a figure for a reader."""
    return f"{value:.3f}" if abs(value) >= _SMALL else f"{value:.3g}"


def _leakage(leakage: dict[str, Any]) -> str:
    text = f"{leakage['identical']:,} test rows are identical to rows learned from"
    if leakage.get("same_group") is not None:
        text += f", {leakage['same_group']:,} have a group that is learned from"
    return text
