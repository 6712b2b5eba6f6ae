"""The processes behind a cluster: one controller and N engines, started and ended as one.

Engines are ipyparallel's, started by ``mpiexec`` so that they are ranks of one MPI world. They
listen on this machine's loopback only, every message is signed with a key, and connection files
lie in a folder that nobody else can read. A guard process (:mod:`matexapps.cluster.ranks.guard`)
owns them all. Logs go to the run's folder, which stays.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from matexapps.cluster.ranks import deaths
from matexapps.cluster.ranks.run_folder import last_lines, new_run_folder
from matexapps.cluster.ranks.stacks import Stack, ask
from matexapps.comm import preflight
from matexapps.comm.launch import mpi_environment, mpiexec_command
from matexapps.engine import calls
from matexapps.engine.rank_log import STACKS_SIGNAL, stacks_name
from matexapps.errors import ClusterError

CHECK_COLLECTIVES = "MATEXAPPS_CHECK_COLLECTIVES"
HANG_AFTER = "MATEXAPPS_HANG_AFTER_S"

_GUARD = Path(__file__).with_name("guard.py")
_LOOK_EVERY_S = 0.02
_STOP_TIMEOUT_S = 15.0
_NEWS_TIMEOUT_S = 5.0
# The controller takes an engine in at its second heartbeat, so a short period starts faster; an
# engine is given up after the same 60 s as at ipyparallel's own slower pace.
_HEARTBEAT_MS = 250
_HEARTBEAT_MISSES = 240


class Engines:
    """N running engines and the client that talks to them.

    Parameters
    ----------
    n : int
        Number of ranks.
    timeout_s : float
        How long starting may take, in seconds.
    hang_after_s : float or None
        How long a rank may wait before all ranks' stacks are shown; None for what fits its work.

    Attributes
    ----------
    run_folder : Path
        Holds the logs, which stay.
    doing : str
        What the ranks are doing, "" for nothing.
    cut_short : bool
        Whether work was cut short since all ranks last worked together.
    facts : list of dict
        What :func:`matexapps.devices.describe` says, once somebody has asked.
    client : ipyparallel.Client
        Connected to the controller.
    views : list of ipyparallel.DirectView
        One for each engine, in rank order.

    Raises
    ------
    ClusterError
        If they do not start, or do not form one world of ``n`` ranks. Nothing is left behind.
    """

    def __init__(self, n: int, timeout_s: float, hang_after_s: float | None = None) -> None:
        self.n, self.hang_after_s = n, hang_after_s
        self.client: Any = None
        self.doing = ""
        self.cut_short = False
        self.facts: list[dict[str, Any]] = []
        self.run_folder = new_run_folder()
        self._processes: list[psutil.Process] = []
        self._memory: dict[int, int] = {}
        self._oom_kills = deaths.out_of_memory_kills()
        self._ended: dict[str, Any] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="matexapps-"))
        self._guard: subprocess.Popen[bytes] | None = None
        try:
            self._start(time.monotonic() + timeout_s, timeout_s)
        except BaseException:
            self.stop()
            raise

    def _start(self, deadline: float, timeout_s: float) -> None:
        self._guard = self._start_guard()
        # Imported while controller and engines come up in processes of their own.
        import ipyparallel

        connection = self._folder / "profile_default" / "security" / "ipcontroller-client.json"
        while not _complete_json(connection):
            self._pause(deadline, f"no controller answered within {timeout_s:.0f} s")
        self.client = ipyparallel.Client(
            str(connection), timeout=max(1.0, deadline - time.monotonic())
        )
        while len(self.client.ids) < self.n:
            present = len(self.client.ids)
            self._pause(
                deadline, f"{present} of {self.n} engines answered within {timeout_s:.0f} s"
            )
        self.views = [self.client[i] for i in self._ids_in_rank_order()]

    def _start_guard(self) -> subprocess.Popen[bytes]:
        python = sys.executable
        quiet = "--log-level=WARN"
        commands = {
            "controller": [
                *(python, "-m", "ipyparallel.controller", quiet),
                *("--ip=127.0.0.1", "--usethreads", "--nodb"),
                f"--HeartMonitor.period={_HEARTBEAT_MS}",
                f"--HeartMonitor.max_heartmonitor_misses={_HEARTBEAT_MISSES}",
            ],
            "engines": mpiexec_command(
                self.n,
                [
                    *("-m", "matexapps.engine", str(self.run_folder), str(self._folder)),
                    *("--mpi", quiet),
                    *("--IPEngine.wait_for_url_file=60", "--IPEngine.timeout=60"),
                    f"--IPEngine.max_heartbeat_misses={_HEARTBEAT_MISSES}",
                ],
            ),
        }
        guard = subprocess.Popen(
            [python, str(_GUARD), str(self._folder), str(self.run_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # All ranks are on this machine: shared memory serves, and no rank listens to others.
            env={
                "OMPI_MCA_btl": "self,sm",
                CHECK_COLLECTIVES: "1",
                **os.environ,
                **mpi_environment(),
                **({} if self.hang_after_s is None else {HANG_AFTER: str(self.hang_after_s)}),
                "IPYTHONDIR": str(self._folder),
            },
            start_new_session=True,
        )
        assert guard.stdin is not None
        guard.stdin.write(json.dumps(commands).encode() + b"\n")
        guard.stdin.flush()
        return guard

    def _ids_in_rank_order(self) -> list[int]:
        ids = list(self.client.ids)
        told = self.client[ids].apply_sync(calls.identify)
        seen = [(rank, size) for rank, size, _ in told]
        if sorted(seen) != [(rank, self.n) for rank in range(self.n)]:
            finding = preflight.trial(self.n)
            said = ", ".join(f"rank {rank} of {size}" for rank, size in seen)
            reason = f": {finding}" if not finding.ok else "; run `matexapps check`"
            raise ClusterError(
                f"the engines are not one world of {self.n} ranks, they say {said}{reason}"
            )
        self._processes = [psutil.Process(pid) for _, _, pid in sorted(told)]
        return [ids[seen.index((rank, self.n))] for rank in range(self.n)]

    def _pause(self, deadline: float, complaint: str) -> None:
        self.check_alive()
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{complaint}; their last words: {self._last_words() or 'none'}; "
                "run `matexapps check`, or allow more with Cluster(start_timeout_s=...)"
            )
        time.sleep(_LOOK_EVERY_S)

    @property
    def running(self) -> bool:
        """Whether controller and engines are there."""
        if self._ended is None:
            self._ended = self._news_from_guard()
        return self._ended is None

    def check_alive(self) -> None:
        """Raise ``ClusterError`` with the reason if controller or engines have ended."""
        if self.running:
            return
        assert self._ended is not None
        name, status = self._ended["ended"], self._ended["status"]
        if self.client is None and name == "engines":
            said = (self.run_folder / "engines.log").read_text(errors="replace")
            finding = preflight.diagnose(said, status)
            raise ClusterError(f"the engines did not start: {finding}")
        before = deaths.Circumstances(self._memory, self._oom_kills)
        why = deaths.explain(name, status, self.run_folder, before)
        raise ClusterError(
            f"{why}\nThe next use of the cluster starts new ranks, without their names"
        )

    def lost(self, rank: int, error: Exception) -> ClusterError:
        """Return the error for a rank that gave no answer, with the reason as soon as it is known.

        Nothing runs afterwards.
        """
        deadline = time.monotonic() + _NEWS_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self.check_alive()
            except ClusterError as reason:
                return reason
            time.sleep(_LOOK_EVERY_S)
        self.stop()
        return ClusterError(
            f"rank {rank} gave no answer ({error}); the next use of the cluster starts new ranks"
        )

    def _news_from_guard(self) -> dict[str, Any] | None:
        guard = self._guard
        if guard is None or guard.stdout is None:
            return {"ended": "engines", "status": 0}
        if guard.poll() is None and not select.select([guard.stdout], [], [], 0)[0]:
            return None
        line = guard.stdout.readline()
        news: dict[str, Any] = (
            json.loads(line) if line else {"ended": "guard", "status": guard.wait()}
        )
        return news

    def _last_words(self) -> str:
        return " / ".join(line.strip() for line in last_lines(self.run_folder / "engines.log", 6))

    def interrupt(self, ranks: list[int]) -> None:
        """Raise ``KeyboardInterrupt`` in the work of ``ranks``."""
        self._send("SIGINT", ranks)

    def stacks(self, ranks: list[int], timeout_s: float) -> dict[int, Stack]:
        """Return where each of ``ranks`` is, of those that answer within ``timeout_s`` seconds."""
        files = [self._folder / stacks_name(rank) for rank in range(self.n)]
        return ask(files, lambda some: self._send(STACKS_SIGNAL.name, some), ranks, timeout_s)

    def _send(self, signal_name: str, ranks: list[int]) -> None:
        targets = [self.views[rank].targets for rank in ranks]
        if targets:
            self.client.send_signal(signal_name, targets=targets, block=False)

    def memory(self) -> dict[int, int]:
        """Return the resident memory of each rank in bytes, of one that ended as last seen."""
        for rank, process in enumerate(self._processes):
            with suppress(psutil.Error):
                self._memory[rank] = process.memory_info().rss
        return self._memory

    def pids(self) -> list[int]:
        """Return the process number of each rank."""
        return [process.pid for process in self._processes]

    def stop(self) -> None:
        """End all processes and remove their folder; harmless when done twice."""
        if self.client is not None:
            self.client.close()
            self.client = None
        guard, self._guard = self._guard, None
        if guard is not None:
            assert guard.stdin is not None
            assert guard.stdout is not None
            guard.stdin.close()
            try:
                guard.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                guard.kill()
                guard.wait()
            guard.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _complete_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return False
    return True
