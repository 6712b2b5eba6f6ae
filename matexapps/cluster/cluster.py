"""N ranks behind a notebook."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from matexapps.cluster.call.call import Call
from matexapps.cluster.cell import Cell
from matexapps.cluster.fitting import fit
from matexapps.cluster.handover import Handover
from matexapps.cluster.names import table_of_names
from matexapps.cluster.output.rich import show_rich
from matexapps.cluster.ranks.engines import Engines
from matexapps.cluster.ranks.run_folder import last_lines
from matexapps.cluster.results import FitResult
from matexapps.cluster.status import status
from matexapps.engine import cells
from matexapps.engine.rank_log import log_name
from matexapps.errors import ClusterError

RANKS = "MATEXAPPS_RANKS"


class Cluster:
    """N MPI ranks that a notebook, or a script, sends work to.

    The ranks start at the first use and are kept between cells. They end with :meth:`stop`, at the
    end of a ``with`` block, or when the notebook's kernel ends in whatever way.

    Parameters
    ----------
    n : int, optional
        Number of ranks. If omitted, the environment's ``MATEXAPPS_RANKS``, which ``matexapps run
        -n N`` sets; 2 without it.
    start_timeout_s : float
        How long starting may take, in seconds.
    hang_after_s : float, optional
        How long a rank may wait for others, or all be silent, before the ranks' stacks are shown,
        in seconds. If omitted, waiting is compared with what is usual for the work (at least 10 s),
        and silence is shown after 2 minutes.

    Attributes
    ----------
    log_folder : Path or None
        Where the logs of the ranks started last are, which stay when the ranks are gone.

    Raises
    ------
    ClusterError
        If ``n`` is not a whole number above 0.

    Examples
    --------
    >>> with Cluster(2) as cluster:
    ...     cluster.run("os:getpid")  # doctest: +SKIP
    [4711, 4712]
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        start_timeout_s: float = 60.0,
        hang_after_s: float | None = None,
    ) -> None:
        self._wanted = _ranks_from_environment() if n is None else n
        if not isinstance(self._wanted, int) or self._wanted < 1:
            raise ClusterError(f"a cluster needs 1 or more ranks, but n is {n!r}")
        if hang_after_s is not None and not hang_after_s > 0:
            raise ClusterError(f"hang_after_s must be above 0, got {hang_after_s!r}")
        self.start_timeout_s, self.hang_after_s = start_timeout_s, hang_after_s
        self.log_folder: Path | None = None
        self._engines: Engines | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def __repr__(self) -> str:
        state = "running" if self.running else "not started"
        return f"<Cluster of {self.n} ranks, {state}>"

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def n(self) -> int:
        """How many ranks there are; before they are started, how many there will be."""
        return self._engines.n if self._engines is not None and self.running else self._wanted

    @property
    def running(self) -> bool:
        """Whether the ranks are there."""
        return self._engines is not None and self._engines.running

    def start(self) -> Cluster:
        """Start the ranks, unless they run already, and return this cluster.

        Raises
        ------
        ClusterError
            If they do not start or do not form one world, with cause and cure.
        """
        if not self.running:
            self.stop()
            self._adopt(self._started(self._wanted))
        _remember(self)
        return self

    def _started(self, n: int) -> Engines:
        return Engines(n, self.start_timeout_s, self.hang_after_s)

    def _adopt(self, engines: Engines) -> None:
        self._engines, self.log_folder = engines, engines.run_folder
        self._finalizer = weakref.finalize(self, engines.stop)

    def stop(self) -> None:
        """End the ranks; the next use starts new ones."""
        if self._finalizer is not None:
            self._finalizer()
        self._engines = self._finalizer = None

    def restart(self) -> Cluster:
        """End the ranks and start new ones; names that live on the ranks are gone."""
        self.stop()
        return self.start()

    def grow(self, n: int | None = None) -> Cluster:
        """Start new ranks in place of lost ones, or more, and give them what the others hold.

        All processes are started anew. Each rank that was there gets its own names back; the new
        ones get those names that were the same on all. What is handed over is told, and what is
        not. Communicators and trainers among the names span all ranks from then on.

        Parameters
        ----------
        n : int, optional
            How many ranks there shall be. If omitted, as many as were started.

        Raises
        ------
        ClusterError
            If there are more already, or the new ones do not start.
        """
        engines = self._running_engines()
        wanted = self._wanted if n is None else n
        if not isinstance(wanted, int) or wanted < engines.n:
            raise ClusterError(f"there are {engines.n} ranks, which cannot grow to {wanted!r}")
        if wanted > engines.n:
            print(self._replace(engines, wanted), file=sys.stderr)
        return self

    def _replace(self, engines: Engines, n: int) -> str:
        legacy, new = Handover.of(engines), self._started(n)
        try:
            told = legacy.leave_to(new)
        except BaseException:
            new.stop()
            raise
        self.stop()
        self._wanted = n
        self._adopt(new)
        return told

    def status(self) -> pd.DataFrame:
        """Return a row for each rank: host, pid, device, threads, memory in GiB, what it runs."""
        return status(self._running_engines())

    def logs(self, rank: int | None = None, lines: int = 20) -> str:
        """Return the last lines of the log of one rank, or of each, with the files' names."""
        if self.log_folder is None:
            raise ClusterError("there are no logs yet: the ranks have not been started")
        chosen = self._chosen(rank)
        born = self._engines.born if self._engines is not None else range(self.n)
        paths = [self.log_folder / log_name(born[r]) for r in chosen]
        return "\n\n".join("\n".join([str(p), *last_lines(p, lines)]) for p in paths)

    def run(self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call ``function`` with the same arguments on every rank and wait, showing progress.

        Parameters
        ----------
        function : callable or str
            A function, of a module or written in a cell, or ``"package.module:name"``.
        *args, **kwargs
            Anything that can be pickled, classes and functions of the notebook included.

        Returns
        -------
        list
            What each rank returned, in rank order.

        Raises
        ------
        MatexError
            The failure that came first, with its rank, host and traceback: as its own class where
            it is an error of matexapps, otherwise as ``ClusterError``.
        KeyboardInterrupt
            If interrupted, once the ranks have been interrupted too.
        """
        return list(self._call(_label(function), function, args, kwargs).values())

    def execute(
        self,
        code: str | Cell,
        *,
        ranks: int | Iterable[int] | None = None,
        timeout_s: float | None = None,
        fetch: bool = False,
        distribute: bool = False,
    ) -> list[Any] | None:
        """Run ``code`` on ranks as a notebook runs a cell, in a namespace that is kept there.

        What the ranks print, draw, and evaluate last is shown, once where it is the same.

        Parameters
        ----------
        code : str or Cell
        ranks : int or iterable of int, optional
            Where; default: on every rank.
        timeout_s : float, optional
            After which it is stopped, in seconds.
        fetch : bool
            Whether to bring back the value of the last expression.
        distribute : bool
            Whether the code was written for one process, and is run as inside
            :class:`matexapps.distributed`; on all ranks then.

        Returns
        -------
        list or None
            With ``fetch``, each rank's value, in the order of the ranks.

        Raises
        ------
        MatexError, KeyboardInterrupt
            As for :meth:`run`, and ClusterError after ``timeout_s``.
        """
        cell = Cell(code) if isinstance(code, str) else code
        engines, chosen = self._running_engines(), self._chosen(ranks)
        if distribute and len(chosen) < self.n:
            raise ClusterError("a cell that is shared out runs on all ranks; leave the ranks out")
        run, arguments = cells.run_cell, cell.arguments(fetch, distribute)
        call = Call(engines, chosen, cell.name, run, arguments, {}, timeout_s, as_one=distribute)
        outcomes = call.results()
        values = {rank: [(o["data"], o["metadata"])] for rank, o in outcomes.items() if o["data"]}
        if distribute:
            values = {rank: shown for rank, shown in values.items() if rank == 0}
        show_rich(values, self.n == 1 or distribute)
        return [outcome["value"] for outcome in outcomes.values()] if fetch else None

    def push(self, names: dict[str, Any], *, ranks: int | Iterable[int] | None = None) -> None:
        """Set names on ranks to values that can be pickled."""
        self._call("push", cells.push, (names,), {}, ranks)

    def pull(self, name: str, *, ranks: int | Iterable[int] | None = None) -> list[Any]:
        """Return what ``name`` is on each of the ranks, in their order."""
        return [
            values[0] for values in self._call("pull", cells.pull, ([name],), {}, ranks).values()
        ]

    def who(self) -> pd.DataFrame:
        """Return a row for each name that lives on the ranks: ranks, type and value."""
        return table_of_names(self._call("who", cells.who, (), {}))

    def fit(self, model: Any, data: Any, *, epochs: int, **trainer_settings: Any) -> FitResult:
        """Train ``model`` on ``data`` on all ranks.

        Parameters
        ----------
        model : torch.nn.Module
            The network; it stays untouched, the trained copy comes back.
        data : DataSet
            What to train on. A ``DataSet`` of a file's name travels as that name.
        epochs : int
            How many passes over the training rows.
        **trainer_settings
            As for :class:`matexapps.Trainer`: ``loss``, ``optimizer``, ``batch_size`` (of all ranks
            together), ``metrics``, ``callbacks``, ``seed`` and so on. With
            ``callbacks=[Checkpointing(folder)]`` and ``resume=folder``, the same cell run again
            after a crash, or a Stop, goes on from the last checkpoint. With ``recovery="reinit"``
            or ``"checkpoint"`` new ranks are started when some die, and the fit is begun again, up
            to 3 times: from the state in the memory of the ranks that are left, or from the newest
            checkpoint. A rank that keeps the others waiting for ``timeout_s``, 600 seconds if not
            given, is ended and counts as dead.

        Raises
        ------
        MatexError
            As for :meth:`run`.
        """
        return fit(self, model, data, epochs, trainer_settings)

    def _call(
        self,
        label: str,
        function: Callable[..., Any] | str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        ranks: int | Iterable[int] | None = None,
    ) -> dict[int, Any]:
        engines = self._running_engines()
        return Call(engines, self._chosen(ranks), label, function, args, kwargs).results()

    def _chosen(self, ranks: int | Iterable[int] | None) -> Sequence[int]:
        if ranks is None:
            return range(self.n)
        chosen = [ranks] if isinstance(ranks, int) else sorted(set(ranks))
        for rank in chosen:
            if not 0 <= rank < self.n:
                raise ClusterError(f"there is no rank {rank}; there are ranks 0 to {self.n - 1}")
        if not chosen:
            raise ClusterError("no rank is named; leave ranks= out for all of them")
        return chosen

    def _running_engines(self) -> Engines:
        engines = self.start()._engines
        assert engines is not None
        for why in engines.gather().values():
            print(f"While nothing ran, {why}\n{engines.left}", file=sys.stderr)
        return engines


def started_last() -> Cluster | None:
    """Return the cluster that was started last in this process, if it is still there."""
    return None if _started is None else _started()


_started: weakref.ref[Cluster] | None = None


def _remember(cluster: Cluster) -> None:
    global _started
    _started = weakref.ref(cluster)


def _label(function: Callable[..., Any] | str) -> str:
    if isinstance(function, str):
        return function.rpartition(":")[2]
    return getattr(function, "__name__", type(function).__name__)


def _ranks_from_environment() -> int:
    text = os.environ.get(RANKS, "2")
    if not text.isdecimal():
        raise ClusterError(f"{RANKS} is {text!r}; set it to a whole number of ranks, or unset it")
    return int(text)
