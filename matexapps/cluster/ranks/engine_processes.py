"""The processes behind a cluster, which a guard process owns.

Engines are ipyparallel's, started by ``mpiexec`` so that they are ranks of one MPI world. They
listen on this machine's loopback only, every message is signed with a key, and connection files
lie in a folder that nobody else can read.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

CHECK_COLLECTIVES = "MATEXAPPS_CHECK_COLLECTIVES"
HANG_AFTER = "MATEXAPPS_HANG_AFTER_S"

_GUARD = Path(__file__).with_name("guard.py")
_STOP_TIMEOUT_S = 15.0
# The controller accepts an engine at its second heartbeat, so a short period starts faster. An
# engine is given up after 60 s, as with ipyparallel's own longer period.
_HEARTBEAT_MS = 250
_HEARTBEAT_MISSES = 240


class EngineProcesses:
    """A controller, N engines and the guard that owns them, started when this is created.

    Parameters
    ----------
    n : int
        Number of engines.
    run_folder : Path
        The folder of the logs.
    hang_after_s : float or None
        How long a rank may wait before it reports it; None for what fits its work.

    Attributes
    ----------
    folder : Path
        The folder of connection files and stacks, removed with the processes.
    """

    def __init__(self, n: int, run_folder: Path, hang_after_s: float | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="matexapps-"))
        self._guard: subprocess.Popen[bytes] | None = None
        try:
            self._guard = self._start(n, run_folder, hang_after_s)
        except BaseException:
            self.stop()
            raise

    def _start(
        self, n: int, run_folder: Path, hang_after_s: float | None
    ) -> subprocess.Popen[bytes]:
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
                n,
                [
                    *("-m", "matexapps.engine", str(run_folder), str(self.folder)),
                    *("--mpi", quiet),
                    *("--IPEngine.wait_for_url_file=60", "--IPEngine.timeout=60"),
                    f"--IPEngine.max_heartbeat_misses={_HEARTBEAT_MISSES}",
                ],
                fault_tolerant=True,
            ),
        }
        guard = subprocess.Popen(
            [python, str(_GUARD), str(self.folder), str(run_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # All ranks are on this machine: with shared memory no rank opens a port to others.
            env={
                "OMPI_MCA_btl": "self,sm",
                "UCX_TLS": "self,sm",
                CHECK_COLLECTIVES: "1",
                **os.environ,
                **mpi_environment(),
                **({} if hang_after_s is None else {HANG_AFTER: str(hang_after_s)}),
                "IPYTHONDIR": str(self.folder),
            },
            start_new_session=True,
        )
        assert guard.stdin is not None
        guard.stdin.write(json.dumps(commands).encode() + b"\n")
        guard.stdin.flush()
        return guard

    @property
    def connection(self) -> Path | None:
        """The file that tells a client where the controller is; None until it is complete."""
        path = self.folder / "profile_default" / "security" / "ipcontroller-client.json"
        try:
            json.loads(path.read_text())
        except (OSError, json.JSONDecodeError):
            return None
        return path

    def ended(self) -> dict[str, Any] | None:
        """Return what ended, ``"controller"``, ``"engines"`` or ``"guard"``, and its status."""
        guard = self._guard
        if guard is None or guard.stdout is None:
            return {"ended": "engines", "status": 0}
        if guard.poll() is None and not select.select([guard.stdout], [], [], 0)[0]:
            return None
        line = guard.stdout.readline()
        report: dict[str, Any] = (
            json.loads(line) if line else {"ended": "guard", "status": guard.wait()}
        )
        return report

    def stop(self) -> None:
        """End all processes and remove their folder; calling it again does nothing."""
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
        shutil.rmtree(self.folder, ignore_errors=True)
