"""N ranks behind a notebook."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import pandas as pd

from matexapps.cluster import on_engine
from matexapps.cluster.call import Call
from matexapps.cluster.engines import Engines
from matexapps.cluster.results import FitResult
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

    def __init__(self, n: int | None = None, *, start_timeout_s: float = 60.0) -> None:
        self.n = _ranks_from_environment() if n is None else n
        if not isinstance(self.n, int) or self.n < 1:
            raise ClusterError(f"a cluster needs 1 or more ranks, but n is {self.n!r}")
        self.start_timeout_s = start_timeout_s
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
            engines = Engines(self.n, self.start_timeout_s)
            self._engines = engines
            self._finalizer = weakref.finalize(self, engines.stop)
        return self

    def stop(self) -> None:
        """End the ranks; the next use starts new ones."""
        if self._finalizer is not None:
            self._finalizer()
        self._engines = self._finalizer = None

    def ranks(self) -> pd.DataFrame:
        """Return a row for each rank: host, pid, device, threads, memory in GiB."""
        rows = self.run(on_engine.describe_ranks)[0]
        return pd.DataFrame(rows).set_index("rank")

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
        return Call(self._running_engines(), function, args, kwargs).results()

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
            together), ``metrics``, ``callbacks``, ``seed`` and so on.

        Raises
        ------
        MatexError
            As for :meth:`run`.
        """
        session = "matexapps.train.session:fit"
        outcome = self.run(session, model, data, epochs=epochs, **trainer_settings)[0]
        return FitResult(pd.DataFrame(outcome["history"]), outcome["metrics"], outcome["model"])

    def _running_engines(self) -> Engines:
        engines = self.start()._engines
        assert engines is not None
        return engines


def _ranks_from_environment() -> int:
    text = os.environ.get(RANKS, "2")
    if not text.isdecimal():
        raise ClusterError(f"{RANKS} is {text!r}; set it to a whole number of ranks, or unset it")
    return int(text)
