"""Processes that carry a job's mark in their environment, and a guard that ends them.

A command that is killed cannot end its ranks. So a small process stands beside it, with a pipe from
it: when the command is gone, whatever ended it, the pipe closes, and the guard ends the job. A
command that ends its job itself ends the guard first.

The guard runs as a script, ``python job_guard.py MARK``, and imports nothing of matexapps.
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
_LOOK_EVERY_S = 0.1


@contextmanager
def guarded(mark: str) -> Iterator[None]:
    """Have the processes with ``mark`` ended if this one dies before the block's end."""
    guard = subprocess.Popen(
        [sys.executable, "-P", __file__, mark],
        env={name: value for name, value in os.environ.items() if name != MARK},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # So that what kills this process with its group leaves the guard.
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes of this host that carry a mark and still run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes; those that are gone already do not matter."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def main() -> None:
    """Wait until the pipe closes, and end what has the mark that the argument names."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    (mark,) = sys.argv[1:]
    # The launcher ends ranks on other hosts too, and removes its files.
    launchers = _outermost(marked(mark))
    for launcher in launchers:
        with suppress(psutil.NoSuchProcess):
            launcher.terminate()
    psutil.wait_procs(launchers, GRACE_S)
    last_look = time.monotonic() + GRACE_S
    while (left := marked(mark)) and time.monotonic() < last_look:
        kill(left)
        time.sleep(_LOOK_EVERY_S)


def _outermost(processes: list[psutil.Process]) -> list[psutil.Process]:
    pids = {process.pid for process in processes}
    outermost = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                outermost.append(process)
    return outermost


if __name__ == "__main__":
    main()
