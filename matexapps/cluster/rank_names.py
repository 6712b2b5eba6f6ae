"""Ranks in a person's words."""

from __future__ import annotations

from collections.abc import Collection


def rank_names(ranks: Collection[int]) -> str:
    """Return "rank 2", "ranks 0-3" or "ranks 0, 2"."""
    numbers = sorted(ranks)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    listed = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"rank{'s' if len(numbers) > 1 else ''} {listed}"
