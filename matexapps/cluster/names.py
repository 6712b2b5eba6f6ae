"""The names that live on ranks, as a table."""

from __future__ import annotations

import pandas as pd

from matexapps.cluster.output.rank_names import rank_names


def table_of_names(by_rank: dict[int, dict[str, tuple[str, str]]]) -> pd.DataFrame:
    """Return a row for each name and value: ``ranks``, ``type``, ``value``, by name.

    Parameters
    ----------
    by_rank : dict
        For each rank, each name's type and value in short.
    """
    found: dict[tuple[str, str, str], list[int]] = {}
    for rank, names in by_rank.items():
        for name, (kind, value) in names.items():
            found.setdefault((name, kind, value), []).append(rank)
    rows = [
        {"name": name, "ranks": rank_names(ranks), "type": kind, "value": value}
        for (name, kind, value), ranks in sorted(
            found.items(), key=lambda item: (item[0][0], item[1])
        )
    ]
    return pd.DataFrame(rows, columns=["name", "ranks", "type", "value"]).set_index("name")
