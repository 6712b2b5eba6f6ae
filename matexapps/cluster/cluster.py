"""N ranks behind a notebook."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from matexapps.cluster import training
from matexapps.cluster.call.call import Call
from matexapps.cluster.cell import Cell
from matexapps.cluster.output.display import show_by_rank
from matexapps.cluster.rank_pool import RankPool
from matexapps.cluster.tables import name_table
from matexapps.cluster.training import FitResult
from matexapps.engine import cells
from matexapps.errors import ClusterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKS = "MATEXAPPS_RANKS"


class Cluster(RankPool):
    """N MPI ranks that a notebook, or a script, sends work to.

    The ranks are started at the first use and kept between cells. They end with :meth:`stop`, at
    the end of a ``with`` block, or when the notebook's kernel ends in whatever way.

    Parameters
    ----------
    n : int, optional
        Number of ranks. Default: the environment's ``MATEXAPPS_RANKS``, which ``matexapps run -n
        N`` sets, or else 2.
    start_timeout_s : float
        How long starting may take, in seconds.
    hang_after_s : float, optional
        How long a rank may wait for others, or all ranks be silent, before their stacks are shown,
        in seconds. By default a wait is compared with what is usual for the work (at least 10 s),
        and silence is reported after 2 minutes.

    Attributes
    ----------
    log_folder : Path or None
        The logs of the ranks that were started last. They stay when the ranks are gone.

    Raises
    ------
    ClusterError
        If ``n`` is not an integer above 0.

    Examples
    --------
    >>> with Cluster(2) as cluster:
    ...     cluster.run("os:getpid")  # doctest: +SKIP
    [4711, 4712]
    """

    _latest: ClassVar[weakref.ref[Cluster] | None] = None

    def __init__(
        self,
        n: int | None = None,
        *,
        start_timeout_s: float = 60.0,
        hang_after_s: float | None = None,
    ) -> None:
        n = _ranks_from_environment() if n is None else n
        super().__init__(n, start_timeout_s, hang_after_s)

    @classmethod
    def latest(cls) -> Cluster | None:
        """Return the cluster that was started last in this process, if it still exists."""
        return None if Cluster._latest is None else Cluster._latest()

    def start(self) -> Self:
        """Start the ranks, unless they are running already, and return this cluster.

        Raises
        ------
        ClusterError
            If they do not start or do not form one world, with cause and cure.
        """
        super().start()
        Cluster._latest = weakref.ref(self)
        return self

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

        What the ranks print and draw, and the value of the last expression, is shown; only once
        where it is equal on all ranks.

        Parameters
        ----------
        code : str or Cell
        ranks : int or iterable of int, optional
            The ranks to run on; default: all.
        timeout_s : float, optional
            Time limit in seconds, after which the code is stopped.
        fetch : bool
            Whether to return the value of the last expression.
        distribute : bool
            Whether the code was written for one process and runs as inside
            :class:`matexapps.distributed`; this takes all ranks.

        Returns
        -------
        list or None
            With ``fetch``, each rank's value, in rank order.

        Raises
        ------
        MatexError, KeyboardInterrupt
            As for :meth:`run`, and ClusterError after ``timeout_s``.
        """
        cell = Cell(code) if isinstance(code, str) else code
        engines, chosen = self._running_engines(), self._checked_ranks(ranks)
        if distribute and len(chosen) < self.n:
            raise ClusterError("a distributed cell runs on all ranks; leave the ranks out")
        call = Call(
            engines,
            chosen,
            cell.name,
            cells.run_cell,
            cell.arguments(fetch, distribute),
            {},
            timeout_s,
            as_one=distribute,
        )
        outcomes = call.results()
        values = {rank: [(o["data"], o["metadata"])] for rank, o in outcomes.items() if o["data"]}
        if distribute:
            values = {rank: bundles for rank, bundles in values.items() if rank == 0}
        show_by_rank(values, headings=self.n > 1 and not distribute)
        return [outcome["value"] for outcome in outcomes.values()] if fetch else None

    def push(self, names: dict[str, Any], *, ranks: int | Iterable[int] | None = None) -> None:
        """Set names on ranks to values that can be pickled."""
        self._call("push", cells.push, (names,), ranks=ranks)

    def pull(self, name: str, *, ranks: int | Iterable[int] | None = None) -> list[Any]:
        """Return the value of ``name`` on each of the ranks, in rank order."""
        values = self._call("pull", cells.pull, ([name],), ranks=ranks)
        return [value for (value,) in values.values()]

    def who(self) -> pd.DataFrame:
        """Return a row for each name on the ranks: the ranks that have it, its type and value."""
        return name_table(self._call("who", cells.who))

    def fit(self, model: Any, data: Any, *, epochs: int, **trainer_settings: Any) -> FitResult:
        """Train ``model`` on ``data`` on all ranks.

        Parameters
        ----------
        model : torch.nn.Module
            The network. It is not changed; the trained copy comes back.
        data : DataSet
            The rows to train on. A ``DataSet`` of a file's name travels as that name.
        epochs : int
            Number of passes over the training rows.
        **trainer_settings
            As for :class:`matexapps.Trainer`: ``loss``, ``optimizer``, ``batch_size`` (of all ranks
            together), ``metrics``, ``callbacks``, ``seed`` and so on. With
            ``callbacks=[Checkpointing(folder)]`` and ``resume=folder``, the same cell, run again
            after a crash or a Stop, continues from the last checkpoint. With ``recovery="reinit"``
            or ``"checkpoint"``, new ranks are started when some die, and the fit starts again, up
            to 3 times: from the state in the memory of the remaining ranks, or from the newest
            checkpoint. A rank that makes the others wait longer than ``timeout_s`` (default: 600
            seconds) is ended and counts as dead.

        Raises
        ------
        MatexError
            As for :meth:`run`.

        Examples
        --------
        >>> import numpy as np, torch, matexapps as mx
        >>> rows = np.random.default_rng(0).normal(size=(200, 3))
        >>> data = mx.DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float))
        >>> with mx.Cluster(2) as cluster:  # doctest: +SKIP
        ...     result = cluster.fit(torch.nn.Linear(3, 1), data, epochs=2, batch_size=50)
        >>> result.history.frame["loss"]  # doctest: +SKIP
        """
        return training.fit(self, model, data, epochs, trainer_settings)

    def evaluate(
        self, model: Any, data: Any, *, part: str | None = None, **settings: Any
    ) -> dict[str, float]:
        """Return the loss and the metrics of ``model`` on ``data``, computed on all ranks.

        Every row counts exactly once.

        Parameters
        ----------
        model : torch.nn.Module
            The network; it is not changed.
        data : DataSet
            The rows to judge it on.
        part : {"train", "validation", "test"}, optional
            The part of the data; default: the test rows, or the validation rows if there are none.
        **settings
            As for :class:`matexapps.Trainer`: ``loss``, ``metrics``, ``precision``, ``device``;
            and ``timeout_s`` as for :meth:`fit`.

        Returns
        -------
        dict of str to float
            ``loss`` and each metric, by name: what ``Trainer.evaluate`` returns.

        Raises
        ------
        TrainingError
            If a setting, a part, a loss or a metric has an unknown name, or the part has no rows.
        MatexError
            As for :meth:`run`.

        Examples
        --------
        >>> import numpy as np, torch, matexapps as mx
        >>> rows = np.random.default_rng(0).normal(size=(200, 3))
        >>> data = mx.DataSet.from_arrays(rows, (rows[:, 0] > 0).astype(float))
        >>> with mx.Cluster(2) as cluster:  # doctest: +SKIP
        ...     cluster.evaluate(torch.nn.Linear(3, 1), data, metrics=["accuracy"])
        {'loss': 0.71, 'accuracy': 0.45}
        """
        return training.evaluate(self, model, data, part, settings)

    def predict(
        self, model: Any, rows: Any, *, part: str | None = None, **settings: Any
    ) -> NDArray[Any]:
        """Return the outputs of ``model`` for ``rows``, computed on all ranks.

        Parameters
        ----------
        model : torch.nn.Module
            The network; it is not changed.
        rows : array_like, shape (rows, columns) or (rows, *sample shape), or DataSet
            Features without labels, or data whose rows are to be predicted. A ``DataSet`` of a
            file's name travels as that name; an array is sent to every rank.
        part : {"train", "validation", "test"}, optional
            The part of a ``DataSet``; default: the test rows, or the validation rows if there are
            none.
        **settings
            As for :class:`matexapps.Trainer`: ``precision``, ``device``; and ``timeout_s`` as for
            :meth:`fit`.

        Returns
        -------
        ndarray, shape (rows, *output shape)
            The network's raw outputs, such as logits, in the order of the rows.

        Raises
        ------
        TrainingError
            If a setting or a part has an unknown name, or there are no rows.
        MatexError
            As for :meth:`run`.

        Examples
        --------
        >>> import numpy as np, torch, matexapps as mx
        >>> rows = np.random.default_rng(0).normal(size=(5, 3))
        >>> with mx.Cluster(2) as cluster:  # doctest: +SKIP
        ...     cluster.predict(torch.nn.Linear(3, 1), rows).shape
        (5, 1)
        """
        return training.predict(self, model, rows, part, settings)


def _ranks_from_environment() -> int:
    text = os.environ.get(RANKS, "2")
    if not text.isdecimal():
        raise ClusterError(f"{RANKS} is {text!r}; set it to a number of ranks, or unset it")
    return int(text)
