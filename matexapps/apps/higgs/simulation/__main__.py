"""``python -m matexapps.apps.higgs.simulation '{"events": 1000, "seed": 0, "out": "higgs.h5"}'``.

Alone or under ``mpiexec -n N``; the last line on standard output is one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from matexapps import progress
from matexapps.apps.higgs.simulation.campaign import CampaignSettings, Sample, simulate_sample
from matexapps.apps.higgs.simulation.extra import import_extra
from matexapps.apps.higgs.simulation.file import check_writable, write_sample
from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.errors import DataError, MatexError, did_you_mean

_KEYS = ("events", "seed", "signal_fraction", "out")
_WAIT_S = 86_400.0  # ranks finish apart by a block, but a machine may be busy or asleep


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any] | None:
    """Simulate a sample on all ranks and write it.

    Parameters
    ----------
    settings : dict
        ``events`` and ``out`` (an .h5 path), optionally ``seed`` and ``signal_fraction``.
    comm : Communicator

    Returns
    -------
    dict or None
        On rank 0, what was made and how fast; None on the others.
    """
    for key in settings:
        if key not in _KEYS:
            raise DataError(f"unknown setting {key!r}{did_you_mean(key, _KEYS)}")
    for key in ("events", "out"):
        if key not in settings:
            raise DataError(f"the setting {key!r} is missing; give events and out")
    path = Path(settings["out"])
    campaign = CampaignSettings(**{k: v for k, v in settings.items() if k != "out"})
    for module in ("pythia8mc", "fastjet", "awkward"):
        import_extra(module)
    began = time.monotonic()
    comm.on_root(lambda: check_writable(path))
    sample = simulate_sample(campaign, comm)
    comm.on_root(lambda: _write(path, campaign, sample))
    if sample is None:
        return None
    seconds = time.monotonic() - began
    return {
        "out": str(path),
        "events": campaign.events,
        "signal": int(sample.label.sum()),
        "generated": sample.generated,
        "bytes": path.stat().st_size,
        "ranks": comm.world_size,
        "seconds": round(seconds, 2),
        "events_per_s": round(campaign.events / seconds, 2),
    }


def _write(path: Path, campaign: CampaignSettings, sample: Sample | None) -> None:
    assert sample is not None  # this runs on rank 0, which holds it
    write_sample(path, campaign, sample)


class _ProgressLines:
    """Writes a line on standard error for each of twenty parts of rank 0's work."""

    def __init__(self) -> None:
        self._part = -1

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] != "work":
            return
        part = 20 * event["done"] // event["total"]
        if event["rank"] != 0 or part == self._part:
            return
        self._part = part
        print(
            f"{event['what']}: rank 0 of {event['world_size']} has {event['done']:,} of its "
            f"{event['total']:,} {event['unit']}",
            file=sys.stderr,
            flush=True,
        )


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    try:
        settings = json.loads(arguments[0])
    except json.JSONDecodeError as error:
        print(f"the settings are not JSON ({error}): {arguments[0]}", file=sys.stderr)
        return 2
    rank = 0
    try:
        with progress.reporting_to(_ProgressLines()), open_world(_WAIT_S) as comm:
            rank = comm.rank
            result = run(settings, comm)
    except MatexError as error:
        if rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if result is not None:
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
