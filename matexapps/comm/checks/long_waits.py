"""Telling, while it lasts, that a rank waits long for others."""

from __future__ import annotations

import os

from mpi4py import MPI

from matexapps.errors import PreflightError
from matexapps.progress import report

HANG_AFTER_S = "MATEXAPPS_HANG_AFTER_S"
_LEAST_S = 10.0
_TIMES_THE_LONGEST = 20.0


class LongWaits:
    """What is long for one communicator, and how long its present wait has taken.

    A wait is long after as many seconds as the environment variable ``MATEXAPPS_HANG_AFTER_S``
    says; where it is not set, after 20 times the longest wait that ended well so far, and not
    before 10 s.

    Raises
    ------
    PreflightError
        If the variable holds no number of seconds.
    """

    def __init__(self) -> None:
        self._fixed_s = _seconds(os.environ.get(HANG_AFTER_S, ""))
        self._longest_s = 0.0
        self._what = ""
        self._next_s = 0.0
        self._told = False

    def begin(self, what: str) -> None:
        """Begin a wait."""
        self._what, self._told = what, False
        self._next_s = self._fixed_s or max(_LEAST_S, _TIMES_THE_LONGEST * self._longest_s)

    def watch(self, elapsed_s: float) -> None:
        """Tell the wait's length once it is long, and again whenever it has doubled."""
        if elapsed_s > self._next_s:
            self._told = True
            self._next_s = 2 * elapsed_s
            self._report(elapsed_s)

    def end(self, elapsed_s: float, well: bool) -> None:
        """End the wait; if it was told, tell that it is over."""
        if well:
            self._longest_s = max(self._longest_s, elapsed_s)
        if self._told:
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
            f"{HANG_AFTER_S} is {text!r}, which is no number of seconds above 0; "
            "set it to one, such as 30, or unset it"
        )
    return seconds
