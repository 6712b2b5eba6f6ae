"""A simulated sample, cut into blocks that ranks share and that no rank count changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matexapps import progress
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.simulation.events import LARGEST_SEED, EventGenerator, Process
from matexapps.apps.higgs.simulation.selection import observe
from matexapps.errors import DataError

if TYPE_CHECKING:
    from matexapps.comm.communicator import Communicator

BLOCK_EVENTS = 250
"""Accepted events of a block, the unit of work of a rank."""

WHAT = "simulating events"

_SMALLEST_BATCH = 50
_EXPECTED_ACCEPTANCE = 0.2
_REPORT_EVERY_S = 0.5


@dataclass(frozen=True)
class CampaignSettings:
    """What a sample is to hold.

    Attributes
    ----------
    events : int
        Accepted events, of both classes together.
    seed : int
        The same seed gives the same sample, on any number of ranks.
    signal_fraction : float
        Share of signal events; 0.53 in the UCI data set.
    """

    events: int
    seed: int = 0
    signal_fraction: float = 0.53

    def __post_init__(self) -> None:
        if self.events < 1:
            raise DataError(f"events must be at least 1, got {self.events}")
        if self.seed < 0:
            raise DataError(f"seed must not be negative, got {self.seed}")
        if not 0 <= self.signal_fraction <= 1:
            raise DataError(f"signal_fraction must lie in 0 to 1, got {self.signal_fraction}")


@dataclass(frozen=True)
class Block:
    """Some accepted events of one process and one lepton charge, from a seed of their own."""

    process: Process
    lepton_charge: int
    number: int
    events: int


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


def plan_blocks(settings: CampaignSettings) -> list[Block]:
    """Cut a sample into blocks: both classes, half of each with either charge of the lepton."""
    signal = round(settings.events * settings.signal_fraction)
    totals: dict[Process, int] = {"signal": signal, "background": settings.events - signal}
    blocks = []
    for process, total in totals.items():
        for charge, events in ((1, (total + 1) // 2), (-1, total // 2)):
            for number, start in enumerate(range(0, events, BLOCK_EVENTS)):
                size = min(BLOCK_EVENTS, events - start)
                blocks.append(Block(process, charge, number, size))
    return blocks


class BlockSimulator:
    """Simulates blocks, keeping one generator for each kind of block."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generators: dict[tuple[Process, int], EventGenerator] = {}

    def simulate(self, block: Block) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Yield features and number of collisions, batch by batch, until the block is full."""
        kind = (block.process, block.lepton_charge)
        if kind not in self._generators:
            self._generators[kind] = EventGenerator(*kind)
        generator = self._generators[kind]
        entropy = np.random.SeedSequence(
            (self._seed, block.process == "signal", block.lepton_charge > 0, block.number)
        )
        for_generator, for_detector = entropy.spawn(2)
        generator.reseed(1 + int(for_generator.generate_state(1)[0]) % LARGEST_SEED)
        rng = np.random.default_rng(for_detector)
        missing = block.events
        while missing > 0:
            batch = max(_SMALLEST_BATCH, round(missing / _EXPECTED_ACCEPTANCE))
            features = observe(generator.generate(batch), rng)[:missing].astype(np.float32)
            missing -= len(features)
            yield features, batch


def simulate_sample(settings: CampaignSettings, comm: Communicator) -> Sample | None:
    """Simulate a sample on all ranks, collectively.

    Blocks are dealt out in turn; the sample, in an order that only the seed decides, is put
    together on rank 0.

    Returns
    -------
    Sample or None
        None on all ranks but the first.
    """
    blocks = plan_blocks(settings)
    own = range(comm.rank, len(blocks), comm.world_size)
    simulator = BlockSimulator(settings.seed)
    monitor = _Monitor(comm, sum(blocks[index].events for index in own))
    results: dict[int, tuple[NDArray[np.float32], int]] = {}
    for index in own:
        features, generated = [], 0
        for batch, collisions in simulator.simulate(blocks[index]):
            features.append(batch)
            generated += collisions
            monitor.add(len(batch))
        results[index] = (np.concatenate(features), generated)
    gathered: dict[int, tuple[NDArray[np.float32], int]] = {}
    for part in comm.all_gather_object(results):
        gathered.update(part)
    if comm.rank != 0:
        return None
    return _put_together(settings, blocks, gathered)


def _put_together(
    settings: CampaignSettings,
    blocks: list[Block],
    results: dict[int, tuple[NDArray[np.float32], int]],
) -> Sample:
    """Join blocks in their own order, then shuffle, so that any part of a sample is like it."""
    features = np.concatenate([results[index][0] for index in range(len(blocks))])
    label = np.repeat(
        np.array([block.process == "signal" for block in blocks], dtype=np.int8),
        [block.events for block in blocks],
    )
    generated = {"signal": 0, "background": 0}
    for index, block in enumerate(blocks):
        generated[block.process] += results[index][1]
    order = np.random.default_rng(settings.seed).permutation(len(label))
    assert features.shape == (settings.events, len(FEATURES))
    return Sample(features[order], label[order], generated)


class _Monitor:
    """Reports how far this rank is, a few times a second at most."""

    def __init__(self, comm: Communicator, total: int) -> None:
        self._comm = comm
        self._total = total
        self._done = 0
        self._reported = -_REPORT_EVERY_S

    def add(self, events: int) -> None:
        self._done += events
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY_S or self._done >= self._total:
            self._reported = now
            rank, ranks = self._comm.rank, self._comm.world_size
            progress.report_work(WHAT, self._done, self._total, "events", rank, ranks)
