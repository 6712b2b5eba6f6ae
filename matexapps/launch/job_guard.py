"""Processes that carry a job's mark in their environment, and a guard that ends them.

A command that is killed cannot end its ranks. So a small guard process runs beside it and holds one
end of a pipe: when the command is gone, for whatever reason, the pipe closes, and the guard ends
the job. A command that ends its job itself ends the guard first.

The guard runs as a script, ``python job_guard.py MARK``, and imports nothing from matexapps.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

MARK = "MATEXAPPS_JOB"
GRACE_S = 5.0
_POLL_S = 0.1


@contextmanager
def guarded(mark: str) -> Iterator[None]:
    """End the processes with ``mark`` if this process dies inside the block."""
    guard = subprocess.Popen(
        [sys.executable, "-P", __file__, mark],
        env={name: value for name, value in os.environ.items() if name != MARK},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A signal that kills this process group must not reach the guard.
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def find_marked(mark: str) -> list[psutil.Process]:
    """Return the running processes of this host that carry a mark."""
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes, of which some may be gone already."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def main() -> None:
    """Wait until the pipe closes, then end the processes with the mark in the argument."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    (mark,) = sys.argv[1:]
    # A launcher also ends ranks on other hosts, and removes its files.
    launchers = _without_parents(find_marked(mark))
    for launcher in launchers:
        with suppress(psutil.NoSuchProcess):
            launcher.terminate()
    psutil.wait_procs(launchers, GRACE_S)
    give_up_at = time.monotonic() + GRACE_S
    while (remaining := find_marked(mark)) and time.monotonic() < give_up_at:
        kill(remaining)
        time.sleep(_POLL_S)


def _without_parents(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes whose parents are not among them."""
    pids = {process.pid for process in processes}
    top = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                top.append(process)
    return top


if __name__ == "__main__":
    main()
