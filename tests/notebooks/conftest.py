"""Real engines, started once for all tests that do not end them."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from matexapps.cluster.cluster import Cluster


def descendants() -> set[int]:
    """Processes below this one that still run; one that only awaits collection does not."""
    alive = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process.pid)
        except psutil.NoSuchProcess:
            continue
    return alive


@pytest.fixture(scope="session")
def pair() -> Iterator[Cluster]:
    """Two ranks, kept between tests."""
    with Cluster(2) as cluster:
        yield cluster


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail the test if it leaves a process behind."""
    before = descendants()
    yield
    assert descendants() <= before
