"""A simulated sample, cut into blocks that ranks share and that no number of ranks changes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.simulation.blocks import BLOCK_EVENTS, Block, simulate_block
from matexapps.apps.higgs.simulation.events import Process
from matexapps.apps.higgs.simulation.settings import SimulationSettings
from matexapps.experiment.campaign.campaign import Campaign
from matexapps.experiment.campaign.results import Results
from matexapps.experiment.ranks import Ranks

WHAT = "simulating events"

_TIME_LIMIT_S = 3600.0  # a block takes seconds


@dataclass(frozen=True)
class Sample:
    """Accepted events.

    Attributes
    ----------
    features : ndarray of float32, shape (events, 28)
        In the order of ``FEATURES``, in GeV and rad.
    label : ndarray of int8, shape (events,)
        1 for signal, 0 for background.
    generated : dict of str to int
        Collisions made for each process; the rest did not pass the selection.
    """

    features: NDArray[np.float32]
    label: NDArray[np.int8]
    generated: dict[str, int]


def plan_blocks(settings: SimulationSettings) -> list[Block]:
    """Cut a sample into blocks: both classes, half of each with either charge of the lepton."""
    signal = round(settings.events * settings.signal_fraction)
    totals: dict[Process, int] = {"signal": signal, "background": settings.events - signal}
    blocks = []
    for process, total in totals.items():
        for charge, events in ((1, (total + 1) // 2), (-1, total // 2)):
            for number, start in enumerate(range(0, events, BLOCK_EVENTS)):
                size = min(BLOCK_EVENTS, events - start)
                blocks.append(Block(settings.seed, process, charge, number, size))
    return blocks


def simulate_blocks(settings: SimulationSettings, folder: Path, ranks: Ranks) -> Results:
    """Simulate the blocks of a sample that are not in ``folder`` yet. Collective.

    Raises
    ------
    CampaignError
        If a block cannot be simulated.
    """
    campaign = Campaign(
        WHAT,
        simulate_block,
        folder,
        time_limit_s=_TIME_LIMIT_S,
        unit="blocks",
        seed=settings.seed,
        depends_on={package: version(package) for package in ("pythia8mc", "fastjet")},
    )
    results = campaign.run([(str(block), block) for block in plan_blocks(settings)], ranks)
    results.require_all_done()
    return results


def join_blocks(settings: SimulationSettings, results: Results) -> Sample:
    """Join blocks in their own order, then shuffle, so that any part of a sample is like it."""
    blocks = plan_blocks(settings)
    features = np.concatenate([results.arrays(o)["features"] for o in results.outcomes])
    label = np.repeat(
        np.array([block.process == "signal" for block in blocks], dtype=np.int8),
        [block.events for block in blocks],
    )
    generated = {"signal": 0, "background": 0}
    for block, outcome in zip(blocks, results.outcomes, strict=True):
        generated[block.process] += outcome.value["generated"]
    order = np.random.default_rng(settings.seed).permutation(len(label))
    assert features.shape == (settings.events, len(FEATURES))
    return Sample(features[order], label[order], generated)
