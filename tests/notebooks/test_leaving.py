"""However a user leaves, none of our processes stays, and no other process is touched."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import psutil
import pytest
from kernel import open_notebook
from processes import runs

LIMIT_S = 10
START = "%load_ext matexapps\n%mpi start -n 2"
FAMILY = (
    "import psutil\nguard = psutil.Process(cluster._engines._processes._guard.pid)\n"
    "print(guard.pid, *(child.pid for child in guard.children(recursive=True)))"
)


def wait_until_gone(pids: list[int]) -> None:
    """Return when none of the processes runs any more; fail after ten seconds."""
    deadline = time.monotonic() + LIMIT_S
    while left := [pid for pid in pids if runs(pid)]:
        if time.monotonic() > deadline:
            names = [psutil.Process(pid).cmdline() for pid in left]
            pytest.fail(f"still there after {LIMIT_S} s: {names}")
        time.sleep(0.05)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in a cell"])
def test_a_kernel_that_is_killed_takes_its_ranks_along(busy):
    with open_notebook(START) as notebook:
        pids = [int(word) for word in notebook.good(FAMILY).split()]
        assert len(pids) >= 5  # guard, controller, mpiexec and two ranks at least
        if busy:
            notebook.client.execute("%%mpi\nimport time\ntime.sleep(600)")
            time.sleep(1)
        notebook.manager.provisioner.process.send_signal(signal.SIGKILL)
        wait_until_gone(pids)


def test_closing_the_notebook_ends_the_ranks_and_nothing_else():
    with open_notebook(START) as notebook:
        pids = [int(word) for word in notebook.good(FAMILY).split()]
        other = int(
            notebook.good(
                "import subprocess, sys\n"
                "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'],"
                " start_new_session=True)\n%mpi restart\nprint(other.pid)"
            ).split()[-1]
        )
        pids += [int(word) for word in notebook.good(FAMILY).split()]
    wait_until_gone(pids)
    assert runs(other)
    psutil.Process(other).kill()


def test_ctrl_c_in_a_terminal_ends_the_ranks():
    script = (
        "import os, time\nfrom matexapps import Cluster\ncluster = Cluster(2).start()\n"
        "import psutil\nguard = psutil.Process(cluster._engines._processes._guard.pid)\n"
        "print('family', guard.pid, *(c.pid for c in guard.children(recursive=True)), flush=True)\n"
        "cluster.run(time.sleep, 600)\n"
    )
    terminal, inside = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        preexec_fn=lambda: os.login_tty(inside),
    )
    os.close(inside)
    output = b""
    while b"family" not in output or not output.endswith(b"\n"):
        output += os.read(terminal, 4096)
    pids = [int(word) for word in output.split(b"family")[1].split()]
    time.sleep(1)
    os.write(terminal, b"\x03")
    assert program.wait(LIMIT_S) != 0
    os.close(terminal)
    wait_until_gone(pids)
