"""Blocks of events, from which a sample is put together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from matexapps.apps.higgs.simulation.events import LARGEST_SEED, EventGenerator, Process
from matexapps.apps.higgs.simulation.selection import observe
from matexapps.experiment.campaign.task import Task

BLOCK_EVENTS = 250
"""Accepted events of a block."""

_SMALLEST_BATCH = 50
_EXPECTED_ACCEPTANCE = 0.2


@dataclass(frozen=True)
class Block:
    """Some accepted events of one process and one lepton charge, from a seed of their own."""

    seed: int
    process: Process
    lepton_charge: int
    number: int
    events: int

    def __str__(self) -> str:
        return f"{self.process} {self.lepton_charge:+d}, block {self.number} of {self.events}"


# A generator for each kind of block: it takes a second to make.
_generator = cache(EventGenerator)


def simulate_block(task: Task) -> dict[str, Any]:
    """Return the ``features`` of a block, and how many collisions were ``generated``."""
    block: Block = task.spec
    generator = _generator(block.process, block.lepton_charge)
    entropy = np.random.SeedSequence(
        (block.seed, block.process == "signal", block.lepton_charge > 0, block.number)
    )
    for_generator, for_detector = entropy.spawn(2)
    generator.reseed(1 + int(for_generator.generate_state(1)[0]) % LARGEST_SEED)
    rng = np.random.default_rng(for_detector)
    batches, generated, missing = [], 0, block.events
    while missing > 0:
        size = max(_SMALLEST_BATCH, round(missing / _EXPECTED_ACCEPTANCE))
        batches.append(observe(generator.generate(size), rng)[:missing].astype(np.float32))
        generated += size
        missing -= len(batches[-1])
    return {"features": np.concatenate(batches), "generated": generated}
