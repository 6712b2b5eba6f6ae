"""The progress reports of all ranks, merged into one state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matexapps.cluster.view.curves import TrainingCurves


@dataclass(frozen=True)
class RankState:
    """The state of one rank in training.

    Attributes
    ----------
    rank : int
    rows_per_s : float
        Throughput of its own share of the rows.
    waiting : float
        The fraction of its time in which it waits for other ranks, 0 to 1.
    memory_bytes : int or None
        Its resident memory; None if it is not reported.
    """

    rank: int
    rows_per_s: float
    waiting: float
    memory_bytes: int | None


class MergedProgress:
    """The progress reports of all ranks, merged into one state.

    Parameters
    ----------
    clock : callable
        Returns seconds, for the estimate of the time left.

    Attributes
    ----------
    curves : TrainingCurves
        Loss and metrics of the last training.
    notices : list of str
        Sentences about lost ranks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.curves = TrainingCurves()
        self.notices: list[str] = []
        self._clock = clock
        self._world_size: int | None = None
        self._stage: tuple[str, str] | None = None
        self._latest: dict[int, dict[str, Any]] = {}
        self._first = (0.0, 0.0)

    def update(self, event: dict[str, Any]) -> None:
        """Add one event of one rank (see :mod:`matexapps.progress`)."""
        if self._world_size is not None and event["world_size"] != self._world_size:
            # Sent before ranks were lost; the ranks have other numbers now.
            return
        stage = (event["kind"], event.get("what", "training"))
        previous = self._latest.get(event["rank"], {})
        if event["kind"] == "train" and event["rank"] == 0:
            # Loss and metrics are those of all ranks together, equal on each.
            self.curves.add(event)
        if not event.get("metrics") and stage == self._stage:
            # Metrics are only known at an epoch's end, and stay visible until the next.
            event = {**event, "metrics": previous.get("metrics")}
        self._latest[event["rank"]] = event
        if stage != self._stage:
            self._stage = stage
            self._latest = {event["rank"]: event}
            self._first = (self._clock(), self.fraction)

    def remove_ranks(self, event: dict[str, Any]) -> None:
        """Note that ranks were lost (see :class:`matexapps.history.History`)."""
        if event["rank"] == 0:
            self.notices.append(event["event"])
            self._world_size = event["ranks"]
            self._latest = {r: e for r, e in self._latest.items() if r < event["ranks"]}
            names = " and ".join(f"rank {rank}" for rank in event["lost"])
            if "step" in event:
                self.curves.mark_step(f"{names} lost", event["epoch"], event["step"])
            else:
                self.curves.mark(f"{names} lost")

    @property
    def started(self) -> bool:
        """Whether anything has been reported."""
        return bool(self._latest)

    @property
    def fraction(self) -> float:
        """The fraction of the present work that is done, 0 to 1."""
        events = list(self._latest.values())
        if not events:
            return 0.0
        if events[0]["kind"] == "train":
            return min(_training_fraction(event) for event in events)
        done, total = _amounts(events)
        return min(1.0, done / total) if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time left at the rate so far, in seconds; None before a rate is known."""
        start, fraction = self._first
        gained = self.fraction - fraction
        if gained <= 0.0:
            return None
        return (self._clock() - start) * (1.0 - self.fraction) / gained

    @property
    def slowest_rank(self) -> int | None:
        """The rank that waits least, for which the others wait; None with one rank."""
        waits = {rank: event.get("wait_s") for rank, event in self._latest.items()}
        known = {rank: wait for rank, wait in waits.items() if wait is not None}
        return min(known, key=lambda rank: known[rank]) if len(known) > 1 else None

    @property
    def ranks(self) -> list[RankState]:
        """The state of each rank, in rank order; empty unless they train."""
        events = sorted(self._latest.values(), key=lambda event: event["rank"])
        return [_rank_state(event) for event in events if event["kind"] == "train"]

    def parts(self, outcome: str = "") -> list[str]:
        """Return the parts of the line, the most important first; the outcome is the last."""
        events = sorted(self._latest.values(), key=lambda event: event["rank"])
        if not events:
            return ["waiting for the ranks"]
        if events[0]["kind"] == "train":
            parts = self._training_parts(events[0])
        else:
            parts = [events[0]["what"], _describe_amounts(events)]
        left = self.seconds_left
        if outcome:
            parts.append(outcome)
        elif left is not None and self.fraction < 1.0:
            parts.append(f"{format_duration(left)} left")
        return parts

    def _training_parts(self, event: dict[str, Any]) -> list[str]:
        title = [event["what"]] if "what" in event else []
        parts = [*title, f"epoch {event['epoch']}/{event['epochs']}"]
        if event.get("loss") is not None:
            parts.append(f"loss {event['loss']:.4g}")
        parts += [f"{name} {value:.4g}" for name, value in (event.get("metrics") or {}).items()]
        parts.append(f"{event['rows_per_s']:,.0f} rows/s")
        slowest = self.slowest_rank
        if slowest is not None:
            parts.append(f"slowest rank {slowest} (others wait {self._longest_wait():.0%})")
        return parts

    def _longest_wait(self) -> float:
        waits = [event["wait_s"] for event in self._latest.values()]
        longest = max(event["wait_s"] + event["compute_s"] for event in self._latest.values())
        return float((max(waits) - min(waits)) / longest) if longest > 0.0 else 0.0

    def text(self, outcome: str = "") -> str:
        """Return everything in one line."""
        return f"{self.fraction:4.0%}  " + "  ".join(self.parts(outcome))


def _amounts(events: list[dict[str, Any]]) -> tuple[int, int | None]:
    totals = [event["total"] for event in events]
    return sum(event["done"] for event in events), None if None in totals else sum(totals)


def _describe_amounts(events: list[dict[str, Any]]) -> str:
    done, total = _amounts(events)
    unit, size, digits = events[0]["unit"], 1, 0
    if unit == "bytes":
        unit, size = "MB", 1_000_000
        digits = 1 if (total or done) < 10 * size else 0
    numbers = [f"{count / size:,.{digits}f}" for count in (done, total) if count is not None]
    return f"{' of '.join(numbers)} {unit}"


def _training_fraction(event: dict[str, Any]) -> float:
    within = event["rows"] / event["rows_total"] if event["rows_total"] else 0.0
    return min(1.0, (event["epoch"] - 1 + min(1.0, within)) / event["epochs"])


def _rank_state(event: dict[str, Any]) -> RankState:
    seconds = event["wait_s"] + event["compute_s"]
    return RankState(
        rank=event["rank"],
        rows_per_s=event["rows_per_s"] / event["world_size"],
        waiting=event["wait_s"] / seconds if seconds > 0.0 else 0.0,
        memory_bytes=event.get("rss_bytes"),
    )


def format_duration(seconds: float) -> str:
    """Return a time in words: ``"8 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"
