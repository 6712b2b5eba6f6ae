"""A fit that a notebook asks for: what runs on each engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from matexapps.comm.failures.policy import announce_fault_tolerance, enable_reinit
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet
from matexapps.data.part import Part
from matexapps.data.rows import Rows
from matexapps.data.splitting.split_settings import PARTS
from matexapps.devices import describe, summary
from matexapps.errors import RankFailureError, TrainingError, did_you_mean
from matexapps.train.state.reinit_state import reinit_state
from matexapps.train.trainer import Trainer

_PREDICTION_SETTINGS = ("precision", "device", "timeout_s")
_FIT_SETTINGS = ["resume", *signature(Trainer).parameters]


class RemoteFit:
    """The fits of this process, and the outcome of the last one."""

    def __init__(self) -> None:
        self._outcome: dict[str, Any] | None = None

    def fit(
        self,
        model: nn.Module,
        data: DataSet,
        epochs: int,
        *,
        timeout_s: float = 600.0,
        **settings: Any,
    ) -> dict[str, Any] | None:
        """Train ``model`` on all ranks; rank 0 returns what a notebook wants back. Collective.

        Parameters
        ----------
        model : torch.nn.Module
        data : DataSet
        epochs : int
        timeout_s : float
            As for :func:`~matexapps.comm.world.open_world`.
        **settings
            Keyword arguments of :class:`~matexapps.train.trainer.Trainer`, and ``resume`` of its
            ``fit``.

        Returns
        -------
        dict or None
            On rank 0: ``history`` and ``events``, as in :class:`~matexapps.history.History`;
            ``metrics``, the results on the test rows, or on the validation rows where there are no
            test rows; ``model``, trained, on the CPU. None on the other ranks.
        """
        self._outcome = None
        _refuse_unknown(settings, _FIT_SETTINGS)
        if settings.get("recovery") != "reinit":
            return self._fit(model, data, epochs, timeout_s, settings)
        with enable_reinit():
            try:
                outcome = self._fit(model, data, epochs, timeout_s, settings)
            except RankFailureError:
                reinit_state.keep()
                raise
            reinit_state.clear()
            return outcome

    def finished(self) -> dict[str, Any] | None:
        """Return the outcome of the last fit, on any rank; None if it did not finish."""
        return self._outcome

    def _fit(
        self,
        model: nn.Module,
        data: DataSet,
        epochs: int,
        timeout_s: float,
        settings: dict[str, Any],
    ) -> dict[str, Any] | None:
        resume = settings.pop("resume", None)
        with announce_fault_tolerance(), open_world(timeout_s) as comm:
            trainer = Trainer(model, comm=comm, **settings)
            device = settings.get("device", "auto")
            ranks = trainer.run_fault_tolerant("before training", lambda: describe(comm, device))
            if comm.rank == 0:
                print(summary(ranks), flush=True)
            data = trainer.run_fault_tolerant("while data were read", lambda: data.load(comm))
            history = trainer.fit(data, epochs, resume=resume)
            judged = data.test if len(data.test) else data.validation
            metrics = trainer.evaluate(judged) if len(judged) else {}
            self._outcome = {
                "history": history.rows,
                "events": history.events,
                "metrics": metrics,
                "model": trainer.model.cpu(),
            }
            return self._outcome if comm.rank == 0 else None


# Of this process: a notebook asks for the outcome after the call in which rank 0 died.
_remote_fit = RemoteFit()
fit, finished = _remote_fit.fit, _remote_fit.finished


def evaluate(
    model: nn.Module, data: DataSet, part: str | None, settings: dict[str, Any]
) -> dict[str, float]:
    """Return loss and metrics of ``model`` on a part of ``data``, on every rank. Collective.

    Parameters
    ----------
    model : torch.nn.Module
    data : DataSet
    part : {"train", "validation", "test"} or None
        None takes the test rows, or the validation rows if there are none.
    settings : dict
        ``loss``, ``metrics``, ``precision`` and ``device`` as for
        :class:`~matexapps.train.trainer.Trainer`; ``timeout_s`` as for
        :func:`~matexapps.comm.world.open_world`.

    Raises
    ------
    TrainingError
        If a name is unknown, or the part has no rows.
    """
    if not isinstance(data, DataSet):
        raise TrainingError(
            f"evaluation needs a DataSet, whose rows have labels, got {type(data).__name__}"
        )
    with _open_trainer(model, settings, ("loss", "metrics", *_PREDICTION_SETTINGS)) as trainer:
        return trainer.evaluate(_rows_of(data, part, trainer))


def predict(
    model: nn.Module, rows: DataSet | Rows | ArrayLike, part: str | None, settings: dict[str, Any]
) -> NDArray[Any] | None:
    """Return the outputs of ``model`` for ``rows``, in their order, on rank 0. Collective.

    Parameters
    ----------
    model : torch.nn.Module
    rows : DataSet, Rows or array_like of shape (rows, columns) or (rows, *sample shape)
    part : {"train", "validation", "test"} or None
        The part of a ``DataSet``, as for :func:`evaluate`; None for other rows.
    settings : dict
        ``precision``, ``device`` and ``timeout_s``, as for :func:`evaluate`.

    Returns
    -------
    ndarray of shape (rows, *output shape), or None
        None on all ranks but the first.

    Raises
    ------
    TrainingError
        If a name is unknown, or there are no rows.
    """
    if part is not None and not isinstance(rows, DataSet):
        raise TrainingError(f"part={part!r} names a part of a DataSet; leave it out for an array")
    with _open_trainer(model, settings, _PREDICTION_SETTINGS) as trainer:
        if isinstance(rows, DataSet):
            chosen = _rows_of(rows, part, trainer)
        elif isinstance(rows, Rows):
            chosen = rows
        else:
            features = np.asarray(rows)
            chosen = Rows.from_arrays(features, np.zeros(len(features)))
        outputs = trainer.predict(chosen)
        return outputs if trainer.comm.rank == 0 else None


@contextmanager
def _open_trainer(
    model: nn.Module, settings: dict[str, Any], known: Sequence[str]
) -> Iterator[Trainer]:
    _refuse_unknown(settings, known)
    others = {name: value for name, value in settings.items() if name != "timeout_s"}
    with announce_fault_tolerance(), open_world(settings.get("timeout_s", 600.0)) as comm:
        yield Trainer(model, comm=comm, **others)


def _refuse_unknown(settings: Iterable[str], known: Sequence[str]) -> None:
    for name in settings:
        if name not in known:
            hint = did_you_mean(name, known)
            raise TrainingError(f"unknown setting {name!r}{hint}; use one of {', '.join(known)}")


def _rows_of(data: DataSet, part: str | None, trainer: Trainer) -> Part:
    if part is not None and part not in PARTS:
        hint = did_you_mean(part, PARTS)
        raise TrainingError(f"unknown part {part!r}{hint}; use one of {', '.join(PARTS)}")
    comm = trainer.comm
    data = trainer.run_fault_tolerant("while data were read", lambda: data.load(comm))
    if part is not None:
        rows: Part = getattr(data, part)
        return rows
    if not len(data.test) and not len(data.validation):
        raise TrainingError("the data have neither test nor validation rows; use part='train'")
    return data.test if len(data.test) else data.validation
