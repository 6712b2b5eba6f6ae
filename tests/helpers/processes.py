"""Which processes still run."""

from __future__ import annotations

import psutil


def runs(pid: int) -> bool:
    """Whether a process still runs; one that ended and only awaits collection does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants() -> set[int]:
    """Processes below this one that still run."""
    children = psutil.Process().children(recursive=True)
    return {child.pid for child in children if runs(child.pid)}
