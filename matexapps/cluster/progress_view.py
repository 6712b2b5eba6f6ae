"""The progress of all ranks as one line, in a notebook or as plain text."""

from __future__ import annotations

import html
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

HEADLESS = "MATEXAPPS_HEADLESS"
_NOTEBOOK_EVERY_S = 0.2
_FIRST_LINE_S = 1.0
_LINE_GROWTH = 1.2


class MergedProgress:
    """What all ranks have reported, as one state.

    Parameters
    ----------
    clock : callable
        Gives seconds; the time left is reckoned with it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage: tuple[str, str] | None = None
        self._latest: dict[int, dict[str, Any]] = {}
        self._first = (0.0, 0.0)

    def update(self, event: dict[str, Any]) -> None:
        """Take in one event of one rank (see :mod:`matexapps.progress`)."""
        stage = (event["kind"], event.get("what", "training"))
        before = self._latest.get(event["rank"], {})
        if not event.get("metrics") and stage == self._stage:
            # Metrics are known at an epoch's end only, and stay in sight until the next.
            event = {**event, "metrics": before.get("metrics")}
        self._latest[event["rank"]] = event
        if stage != self._stage:
            self._stage = stage
            self._latest = {event["rank"]: event}
            self._first = (self._clock(), self.fraction)

    @property
    def started(self) -> bool:
        """Whether anything has been reported."""
        return bool(self._latest)

    @property
    def fraction(self) -> float:
        """The share of the present work that is done, 0 to 1."""
        events = list(self._latest.values())
        if not events:
            return 0.0
        if events[0]["kind"] == "train":
            return min(_training_fraction(event) for event in events)
        total = sum(event["total"] for event in events)
        return min(1.0, sum(event["done"] for event in events) / total) if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time left at the pace so far, in seconds; None before there is a pace."""
        at, fraction = self._first
        gained = self.fraction - fraction
        if gained <= 0.0:
            return None
        return (self._clock() - at) * (1.0 - self.fraction) / gained

    @property
    def slowest_rank(self) -> int | None:
        """The rank that waits least, which is the one the others wait for; None for one rank."""
        waits = {rank: event.get("wait_s") for rank, event in self._latest.items()}
        known = {rank: wait for rank, wait in waits.items() if wait is not None}
        return min(known, key=lambda rank: known[rank]) if len(known) > 1 else None

    def parts(self) -> list[str]:
        """Return the line's pieces, the most important first."""
        events = sorted(self._latest.values(), key=lambda event: event["rank"])
        if not events:
            return ["waiting for the ranks"]
        if events[0]["kind"] == "train":
            pieces = self._training_parts(events[0])
        else:
            done, total = (sum(event[key] for event in events) for key in ("done", "total"))
            pieces = [events[0]["what"], f"{done:,} of {total:,} {events[0]['unit']}"]
        left = self.seconds_left
        if left is not None and self.fraction < 1.0:
            pieces.append(f"{duration(left)} left")
        return pieces

    def _training_parts(self, event: dict[str, Any]) -> list[str]:
        pieces = [f"epoch {event['epoch']}/{event['epochs']}"]
        if event.get("loss") is not None:
            pieces.append(f"loss {event['loss']:.4g}")
        pieces += [f"{name} {value:.4g}" for name, value in (event.get("metrics") or {}).items()]
        pieces.append(f"{event['rows_per_s']:,.0f} rows/s")
        slowest = self.slowest_rank
        if slowest is not None:
            pieces.append(f"slowest rank {slowest} (others wait {self._longest_wait():.0%})")
        return pieces

    def _longest_wait(self) -> float:
        waits = [event["wait_s"] for event in self._latest.values()]
        longest = max(event["wait_s"] + event["compute_s"] for event in self._latest.values())
        return float((max(waits) - min(waits)) / longest) if longest > 0.0 else 0.0

    def text(self) -> str:
        """Return everything in one line."""
        return f"{self.fraction:4.0%}  " + "  ".join(self.parts())


def _training_fraction(event: dict[str, Any]) -> float:
    within = event["rows"] / event["rows_total"] if event["rows_total"] else 0.0
    return min(1.0, (event["epoch"] - 1 + min(1.0, within)) / event["epochs"])


def duration(seconds: float) -> str:
    """Return ``seconds`` as people say it: ``"8 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class ProgressView(Protocol):
    """Shows progress while work runs."""

    def show(self, progress: MergedProgress) -> None:
        """Show the present state, as often as is worth while."""

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Show the last state and ``outcome``: ``"done"``, ``"failed"`` or ``"stopped"``."""


class LineView:
    """Plain lines, ever further apart, so that a long run does not fill its log."""

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self._write = write
        self._began = time.monotonic()
        self._next_s = _FIRST_LINE_S

    def show(self, progress: MergedProgress) -> None:
        """Write a line if it is time for one."""
        elapsed = time.monotonic() - self._began
        if progress.started and elapsed >= self._next_s:
            self._write(progress.text())
            self._next_s = max(elapsed + _FIRST_LINE_S, elapsed * _LINE_GROWTH)

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Write the last line."""
        if progress.started:
            elapsed = duration(time.monotonic() - self._began)
            self._write(f"{progress.text()}  {outcome} after {elapsed}")


class NotebookView:
    """One bar in the cell's output, redrawn in place; a saved notebook keeps it as it is."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._handle: Any = None

    def show(self, progress: MergedProgress) -> None:
        """Redraw the bar if anything has been reported."""
        now = time.monotonic()
        if progress.started and now - self._shown_at >= _NOTEBOOK_EVERY_S:
            self._shown_at = now
            self._draw(progress, "")

    def close(self, progress: MergedProgress, outcome: str) -> None:
        """Redraw the bar a last time."""
        if progress.started:
            self._draw(progress, f"{outcome} after {duration(time.monotonic() - self._began)}")

    def _draw(self, progress: MergedProgress, outcome: str) -> None:
        from IPython.display import display

        content = {
            "text/plain": f"{progress.text()}  {outcome}".rstrip(),
            "text/html": bar_html(progress, outcome),
        }
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def bar_html(progress: MergedProgress, outcome: str) -> str:
    """Return the bar as HTML that follows the page's own colours, light or dark."""
    colour = {"failed": "#c62828", "stopped": "#ef6c00"}.get(outcome.partition(" ")[0], "#2e7d32")
    pieces = progress.parts() + ([outcome] if outcome else [])
    text = " &nbsp;·&nbsp; ".join(html.escape(piece) for piece in pieces)
    percent = 100.0 * progress.fraction
    return (
        '<div style="font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;'
        'font-variant-numeric:tabular-nums;max-width:60em">'
        '<div style="background:rgba(128,128,128,.25);border-radius:4px;height:8px" '
        f'role="progressbar" aria-valuenow="{percent:.0f}" aria-valuemin="0" aria-valuemax="100">'
        f'<div style="background:{colour};border-radius:4px;height:8px;width:{percent:.1f}%">'
        f'</div></div><div style="margin-top:4px">{text}</div></div>'
    )


def view_for_here() -> ProgressView:
    """Return the bar in a notebook that somebody looks at, plain lines anywhere else."""
    from IPython import get_ipython

    shell = get_ipython()
    in_kernel = shell is not None and getattr(shell, "kernel", None) is not None
    return NotebookView() if in_kernel and not os.environ.get(HEADLESS) else LineView()
