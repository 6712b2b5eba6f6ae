"""Simulation of a sample on all ranks, which can be cut off and resumed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from matexapps.apps.higgs.simulation.campaign import join_blocks, simulate_blocks
from matexapps.apps.higgs.simulation.extra import import_extra
from matexapps.apps.higgs.simulation.file import check_writable, write_sample
from matexapps.apps.higgs.simulation.settings import SimulationSettings
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.settings import from_plain


def run(settings: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """Simulate a sample on all ranks and write it. Collective.

    Blocks of events are kept in a folder beside the sample until that is written: run again after
    it was cut off, it goes on. What was made, and how fast, is returned on every rank.
    """
    chosen = from_plain(SimulationSettings, settings)
    path = Path(chosen.out)
    folder = path.with_name(f"{path.name}.campaign")
    for module in ("pythia8mc", "fastjet", "awkward"):
        import_extra(module)
    began = time.monotonic()
    ranks.on_root(lambda: check_writable(path))
    results = simulate_blocks(chosen, folder, ranks)

    def write() -> dict[str, Any]:
        sample = join_blocks(chosen, results)
        write_sample(path, chosen, sample)
        return {
            "signal": int(sample.label.sum()),
            "generated": sample.generated,
            "bytes": path.stat().st_size,
        }

    written = ranks.run("while the sample was written", lambda: ranks.on_root(write))
    if ranks.rank == 0:
        shutil.rmtree(folder)
    seconds = time.monotonic() - began
    return {
        "out": str(path),
        "events": chosen.events,
        **written,
        "ranks": ranks.world_size,
        "seconds": round(seconds, 2),
        "events_per_s": round(chosen.events / seconds, 2),
    }
