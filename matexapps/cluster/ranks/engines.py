"""The ranks of a cluster: how to reach them, and which of them have died."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

import psutil

from matexapps.cluster.ranks import deaths
from matexapps.cluster.ranks.engine import Engine
from matexapps.cluster.ranks.engine_processes import EngineProcesses
from matexapps.cluster.ranks.run_folder import last_lines, new_run_folder
from matexapps.cluster.ranks.stacks import Stack, request_stacks
from matexapps.engine import calls
from matexapps.engine.rank_log import STACKS_SIGNAL, stacks_name
from matexapps.errors import ClusterError, RanksDied
from matexapps.launch import preflight

_POLL_INTERVAL_S = 0.02
_HUB_TIMEOUT_S = 5.0
_DEATH_NOTICE_TIMEOUT_S = 5.0
_ENDING_TIMEOUT_S = 1.0
_RENUMBER_TIMEOUT_S = 40.0
_NEW_RANKS = "The next use of the cluster starts new ranks, without their names"


class Engines:
    """N running engines and the client that talks to them.

    Where MPI tolerates the death of a rank, :meth:`dead` lists the dead engines, and
    :meth:`remove_dead` goes on with the others.

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
        The folder of the logs, which stay.
    activity : str
        What the ranks are doing, "" for nothing.
    needs_renewal : bool
        Whether communicators must be renewed, because work was interrupted since all ranks last
        worked together.
    device_info : list of dict
        What :func:`matexapps.devices.describe` returns, after somebody has asked.
    client : ipyparallel.Client
        Connected to the controller.
    ranks : list of Engine
        In rank order.

    Raises
    ------
    ClusterError
        If they do not start, or do not form one world of ``n`` ranks. Nothing is left behind.
    """

    def __init__(self, n: int, timeout_s: float, hang_after_s: float | None = None) -> None:
        self.hang_after_s = hang_after_s
        self.client: Any = None
        self.ranks: list[Engine] = []
        self.activity = ""
        self.needs_renewal = False
        self.device_info: list[dict[str, Any]] = []
        self.run_folder = new_run_folder()
        self._memory: dict[int, int] = {}
        self._deaths: dict[int, deaths.Ending | None] = {}
        self._unresponsive: set[int] = set()
        self._oom_kills = deaths.out_of_memory_kills()
        self._ended: dict[str, Any] | None = None
        self._processes = EngineProcesses(n, self.run_folder, hang_after_s)
        try:
            self._connect(n, time.monotonic() + timeout_s, timeout_s)
        except BaseException:
            self.stop()
            raise

    @property
    def n(self) -> int:
        """The number of ranks."""
        return len(self.ranks)

    def _connect(self, n: int, deadline: float, timeout_s: float) -> None:
        # Imported while controller and engines start in processes of their own.
        import ipyparallel

        while self.client is None:
            self._pause(deadline, f"no controller answered within {timeout_s:.0f} s")
            if (connection := self._processes.connection) is not None:
                # With a short timeout, since a controller that has ended meanwhile never answers.
                with suppress(TimeoutError):
                    self.client = ipyparallel.Client(str(connection), timeout=_HUB_TIMEOUT_S)
        while len(self.client.ids) < n:
            present = len(self.client.ids)
            self._pause(deadline, f"{present} of {n} engines answered within {timeout_s:.0f} s")
        self.ranks = self._in_rank_order(n)

    def _in_rank_order(self, n: int) -> list[Engine]:
        ids = list(self.client.ids)
        identities = self.client[ids].apply_sync(calls.identify)
        engines = {
            rank: Engine(rank, self.client[engine_id], psutil.Process(pid))
            for engine_id, (rank, _, pid) in zip(ids, identities, strict=True)
        }
        if sorted((rank, size) for rank, size, _ in identities) != [(rank, n) for rank in range(n)]:
            finding = preflight.check_start(n)
            claims = ", ".join(f"rank {rank} of {size}" for rank, size, _ in identities)
            reason = f": {finding}" if not finding.ok else "; run `matexapps check`"
            raise ClusterError(
                f"the engines are not one world of {n} ranks, they are {claims}{reason}"
            )
        return [engines[rank] for rank in range(n)]

    def _pause(self, deadline: float, problem: str) -> None:
        self.check_alive()
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{problem}; the last lines of their log: {self._last_log_lines() or 'none'}; "
                "run `matexapps check`, or allow more time with Cluster(start_timeout_s=...)"
            )
        time.sleep(_POLL_INTERVAL_S)

    @property
    def running(self) -> bool:
        """Whether controller and engines are running."""
        if self._ended is None:
            self._ended = self._processes.ended()
        return self._ended is None

    def check_alive(self) -> None:
        """Raise ``ClusterError`` with the reason if controller or engines have ended."""
        if self.running:
            return
        assert self._ended is not None
        name, status = self._ended["ended"], self._ended["status"]
        if not self.ranks and name == "engines":
            log = (self.run_folder / "engines.log").read_text(errors="replace")
            finding = preflight.diagnose(log, status)
            raise ClusterError(f"the engines did not start: {finding}")
        cause = deaths.explain(name, status, self.run_folder, self._circumstances)
        if name == "engines" and self._deaths:
            cause = self._first_death_cause()
        raise RanksDied(f"{cause}\n{_NEW_RANKS}")

    def dead(self) -> list[int]:
        """Return the ranks that have died and are not removed yet."""
        for rank, engine in enumerate(self.ranks):
            if rank not in self._deaths and not engine.alive:
                self._deaths[rank] = self._ending(engine)
        return sorted(self._deaths)

    def _ending(self, engine: Engine) -> deaths.Ending | None:
        deadline = time.monotonic() + _ENDING_TIMEOUT_S
        log = self.run_folder / "engines.log"
        while (ending := deaths.find_ending(engine.process.pid, log)) is None:
            if time.monotonic() > deadline or not self.running:
                break
            time.sleep(_POLL_INTERVAL_S)
        return ending

    def death_cause(self, rank: int) -> str:
        """Return why a rank died, in a few lines."""
        return deaths.explain_rank(
            rank,
            self.ranks[rank].launch_rank,
            socket.gethostname(),
            self._deaths[rank],
            self.run_folder,
            self._circumstances,
        )

    def _first_death_cause(self) -> str:
        # Where one death ends all ranks, the launcher reports how the first one ended.
        explained = [rank for rank, ending in self._deaths.items() if ending is not None]
        return self.death_cause(min(explained or self._deaths))

    @property
    def _circumstances(self) -> deaths.Circumstances:
        unresponsive = frozenset(self._unresponsive)
        return deaths.Circumstances(self._memory, self._oom_kills, unresponsive)

    def remove_dead(self) -> dict[int, str]:
        """Renumber the ranks that are alive; return the ranks that died, each with the cause.

        Raises
        ------
        ClusterError
            If the remaining ranks cannot go on; nothing runs afterwards.
        """
        for rank, engine in enumerate(self.ranks):
            if self.running and engine.alive and engine.view.targets not in self.client.ids:
                self.confirm_dead(rank)
        while self.running and (dead := self.dead()):
            causes = {rank: self.death_cause(rank) for rank in dead}
            alive = [engine for rank, engine in enumerate(self.ranks) if rank not in dead]
            numbers = self._renumber(alive, dead)
            if numbers is not None:
                self.ranks = [alive[numbers.index((r, len(alive)))] for r in range(len(alive))]
                self._deaths.clear()
                self.device_info = []
                return causes
        return {}

    def _renumber(self, alive: list[Engine], dead: list[int]) -> list[tuple[int, int]] | None:
        """Return new rank and world size of each engine; None if another one died meanwhile."""
        deadline = time.monotonic() + _RENUMBER_TIMEOUT_S
        replies = [engine.view.apply_async(calls.rank_and_world_size) for engine in alive]
        while alive and time.monotonic() < deadline:
            if self.dead() != dead:
                return None
            if all(reply.ready() for reply in replies):
                return [reply.get() for reply in replies]
            time.sleep(_POLL_INTERVAL_S)
        cause = self._first_death_cause()
        self.stop()
        raise RanksDied(f"{cause}\n{_NEW_RANKS}")

    def confirm_dead(self, rank: int) -> None:
        """Return when a rank that the controller has given up is dead; end it if necessary.

        Raises
        ------
        ClusterError
            If all ranks have ended with it.
        """
        deadline = time.monotonic() + _DEATH_NOTICE_TIMEOUT_S
        while True:
            self.check_alive()
            if rank in self.dead():
                return
            if time.monotonic() > deadline:
                # Its heartbeat comes from a thread of its own, so the whole process is stopped.
                self._unresponsive.add(self.ranks[rank].launch_rank)
                self.ranks[rank].kill()
            time.sleep(_POLL_INTERVAL_S)

    def _last_log_lines(self) -> str:
        return " / ".join(line.strip() for line in last_lines(self.run_folder / "engines.log", 6))

    def interrupt(self, ranks: list[int]) -> None:
        """Raise ``KeyboardInterrupt`` in the work of ``ranks``."""
        self._send("SIGINT", ranks)

    def stacks(self, ranks: list[int], timeout_s: float) -> dict[int, Stack]:
        """Return where each of ``ranks`` is, for those that answer within ``timeout_s`` seconds."""
        files = [self._processes.folder / stacks_name(number) for number in self.launch_ranks]
        send = partial(self._send, STACKS_SIGNAL.name)
        return request_stacks(files, send, ranks, timeout_s)

    def _send(self, signal_name: str, ranks: list[int]) -> None:
        targets = [self.ranks[rank].view.targets for rank in ranks]
        if targets:
            self.client.send_signal(signal_name, targets=targets, block=False)

    def memory(self) -> list[int | None]:
        """Return the resident memory of each rank in bytes; None where it is not known."""
        for engine in self.ranks:
            with suppress(psutil.Error):
                self._memory[engine.launch_rank] = engine.process.memory_info().rss
        return [self._memory.get(engine.launch_rank) for engine in self.ranks]

    @property
    def remaining(self) -> str:
        """A sentence about the ranks that go on after deaths."""
        subject = "1 rank goes on, with its names"
        if self.n > 1:
            subject = f"{self.n} ranks go on, with their names"
        return f"{subject}; cluster.grow() starts new ones in place of the lost"

    @property
    def launch_ranks(self) -> list[int]:
        """The rank that each rank was launched with, which names its log."""
        return [engine.launch_rank for engine in self.ranks]

    def pids(self) -> list[int]:
        """Return the process number of each rank."""
        return [engine.process.pid for engine in self.ranks]

    def stop(self) -> None:
        """End all processes; calling it again does nothing."""
        if self.client is not None:
            self.client.close()
            self.client = None
        self._processes.stop()
