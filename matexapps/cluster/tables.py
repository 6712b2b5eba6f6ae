"""Tables about ranks: what each is and does, and the names that live on them."""

from __future__ import annotations

import pandas as pd

from matexapps.cluster.call.call import Call
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.engine import calls


def status_table(engines: Engines) -> pd.DataFrame:
    """Return a row for each rank: host, pid, device, threads, memory in GiB, what it runs.

    Busy ranks are not disturbed: their device and threads are only known if they were asked before.
    """
    activity = engines.activity
    if not engines.device_info and not activity:
        call = Call(engines, range(engines.n), "status", calls.describe_ranks, (), {})
        engines.device_info = call.results()[0]
    device_info = engines.device_info or [{}] * engines.n
    rows = [
        {
            "rank": rank,
            "host": info.get("host"),
            "pid": pid,
            "device": info.get("device"),
            "threads": info.get("threads"),
            "memory_gb": None if size is None else round(size / 2**30, 2),
            "runs": activity or "nothing",
        }
        for rank, (pid, size, info) in enumerate(
            zip(engines.pids(), engines.memory(), device_info, strict=True)
        )
    ]
    return pd.DataFrame(rows).set_index("rank")


def name_table(by_rank: dict[int, dict[str, tuple[str, str]]]) -> pd.DataFrame:
    """Return a row for each name and value: ``ranks``, ``type``, ``value``, by name.

    Parameters
    ----------
    by_rank : dict
        For each rank, the type and the short form of the value of each name.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for rank, names in by_rank.items():
        for name, (type_name, value) in names.items():
            groups.setdefault((name, type_name, value), []).append(rank)
    rows = [
        {"name": name, "ranks": rank_names(ranks), "type": type_name, "value": value}
        for (name, type_name, value), ranks in sorted(
            groups.items(), key=lambda item: (item[0][0], item[1])
        )
    ]
    return pd.DataFrame(rows, columns=["name", "ranks", "type", "value"]).set_index("name")
