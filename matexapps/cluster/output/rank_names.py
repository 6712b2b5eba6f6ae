"""Ranks in words, and the grouping of ranks with equal values."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def rank_names(ranks: Collection[int]) -> str:
    """Return "rank 2", "ranks 0-3" or "ranks 0, 2"."""
    numbers = sorted(ranks)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    text = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"rank{'s' if len(numbers) > 1 else ''} {text}"


def heading(ranks: Collection[int]) -> str:
    """Return what precedes the output of ranks: their names in bold."""
    return f"{_BOLD}[{rank_names(ranks)}]{_PLAIN}"


def group_equal(values: Mapping[int, T], key: Callable[[T], Any]) -> list[tuple[list[int], T]]:
    """Return groups of ranks whose values have equal keys, ordered by their first rank."""
    groups: dict[str, tuple[list[int], T]] = {}
    for rank in sorted(values):
        text = json.dumps(key(values[rank]), sort_keys=True, default=str)
        groups.setdefault(text, ([], values[rank]))[0].append(rank)
    return list(groups.values())
