"""Preparing the next item in a thread while the present one is used."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

T = TypeVar("T")

KNOWS_WAITS = hasattr(resource, "RUSAGE_THREAD")
"""Whether :func:`times_waited` works: on Linux."""


def ahead(make: Callable[[Event], Iterator[T]]) -> Iterator[T]:
    """Yield what ``make`` yields, each item made in a thread while the one before is used.

    An exception of ``make`` is raised where its item would have come. Leaving the iterator, even by
    an interrupt, sets the event that ``make`` was given and waits until the thread has stopped.

    Parameters
    ----------
    make : function of a threading.Event
        Returns the iterator; it should look at the event often, and end once it is set.
    """
    stop = Event()
    items = make(stop)
    end = object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="matexapps-read") as pool:
        try:
            upcoming = pool.submit(next, items, end)
            while (item := upcoming.result()) is not end:
                upcoming = pool.submit(next, items, end)
                yield item  # type: ignore[misc]
        finally:
            stop.set()


def times_waited() -> int:
    """Return how often this thread has waited for anything, such as a disk."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
