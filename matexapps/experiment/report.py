"""The figures of an experiment as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


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
        table = list(_rows(summary["network"] or "network", split))
        widths = [max(len(row[column]) for row in table) for column in range(2)]
        lines += [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in table]
    seconds, ranks = summary["seconds"], summary["ranks"]
    lines.append(f"{summary['seeds']} seeds, {ranks} ranks, {seconds:.1f} s")
    if summary["out"]:
        lines.append(f"kept in {summary['out']}")
    return "\n".join(lines)


def _rows(network: str, split: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    leading = next(name[: -len("_interval")] for name in split if name.endswith("_interval"))
    words = leading.replace("_", " ")
    yield network, words, _shown(split, leading)
    for name, value in split.items():
        if isinstance(value, float) and name not in (leading, "rows_per_s"):
            yield "", name.replace("_", " "), f"{value:.4g}"
    for name, other in split["baselines"].items():
        yield name.replace("_", " "), words, _shown(other, leading)
        yield "", "the network's gain", _shown(other, "network_gain", "+")


def _shown(figures: dict[str, Any], name: str, sign: str = "") -> str:
    low, high = figures[f"{name}_interval"]
    return f"{figures[name]:{sign}.4g} ({low:{sign}.4g} to {high:{sign}.4g})"


def _leakage(leakage: dict[str, Any]) -> str:
    text = f"{leakage['identical']:,} test rows are identical to rows learned from"
    if leakage.get("same_group") is not None:
        text += f", {leakage['same_group']:,} have a group that is learned from"
    return text
