"""One sequence of random numbers for all ranks."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

from matexapps.comm.communicator import Communicator
from matexapps.transparent.probing.snapshot import generators, set_generators


@contextmanager
def same_seeds(comm: Communicator) -> Iterator[None]:
    """Let generators that nobody seeds be the same on all ranks inside. Collective.

    Those of random, numpy and torch go on from where rank 0's are; what the program seeds itself is
    the same on all ranks anyhow.
    """
    set_generators(comm.broadcast_object(generators()))
    with _unseeded_from(comm.broadcast_object(secrets.randbits(128))):
        yield


@contextmanager
def fixed_seeds() -> Iterator[None]:
    """Let generators that nobody seeds be the same in every run inside."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # programs use it without naming one
    torch.manual_seed(0)
    with _unseeded_from(0):
        yield


def _unseeded_from(entropy: int) -> AbstractContextManager[Any]:
    default_rng = np.random.default_rng
    source = default_rng(entropy)

    def rng(seed: Any = None) -> np.random.Generator:
        return default_rng(source.integers(2**63) if seed is None else seed)

    return mock.patch.object(np.random, "default_rng", rng)
