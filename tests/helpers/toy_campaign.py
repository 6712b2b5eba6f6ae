"""The campaign of the toy tasks; as a program, on ranks."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toy_tasks import toy, toy_tasks

from matexapps import progress
from matexapps.comm.world import open_world
from matexapps.experiment.campaign.campaign import Campaign
from matexapps.experiment.campaign.results import Results
from matexapps.experiment.ranks import Ranks


def toy_campaign(folder: str | Path) -> Campaign:
    """Return the campaign of the toy tasks."""
    return Campaign("squaring", toy, folder, time_limit_s=1.0, tries=2, seed=5, unit="numbers")


def as_plain(results: Results) -> list[dict[str, Any]]:
    """Return all that two campaigns must agree on, as JSON has it."""
    return [
        {
            **asdict(outcome),
            "seconds": None,
            "arrays": {name: array.tolist() for name, array in results.arrays(outcome).items()},
        }
        for outcome in results.outcomes
    ]


def main() -> None:
    """Run it on ranks. Ranks named in the third argument are killed after so many outcomes."""
    folder, after, dying = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    with open_world() as comm:
        pids = comm.all_gather_object(os.getpid())

        def kill(event: dict[str, Any]) -> None:
            lines = [path.read_text().count("\n") for path in Path(folder).glob("*.jsonl")]
            if event["kind"] == "work" and comm.world_size == len(pids) and sum(lines) >= after:
                for rank in dying:
                    with suppress(ProcessLookupError):
                        os.kill(pids[rank], signal.SIGKILL)

        with progress.reporting_to(kill):
            results = toy_campaign(folder).run(toy_tasks(), Ranks(comm))
        if comm.rank == 0:
            print(json.dumps([results.summary(), as_plain(results)]), flush=True)


def die_in_a_wait() -> None:
    """Run a small one on ranks; one of them is killed when it has waited so often for others."""
    from counted_waits import CountedWaits

    folder, rank, moment = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open_world() as comm:
        dies = comm.rank == rank
        waits = CountedWaits(lambda count: dies and count == moment)
        results = toy_campaign(folder).run(toy_tasks(40), Ranks(comm))
        fewest = min(comm.all_gather_object(waits.count))
        if comm.rank == 0:
            print(json.dumps([fewest, comm.world_size, as_plain(results)]), flush=True)
