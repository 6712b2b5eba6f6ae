"""One sequence of random numbers for all ranks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from matexapps.comm.communicator import Communicator
from matexapps.transparent.snapshot import generators, set_generators


@contextmanager
def same_seeds(comm: Communicator) -> Iterator[None]:
    """Let generators that nobody seeds be the same on all ranks inside.

    Those of random, numpy and torch go on from where rank 0's are; what the program seeds itself is
    the same on all ranks anyhow.
    """
    set_generators(comm.broadcast_object(generators()))
    entropy = np.random.default_rng(comm.broadcast_object(secrets.randbits(128)))
    default_rng = np.random.default_rng

    def same_rng(seed: Any = None) -> np.random.Generator:
        return default_rng(entropy.integers(2**63) if seed is None else seed)

    with mock.patch.object(np.random, "default_rng", same_rng):
        yield
