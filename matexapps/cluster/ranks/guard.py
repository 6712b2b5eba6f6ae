"""A small process between a notebook and its engines that cleans up after both.

The notebook starts it with two folders as arguments, one for connection files and one for logs. It
sends the commands to start as one line of JSON, and then keeps the pipe open. Whatever ends the
notebook, even a kill, closes the pipe; the guard then ends everything it started and removes the
first folder. When one of its commands ends by itself, the guard reports it and ends the others,
since a part of a cluster is useless.

It runs as a script: ``python guard.py FOLDER LOGS``. It imports nothing of matexapps, so that it
starts within a few hundredths of a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

_POLL_INTERVAL_S = 0.05
_GRACE_S = 3.0
_LAUNCHER_GRACE_S = 2.0
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start the commands, watch, and clean up."""
    folder, logs = map(Path, sys.argv[1:])
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    _adopt_orphans()
    # A Popen that is garbage collected waits for its process, and its end would go unreported.
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        commands = json.loads(sys.stdin.readline() or "{}")
        for name, command in commands.items():
            started[name] = _start(command, logs / f"{name}.log")
        names = {child.pid: name for name, child in started.items()}
        while not _pipe_closed(_POLL_INTERVAL_S):
            for pid, status in _reap():
                if pid in names:
                    print(json.dumps({"ended": names[pid], "status": status}), flush=True)
                    _end_all(list(names))
                    _wait_until_closed()
                    return
    finally:
        _end_all([child.pid for child in started.values()])
        shutil.rmtree(folder, ignore_errors=True)


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def _adopt_orphans() -> None:
    # When mpiexec is killed, its ranks become children of this process, which can then end them.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with open(log, "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _pipe_closed(timeout_s: float) -> bool:
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], timeout_s)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


def _wait_until_closed() -> None:
    while not _pipe_closed(60.0):
        pass


def _reap() -> list[tuple[int, int]]:
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        ended.append((pid, os.waitstatus_to_exitcode(status)))
    return ended


def _end_all(launched: list[int]) -> None:
    # mpiexec removes its files from shared memory if it ends by itself, so it is killed last.
    _send_to_all(signal.SIGTERM, [])
    if not _all_gone_within(_GRACE_S):
        _send_to_all(signal.SIGKILL, launched)
    if not _all_gone_within(_LAUNCHER_GRACE_S):
        _send_to_all(signal.SIGKILL, [])
        _all_gone_within(_LAUNCHER_GRACE_S)


def _send_to_all(number: signal.Signals, excluded: list[int]) -> None:
    for process in psutil.Process().children(recursive=True):
        if process.pid not in excluded:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def _all_gone_within(timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while True:
        _reap()
        if not psutil.Process().children(recursive=True):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL_S)


if __name__ == "__main__":
    main()
