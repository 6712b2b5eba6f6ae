"""The guard ends what it started, however its owner goes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import matexapps.cluster.ranks.guard as guard_module

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"],
                         start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(120)
"""


def runs(pid: int) -> bool:
    """Whether a process still runs; one that ended but is not yet collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def guarded(tmp_path):
    """Start a guard over the given programs."""
    guards = []

    def start(**programs: str | list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        folder, logs = tmp_path / "run", tmp_path / "logs"
        folder.mkdir(mode=0o700)
        logs.mkdir()
        guard = subprocess.Popen(
            [sys.executable, guard_module.__file__, str(folder), str(logs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        guards.append(guard)
        commands = {
            name: [sys.executable, "-c", program] if isinstance(program, str) else program
            for name, program in programs.items()
        }
        assert guard.stdin is not None
        guard.stdin.write(json.dumps(commands).encode() + b"\n")
        guard.stdin.flush()
        return guard, logs

    yield start
    for guard in guards:
        guard.kill()
        guard.wait()
        guard.stdin.close()
        guard.stdout.close()


def family(logs: Path) -> list[int]:
    """Wait until the family program has named its two processes."""
    log = logs / "engines.log"
    while not (log.exists() and log.read_text().endswith("\n")):
        pass
    return [int(word) for word in log.read_text().split()]


def test_closing_the_pipe_ends_children_and_grandchildren_and_removes_the_folder(guarded):
    guard, logs = guarded(engines=FAMILY)
    pids = family(logs)
    guard.stdin.close()
    assert guard.wait(30) == 0
    assert not any(runs(pid) for pid in pids)
    assert not (logs.parent / "run").exists()
    assert (logs / "engines.log").exists()


def test_children_that_ignore_termination_are_killed(guarded):
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
    guard, logs = guarded(engines=stubborn)
    pids = family(logs)
    guard.stdin.close()
    guard.wait(30)
    assert not any(runs(pid) for pid in pids)


def test_when_one_command_ends_it_is_named_and_the_others_end(guarded, tmp_path):
    log = tmp_path / "logs" / "engines.log"
    controller = (
        f"import pathlib\nlog = pathlib.Path({str(log)!r})\n"
        "while not (log.exists() and log.read_text().endswith('\\n')):\n    pass\n"
        "raise SystemExit(5)\n"
    )
    guard, logs = guarded(controller=controller, engines=FAMILY)
    pids = family(logs)
    assert json.loads(guard.stdout.readline()) == {"ended": "controller", "status": 5}
    guard.stdin.close()
    guard.wait(30)
    assert not any(runs(pid) for pid in pids)
    assert not (logs.parent / "run").exists()
    assert (logs / "engines.log").exists()


def test_a_command_that_ends_at_once_is_named(guarded):
    guard, _ = guarded(engines=["false"])
    assert json.loads(guard.stdout.readline()) == {"ended": "engines", "status": 1}


def test_orphans_of_a_killed_launcher_are_found(guarded):
    guard, logs = guarded(engines=FAMILY)
    launcher, orphan = family(logs)
    psutil.Process(launcher).send_signal(signal.SIGKILL)
    assert json.loads(guard.stdout.readline()) == {"ended": "engines", "status": -9}
    guard.stdin.close()
    guard.wait(30)
    assert not runs(orphan)


def test_an_interrupt_meant_for_the_notebook_does_not_end_the_guard(guarded):
    guard, logs = guarded(engines=FAMILY)
    pids = family(logs)
    guard.send_signal(signal.SIGINT)
    assert guard.poll() is None
    assert all(runs(pid) for pid in pids)
    guard.terminate()
    guard.wait(30)
    assert not any(runs(pid) for pid in pids)
