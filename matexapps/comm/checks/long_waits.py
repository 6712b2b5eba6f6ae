"""Reports that a rank has been waiting long for others, while the wait lasts."""

from __future__ import annotations

import os

from mpi4py import MPI

from matexapps.errors import PreflightError
from matexapps.progress import report

HANG_AFTER_S = "MATEXAPPS_HANG_AFTER_S"
_MINIMUM_S = 10.0
_FACTOR = 20.0


class LongWaits:
    """Decides which waits of one communicator are long, and reports them.

    A wait is long after the number of seconds in the environment variable
    ``MATEXAPPS_HANG_AFTER_S``. Without it, a wait is long after 20 times the longest wait that has
    been completed so far, but at least 10 s.

    Raises
    ------
    PreflightError
        If the variable does not hold a number of seconds.
    """

    def __init__(self) -> None:
        self._fixed_s = _seconds(os.environ.get(HANG_AFTER_S, ""))
        self._longest_s = 0.0
        self._what = ""
        self._next_report_s = 0.0
        self._reported = False

    def begin(self, what: str) -> None:
        """Begin a wait."""
        self._what, self._reported = what, False
        self._next_report_s = self._fixed_s or max(_MINIMUM_S, _FACTOR * self._longest_s)

    def check(self, elapsed_s: float) -> None:
        """Report the wait as soon as it is long, and again each time it has doubled."""
        if elapsed_s > self._next_report_s:
            self._reported = True
            self._next_report_s = 2 * elapsed_s
            self._report(elapsed_s)

    def end(self, elapsed_s: float, completed: bool) -> None:
        """End the wait; if it was reported, report that it is over."""
        if completed:
            self._longest_s = max(self._longest_s, elapsed_s)
        if self._reported:
            self._report(elapsed_s, over=True)

    def _report(self, elapsed_s: float, **more: bool) -> None:
        world = MPI.COMM_WORLD
        report(
            {
                "kind": "waiting",
                "rank": world.rank,
                "world_size": world.size,
                "what": self._what,
                "seconds": elapsed_s,
                **more,
            }
        )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise PreflightError(
            f"{HANG_AFTER_S} is {text!r}, which is not a number of seconds above 0; "
            "set it to one, such as 30, or unset it"
        )
    return seconds
