"""Real engines, started once for all tests that do not end them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from processes import descendants

from matexapps.cluster.cluster import Cluster


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
