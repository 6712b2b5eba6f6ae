"""``python -m matexapps.apps.higgs.simulation '{"events": 1000, "seed": 0, "out": "higgs.h5"}'``.

Alone or under ``mpiexec -n N``. The settings are ``out``, an .h5 file, and those of
:class:`matexapps.apps.higgs.simulation.campaign.CampaignSettings`; the last line on standard output
is one JSON object.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matexapps.apps.higgs.simulation.campaign import WHAT, CampaignSettings, simulate_sample
from matexapps.apps.higgs.simulation.extra import import_extra
from matexapps.apps.higgs.simulation.file import check_writable, write_sample
from matexapps.comm.communicator import Communicator
from matexapps.experiment.command import run_command, work_lines
from matexapps.experiment.settings import from_plain

_WAIT_S = 86_400.0  # ranks finish apart by a block, but a machine may be busy or asleep


@dataclass(frozen=True, kw_only=True)
class _Settings(CampaignSettings):
    out: str


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Simulate a sample on all ranks and write it. Collective.

    Parameters
    ----------
    settings : dict
        Those of the module.
    comm : Communicator

    Returns
    -------
    dict
        On every rank, what was made and how fast.
    """
    chosen = from_plain(_Settings, settings)
    path = Path(chosen.out)
    for module in ("pythia8mc", "fastjet", "awkward"):
        import_extra(module)
    began = time.monotonic()
    comm.on_root(lambda: check_writable(path))
    sample = simulate_sample(chosen, comm)

    def write() -> dict[str, Any]:
        assert sample is not None  # this runs on rank 0, which holds it
        write_sample(path, chosen, sample)
        return {
            "signal": int(sample.label.sum()),
            "generated": sample.generated,
            "bytes": path.stat().st_size,
        }

    written = comm.on_root(write)
    seconds = time.monotonic() - began
    return {
        "out": str(path),
        "events": chosen.events,
        **written,
        "ranks": comm.world_size,
        "seconds": round(seconds, 2),
        "events_per_s": round(chosen.events / seconds, 2),
    }


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_command(arguments, __doc__, run, work_lines(WHAT), _WAIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
