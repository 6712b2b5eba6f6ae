"""The ranks of a cluster: started at their first use, kept, grown and ended."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from matexapps.cluster.call.call import Call
from matexapps.cluster.handover import Handover
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.ranks.run_folder import last_lines
from matexapps.cluster.tables import status_table
from matexapps.engine.rank_log import log_name
from matexapps.errors import ClusterError


class RankPool:
    """N MPI ranks that are started at their first use and kept until they are stopped.

    Parameters
    ----------
    n : int
        Number of ranks.
    start_timeout_s : float
        How long starting may take, in seconds.
    hang_after_s : float or None
        How long ranks may wait or be silent before their stacks are shown, in seconds.

    Attributes
    ----------
    log_folder : Path or None
        The logs of the ranks that were started last. They stay when the ranks are gone.

    Raises
    ------
    ClusterError
        If ``n`` is not an integer above 0, or ``hang_after_s`` is not above 0.
    """

    def __init__(self, n: int, start_timeout_s: float, hang_after_s: float | None) -> None:
        if not isinstance(n, int) or n < 1:
            raise ClusterError(f"a cluster needs 1 or more ranks, but n is {n!r}")
        if hang_after_s is not None and not hang_after_s > 0:
            raise ClusterError(f"hang_after_s must be above 0, got {hang_after_s!r}")
        self.start_timeout_s, self.hang_after_s = start_timeout_s, hang_after_s
        self.log_folder: Path | None = None
        self._requested_n = n
        self._engines: Engines | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def __repr__(self) -> str:
        state = "running" if self.running else "not started"
        return f"<{type(self).__name__} of {self.n} ranks, {state}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def n(self) -> int:
        """The number of ranks; before they are started, how many there will be."""
        return self._engines.n if self._engines is not None and self.running else self._requested_n

    @property
    def running(self) -> bool:
        """Whether the ranks are running."""
        return self._engines is not None and self._engines.running

    def start(self) -> Self:
        """Start the ranks, unless they are running already, and return this cluster.

        Raises
        ------
        ClusterError
            If they do not start or do not form one world, with cause and cure.
        """
        if not self.running:
            self.stop()
            self._adopt(self._start_engines(self._requested_n))
        return self

    def _start_engines(self, n: int) -> Engines:
        return Engines(n, self.start_timeout_s, self.hang_after_s)

    def _adopt(self, engines: Engines) -> None:
        self._engines, self.log_folder = engines, engines.run_folder
        self._finalizer = weakref.finalize(self, engines.stop)

    def stop(self) -> None:
        """End the ranks; the next use starts new ones."""
        if self._finalizer is not None:
            self._finalizer()
        self._engines = self._finalizer = None

    def restart(self) -> Self:
        """End the ranks and start new ones; all names on the ranks are gone."""
        self.stop()
        return self.start()

    def grow(self, n: int | None = None) -> Self:
        """Start new ranks in place of lost ones, or more, and copy names to them.

        All processes are started anew. Each earlier rank gets its own names back; the new ones get
        the names that were equal on all ranks. A message lists what was handed over and what was
        not. Communicators and trainers among the names span all ranks from then on.

        Parameters
        ----------
        n : int, optional
            The number of ranks to have; default: as many as were started.

        Raises
        ------
        ClusterError
            If there are more ranks already, or the new ones do not start.
        """
        engines = self._running_engines()
        n = self._requested_n if n is None else n
        if not isinstance(n, int) or n < engines.n:
            raise ClusterError(f"there are {engines.n} ranks, which cannot grow to {n!r}")
        if n > engines.n:
            print(self._replace(engines, n), file=sys.stderr)
        return self

    def _replace(self, engines: Engines, n: int) -> str:
        handover, new = Handover.collect(engines), self._start_engines(n)
        try:
            summary = handover.deliver(new)
        except BaseException:
            new.stop()
            raise
        self.stop()
        self._requested_n = n
        self._adopt(new)
        return summary

    def status(self) -> pd.DataFrame:
        """Return a row for each rank: host, pid, device, threads, memory in GiB, what it runs."""
        return status_table(self._running_engines())

    def logs(self, rank: int | None = None, lines: int = 20) -> str:
        """Return the last lines of one rank's log, or of each rank's, below the file's name."""
        if self.log_folder is None:
            raise ClusterError("there are no logs yet: the ranks have not been started")
        ranks = self._checked_ranks(rank)
        numbers = range(self.n) if self._engines is None else self._engines.launch_ranks
        paths = [self.log_folder / log_name(numbers[rank]) for rank in ranks]
        return "\n\n".join("\n".join([str(path), *last_lines(path, lines)]) for path in paths)

    def run(self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call ``function`` with the same arguments on every rank and wait, showing progress.

        Parameters
        ----------
        function : callable or str
            A function of a module or of a cell, or ``"package.module:name"``.
        *args, **kwargs
            Anything that can be pickled, classes and functions of the notebook included.

        Returns
        -------
        list
            What each rank returned, in rank order.

        Raises
        ------
        MatexError
            The exception that came first, with its rank, host and traceback: of its own class if
            it is an error of matexapps, otherwise a ``ClusterError``.
        KeyboardInterrupt
            If interrupted, after the ranks have been interrupted too.
        """
        return list(self._call(_label(function), function, args, kwargs).values())

    def _call(
        self,
        label: str,
        function: Callable[..., Any] | str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        ranks: int | Iterable[int] | None = None,
    ) -> dict[int, Any]:
        engines = self._running_engines()
        checked = self._checked_ranks(ranks)
        return Call(engines, checked, label, function, args, kwargs or {}).results()

    def _checked_ranks(self, ranks: int | Iterable[int] | None) -> Sequence[int]:
        if ranks is None:
            return range(self.n)
        chosen = [ranks] if isinstance(ranks, int) else sorted(set(ranks))
        for rank in chosen:
            if not 0 <= rank < self.n:
                raise ClusterError(f"there is no rank {rank}; there are ranks 0 to {self.n - 1}")
        if not chosen:
            raise ClusterError("no rank is named; leave ranks= out to use all of them")
        return chosen

    def _running_engines(self) -> Engines:
        engines = self.start()._engines
        assert engines is not None
        for cause in engines.remove_dead().values():
            print(f"While nothing ran, {cause}\n{engines.remaining}", file=sys.stderr)
        return engines


def _label(function: Callable[..., Any] | str) -> str:
    if isinstance(function, str):
        return function.rpartition(":")[2]
    return getattr(function, "__name__", type(function).__name__)
