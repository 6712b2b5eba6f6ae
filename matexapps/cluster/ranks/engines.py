"""The ranks of a cluster: who they are, how to reach them, and which have died."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import psutil

from matexapps.cluster.ranks import deaths
from matexapps.cluster.ranks.engine import Engine
from matexapps.cluster.ranks.launched import Launched
from matexapps.cluster.ranks.run_folder import last_lines, new_run_folder
from matexapps.cluster.ranks.stacks import Stack, ask
from matexapps.engine import calls
from matexapps.engine.rank_log import STACKS_SIGNAL, stacks_name
from matexapps.errors import ClusterError, RanksDied
from matexapps.launch import preflight

_LOOK_EVERY_S = 0.02
_HUB_TIMEOUT_S = 5.0
_NEWS_TIMEOUT_S = 5.0
_REASON_TIMEOUT_S = 1.0
_GATHERING_TIMEOUT_S = 40.0
_NEW_RANKS = "The next use of the cluster starts new ranks, without their names"


class Engines:
    """N running engines and the client that talks to them.

    Where MPI can do it, engines outlive the death of one: :meth:`dead` tells of it, and
    :meth:`gather` goes on with the others.

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
    ranks : list of Engine
        In the order of their ranks.

    Raises
    ------
    ClusterError
        If they do not start, or do not form one world of ``n`` ranks. Nothing is left behind.
    """

    def __init__(self, n: int, timeout_s: float, hang_after_s: float | None = None) -> None:
        self.hang_after_s = hang_after_s
        self.client: Any = None
        self.ranks: list[Engine] = []
        self.doing = ""
        self.cut_short = False
        self.facts: list[dict[str, Any]] = []
        self.run_folder = new_run_folder()
        self._memory: dict[int, int] = {}
        self._deaths: dict[int, deaths.Ending | None] = {}
        self._silent: set[int] = set()
        self._oom_kills = deaths.out_of_memory_kills()
        self._ended: dict[str, Any] | None = None
        self._launched = Launched(n, self.run_folder, hang_after_s)
        try:
            self._connect(n, time.monotonic() + timeout_s, timeout_s)
        except BaseException:
            self.stop()
            raise

    @property
    def n(self) -> int:
        """How many ranks there are."""
        return len(self.ranks)

    def _connect(self, n: int, deadline: float, timeout_s: float) -> None:
        # Imported while controller and engines come up in processes of their own.
        import ipyparallel

        while self.client is None:
            self._pause(deadline, f"no controller answered within {timeout_s:.0f} s")
            if (connection := self._launched.connection) is not None:
                # In short tries, since a controller that has ended in between never answers.
                with suppress(TimeoutError):
                    self.client = ipyparallel.Client(str(connection), timeout=_HUB_TIMEOUT_S)
        while len(self.client.ids) < n:
            present = len(self.client.ids)
            self._pause(deadline, f"{present} of {n} engines answered within {timeout_s:.0f} s")
        self.ranks = self._in_rank_order(n)

    def _in_rank_order(self, n: int) -> list[Engine]:
        ids = list(self.client.ids)
        told = self.client[ids].apply_sync(calls.identify)
        engines = {
            rank: Engine(rank, self.client[number], psutil.Process(pid))
            for number, (rank, _, pid) in zip(ids, told, strict=True)
        }
        if sorted((rank, size) for rank, size, _ in told) != [(rank, n) for rank in range(n)]:
            finding = preflight.check_start(n)
            said = ", ".join(f"rank {rank} of {size}" for rank, size, _ in told)
            reason = f": {finding}" if not finding.ok else "; run `matexapps check`"
            raise ClusterError(
                f"the engines are not one world of {n} ranks, they say {said}{reason}"
            )
        return [engines[rank] for rank in range(n)]

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
            self._ended = self._launched.ended()
        return self._ended is None

    def check_alive(self) -> None:
        """Raise ``ClusterError`` with the reason if controller or engines have ended."""
        if self.running:
            return
        assert self._ended is not None
        name, status = self._ended["ended"], self._ended["status"]
        if not self.ranks and name == "engines":
            said = (self.run_folder / "engines.log").read_text(errors="replace")
            finding = preflight.diagnose(said, status)
            raise ClusterError(f"the engines did not start: {finding}")
        why = deaths.explain(name, status, self.run_folder, self._circumstances)
        if name == "engines" and self._deaths:
            why = self._why_it_began()
        raise RanksDied(f"{why}\n{_NEW_RANKS}")

    def dead(self) -> list[int]:
        """Return the ranks that have died since the others were gathered last."""
        for rank, engine in enumerate(self.ranks):
            if rank not in self._deaths and not engine.alive:
                self._deaths[rank] = self._ending(engine)
        return sorted(self._deaths)

    def _ending(self, engine: Engine) -> deaths.Ending | None:
        deadline = time.monotonic() + _REASON_TIMEOUT_S
        log = self.run_folder / "engines.log"
        while (how := deaths.ending(engine.process.pid, log)) is None:
            if time.monotonic() > deadline or not self.running:
                break
            time.sleep(_LOOK_EVERY_S)
        return how

    def why(self, rank: int) -> str:
        """Return why a rank died, in a few lines."""
        born, how = self.ranks[rank].born, self._deaths[rank]
        place = (rank, born, socket.gethostname())
        return deaths.explain_rank(*place, how, self.run_folder, self._circumstances)

    def _why_it_began(self) -> str:
        # Where one death ends all, the launcher explains the first alone.
        explained = [rank for rank, how in self._deaths.items() if how is not None]
        return self.why(min(explained or self._deaths))

    @property
    def _circumstances(self) -> deaths.Circumstances:
        return deaths.Circumstances(self._memory, self._oom_kills, frozenset(self._silent))

    def gather(self) -> dict[int, str]:
        """Go on with the ranks that are left, numbered anew; return which died, and why.

        Raises
        ------
        ClusterError
            If they cannot go on; nothing runs afterwards.
        """
        for rank, engine in enumerate(self.ranks):
            if self.running and engine.alive and engine.view.targets not in self.client.ids:
                self.end_the_silent(rank)
        while self.running and (dead := self.dead()):
            whys = {rank: self.why(rank) for rank in dead}
            left = [engine for rank, engine in enumerate(self.ranks) if rank not in dead]
            told = self._come_together(left, dead)
            if told is not None:
                self.ranks = [left[told.index((rank, len(left)))] for rank in range(len(left))]
                self._deaths.clear()
                self.facts = []
                return whys
        return {}

    def _come_together(self, left: list[Engine], dead: list[int]) -> list[tuple[int, int]] | None:
        """Return rank and world size of each that is left; None if another one died meanwhile."""
        deadline = time.monotonic() + _GATHERING_TIMEOUT_S
        replies = [engine.view.apply_async(calls.come_together) for engine in left]
        while left and time.monotonic() < deadline:
            if self.dead() != dead:
                return None
            if all(reply.ready() for reply in replies):
                return [reply.get() for reply in replies]
            time.sleep(_LOOK_EVERY_S)
        why = self._why_it_began()
        self.stop()
        raise RanksDied(f"{why}\n{_NEW_RANKS}")

    def end_the_silent(self, rank: int) -> None:
        """Return once a rank that the controller has given up is dead; end it if it is not.

        Raises
        ------
        ClusterError
            If all have ended with it.
        """
        deadline = time.monotonic() + _NEWS_TIMEOUT_S
        while True:
            self.check_alive()
            if rank in self.dead():
                return
            if time.monotonic() > deadline:
                # Its heart beats in a thread of its own, so that it is stopped, or the system is.
                self._silent.add(self.ranks[rank].born)
                self.ranks[rank].end()
            time.sleep(_LOOK_EVERY_S)

    def _last_words(self) -> str:
        return " / ".join(line.strip() for line in last_lines(self.run_folder / "engines.log", 6))

    def interrupt(self, ranks: list[int]) -> None:
        """Raise ``KeyboardInterrupt`` in the work of ``ranks``."""
        self._send("SIGINT", ranks)

    def stacks(self, ranks: list[int], timeout_s: float) -> dict[int, Stack]:
        """Return where each of ``ranks`` is, of those that answer within ``timeout_s`` seconds."""
        files = [self._launched.folder / stacks_name(born) for born in self.born]
        return ask(files, lambda some: self._send(STACKS_SIGNAL.name, some), ranks, timeout_s)

    def _send(self, signal_name: str, ranks: list[int]) -> None:
        targets = [self.ranks[rank].view.targets for rank in ranks]
        if targets:
            self.client.send_signal(signal_name, targets=targets, block=False)

    def memory(self) -> list[int | None]:
        """Return the resident memory of each rank in bytes; None where it is not known."""
        for engine in self.ranks:
            with suppress(psutil.Error):
                self._memory[engine.born] = engine.process.memory_info().rss
        return [self._memory.get(engine.born) for engine in self.ranks]

    @property
    def left(self) -> str:
        """Who goes on after deaths, in words."""
        who = "1 rank goes on, with its names"
        if self.n > 1:
            who = f"{self.n} ranks go on, with their names"
        return f"{who}; cluster.grow() starts new ones in place of the lost"

    @property
    def born(self) -> list[int]:
        """The number that each rank started with, which its log bears."""
        return [engine.born for engine in self.ranks]

    def pids(self) -> list[int]:
        """Return the process number of each rank."""
        return [engine.process.pid for engine in self.ranks]

    def stop(self) -> None:
        """End all processes; harmless when done twice."""
        if self.client is not None:
            self.client.close()
            self.client = None
        self._launched.stop()
