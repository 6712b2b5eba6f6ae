"""``python -m matexapps.apps.molecules.prediction '{"model": "model", "library": "library.smi"}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:func:`matexapps.apps.molecules.prediction.run.run`; the last line on standard output is one JSON
object.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from matexapps.apps.command import run_command, tell_of_loss
from matexapps.apps.molecules.prediction.run import WHAT, run

_WAIT_S = 3600.0
_LINE_EVERY_S = 5.0


class _ProgressLines:
    """Writes a line on standard error every few seconds: how many rows are done, and how fast."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def __call__(self, event: dict[str, Any]) -> None:
        tell_of_loss(event)
        now = time.monotonic()
        if event.get("what") != WHAT or event["rank"] != 0 or now - self._told < _LINE_EVERY_S:
            return
        self._told = now
        rate = event["done"] / (now - self._began)
        print(f"{event['done']:,} molecules, {rate:,.0f} a second", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_command(arguments, __doc__, run, _ProgressLines(), _WAIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
