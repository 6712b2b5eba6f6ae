"""Events as ranks report them."""

from __future__ import annotations

from typing import Any


def training(
    rank: int, epoch: int = 1, rows: int = 0, wait_s: float = 1.0, **more: Any
) -> dict[str, Any]:
    """What one of three ranks reports from epoch ``epoch`` of 4, of 1,000 rows each."""
    event = {
        "kind": "train",
        "rank": rank,
        "world_size": 3,
        "host": "node",
        "epoch": epoch,
        "epochs": 4,
        "step": 1,
        "steps": 10,
        "rows": rows,
        "rows_total": 1000,
        "rows_per_s": 12_345.6,
        "compute_s": 3.0,
        "wait_s": wait_s,
        "loss": 0.51234,
        "metrics": {"accuracy": 0.875},
    }
    return {**event, **more}


def work(rank: int, done: int, total: int | None, unit: str = "events") -> dict[str, Any]:
    """What one of two ranks reports from work other than training."""
    return {
        "kind": "work",
        "rank": rank,
        "world_size": 2,
        "what": "simulating events",
        "done": done,
        "total": total,
        "unit": unit,
    }
