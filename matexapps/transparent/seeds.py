"""The same random numbers on every rank."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch

from matexapps.comm.communicator import Communicator
from matexapps.sharding.snapshot import generator_states, set_generator_states
from matexapps.transparent.patching import patched


@contextmanager
def synchronized_seeds(comm: Communicator) -> Iterator[None]:
    """Let unseeded generators draw the same numbers on all ranks inside. Collective.

    Those of random, numpy and torch continue from the state of rank 0. A generator that the
    program seeds itself is the same on all ranks anyway.
    """
    set_generator_states(comm.broadcast_object(generator_states()))
    with _default_rng_seeded_from(comm.broadcast_object(secrets.randbits(128))):
        yield


@contextmanager
def fixed_seeds() -> Iterator[None]:
    """Let unseeded generators draw the same numbers in every run inside."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # programs use numpy's global generator
    torch.manual_seed(0)
    with _default_rng_seeded_from(0):
        yield


def _default_rng_seeded_from(entropy: int) -> AbstractContextManager[None]:
    default_rng = np.random.default_rng
    source = default_rng(entropy)

    def seeded_rng(seed: Any = None) -> np.random.Generator:
        return default_rng(source.integers(2**63) if seed is None else seed)

    return patched(np.random, "default_rng", seeded_rng)
