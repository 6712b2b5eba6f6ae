"""However a command ends, no process of its ranks is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from processes import runs

from matexapps.launch import mpiexec
from matexapps.launch.signals import signals_handled_by

# Each rank starts a process in a session of its own, and does not wait for it.
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
other = subprocess.Popen(sleep, start_new_session=True)
for pid in (os.getpid(), other.pid):
    pathlib.Path(sys.argv[1], f"{pid}.pid").touch()
time.sleep(600)
"""
# A launcher that hangs when it should end.
HANGING = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (folder / "signaled").touch())
(folder / f"{os.getpid()}.pid").touch()
while True:
    time.sleep(600)
"""
PATIENT = """
import sys
from matexapps.launch import job, mpiexec
job.GRACE_S = 1e9
mpiexec.run_and_restart(sys.argv[1:], 0)
"""
COMMAND = [sys.executable, "-m", "matexapps.cli"]
MPIEXEC = ["restart", str(mpiexec.find_mpiexec()), "-n", "2", sys.executable]

pytestmark = pytest.mark.mpich


class Started:
    """A command in a process group of its own, as a shell starts it."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self._folder = folder
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)

    def wait_for(self, files: str, n: int) -> None:
        while len(list(self._folder.glob(files))) < n:
            assert self.process.poll() is None
            time.sleep(0.02)

    def pids(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.pid")]

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)


Start = Callable[[list[str], str], Started]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a command whose last words are a program and a folder; kill in the end what it left."""
    for name, value in mpiexec.mpi_environment().items():
        monkeypatch.setenv(name, value)
    commands: list[Started] = []

    def started(words: list[str], text: str) -> Started:
        program = tmp_path / "program.py"
        program.write_text(text)
        commands.append(Started([*words, str(program), str(tmp_path)], tmp_path))
        return commands[-1]

    yield started
    for command in commands:
        for pid in filter(runs, [command.process.pid, *command.pids()]):
            os.kill(pid, signal.SIGKILL)
        command.process.wait()


def of_folder(folder: Path) -> list[int]:
    """Which processes, the launcher among them, have a folder in their command line."""
    processes = psutil.process_iter(["pid", "cmdline", "status"])
    return [
        process.pid
        for process in processes
        if str(folder) in (process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize(
    ("words", "number", "group"),
    [
        (["exec", "-n", "2"], signal.SIGTERM, False),
        (["exec", "-n", "2"], signal.SIGINT, True),
        (MPIEXEC, signal.SIGTERM, True),
        (MPIEXEC, signal.SIGHUP, False),
    ],
)
def test_a_signal_ends_all_that_ranks_have_started(start: Start, words, number, group) -> None:
    command = start([*COMMAND, *words], STUBBORN)
    command.wait_for("*.pid", 4)
    (os.killpg if group else os.kill)(command.process.pid, number)
    assert command.process.wait(60) == 128 + number
    assert [pid for pid in command.pids() if runs(pid)] == []


@pytest.mark.parametrize(("words", "group"), [(["exec", "-n", "2"], True), (MPIEXEC, False)])
def test_a_command_that_is_killed_leaves_nothing_running(
    start: Start, tmp_path: Path, words: list[str], group: bool
) -> None:
    command = start([*COMMAND, *words], STUBBORN)
    command.wait_for("*.pid", 4)
    (os.killpg if group else os.kill)(command.process.pid, signal.SIGKILL)
    command.process.wait()
    deadline = time.monotonic() + 60
    while (left := of_folder(tmp_path) + list(filter(runs, command.pids()))) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert left == []


def test_a_second_interrupt_does_not_wait(start: Start) -> None:
    command = start([sys.executable, "-c", PATIENT, sys.executable], HANGING)
    command.wait_for("*.pid", 1)
    command.interrupt()
    command.wait_for("signaled", 1)
    command.interrupt()
    assert command.process.wait(60) != 0
    assert [pid for pid in command.pids() if runs(pid)] == []


def test_ignored_signals_stay_ignored_and_handlers_are_restored() -> None:
    numbers = []
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        with signals_handled_by(lambda number, _: numbers.append(number)):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert numbers == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is terminate
    finally:
        signal.signal(signal.SIGHUP, hangup)
