"""What every rank is and does, as a table."""

from __future__ import annotations

import pandas as pd

from matexapps.cluster.call.call import Call
from matexapps.cluster.ranks.engines import Engines
from matexapps.engine import calls


def status(engines: Engines) -> pd.DataFrame:
    """Return a row for each rank: host, pid, device, threads, memory in GiB, what it runs.

    Ranks that are busy are not disturbed; of them device and threads are known if they were asked
    before.
    """
    doing = engines.doing
    if not engines.facts and not doing:
        everybody = range(engines.n)
        engines.facts = Call(engines, everybody, "status", calls.describe_ranks, (), {}).results()[
            0
        ]
    rows = [
        {
            "rank": rank,
            "host": fact.get("host"),
            "pid": pid,
            "device": fact.get("device"),
            "threads": fact.get("threads"),
            "memory_gb": None if size is None else round(size / 2**30, 2),
            "runs": doing or "nothing",
        }
        for rank, (pid, size, fact) in enumerate(
            zip(engines.pids(), engines.memory(), engines.facts or [{}] * engines.n, strict=True)
        )
    ]
    return pd.DataFrame(rows).set_index("rank")
