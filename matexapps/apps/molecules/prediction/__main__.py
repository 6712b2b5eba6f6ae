"""``python -m matexapps.apps.molecules.prediction '{"model": "model", "library": "library.smi"}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:func:`matexapps.apps.molecules.prediction.run.run`; the last line on standard output is one JSON
object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from matexapps import progress
from matexapps.apps.molecules.prediction.run import WHAT, run
from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.comm.world import open_world
from matexapps.errors import MatexError

_WAIT_S = 3600.0
_LINE_EVERY_S = 5.0


class _ProgressLines:
    """Writes a line on standard error every few seconds: how many rows are done, and how fast."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "loss" and event["rank"] == 0:
            print(event["event"], file=sys.stderr, flush=True)
        now = time.monotonic()
        if event.get("what") != WHAT or event["rank"] != 0 or now - self._told < _LINE_EVERY_S:
            return
        self._told = now
        rate = event["done"] / (now - self._began)
        print(f"{event['done']:,} molecules, {rate:,.0f} a second", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        settings = json.loads(arguments[0])
    except json.JSONDecodeError as error:
        print(f"the settings are not JSON ({error}): {arguments[0]}", file=sys.stderr)
        return 2
    comm: Communicator = SingleProcess()
    try:
        with progress.reporting_to(_ProgressLines()), open_world(_WAIT_S) as comm:
            result = run(settings, comm)
    except MatexError as error:
        if comm.rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if comm.rank == 0:
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
