"""What this process does about the failure of another rank. It needs no MPI."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from matexapps.progress import report

# Set for every rank by a launcher that was started with fault tolerance.
_FAULT_TOLERANCE = "OMPI_MCA_mpi_ft_enable"
_STARTUP_LIMIT_S = 300

_reinit: ContextVar[bool] = ContextVar("matexapps_reinit", default=False)


def fault_tolerance_enabled() -> bool:
    """Whether MPI lets ranks continue after the failure of another."""
    return os.environ.get(_FAULT_TOLERANCE, "").lower() in ("1", "true", "yes")


@contextmanager
def starting_mpi() -> Iterator[None]:
    """Prepare for MPI's start inside the block; a start that takes too long ends the process."""
    if not fault_tolerance_enabled():
        yield
        return
    # Without this, MPI_Finalize may wait forever for ranks that have failed.
    os.environ.setdefault("OMPI_MCA_async_mpi_finalize", "1")
    # During the start nothing reports a failure, and only a signal ends a wait for a dead rank.
    signal.alarm(_STARTUP_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)


@contextmanager
def announce_fault_tolerance() -> Iterator[None]:
    """Report that, inside the block, this rank continues when others fail."""
    report({"kind": "fault_tolerant", "on": True})
    try:
        yield
    finally:
        report({"kind": "fault_tolerant", "on": False})


def reinit_enabled() -> bool:
    """Whether a rank failure makes all ranks restart, instead of continuing without the failed."""
    return _reinit.get()


@contextmanager
def enable_reinit() -> Iterator[None]:
    """Let a ``RankFailureError`` inside the block through to whatever restarts all ranks."""
    token = _reinit.set(True)
    try:
        yield
    finally:
        _reinit.reset(token)
