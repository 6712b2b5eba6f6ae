"""A fit that a notebook asks for: what runs on each engine."""

from __future__ import annotations

from typing import Any

from torch import nn

from matexapps.comm.failures.policy import announce_fault_tolerance, enable_reinit
from matexapps.comm.world import open_world
from matexapps.data.dataset import DataSet
from matexapps.devices import describe, summary
from matexapps.errors import RankFailureError
from matexapps.train.state import reinit_state
from matexapps.train.trainer import Trainer

_finished: dict[str, Any] | None = None


def fit(
    model: nn.Module, data: DataSet, epochs: int, *, timeout_s: float = 600.0, **settings: Any
) -> dict[str, Any] | None:
    """Train ``model`` on all ranks; rank 0 returns what a notebook wants back.

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
        On rank 0: ``history`` and ``events``, as in
        :class:`~matexapps.train.monitor.history.History`; ``metrics``, the results on the test
        rows, or on the validation rows where there are no test rows; ``model``, trained, on the
        CPU. None on the other ranks.
    """
    global _finished
    _finished = None
    if settings.get("recovery") != "reinit":
        return _fit(model, data, epochs, timeout_s, settings)
    with enable_reinit():
        try:
            outcome = _fit(model, data, epochs, timeout_s, settings)
        except RankFailureError:
            reinit_state.keep()
            raise
        reinit_state.forget()
        return outcome


def finished() -> dict[str, Any] | None:
    """Return what the last fit came to, on any rank; None if it did not come to its end."""
    return _finished


def _fit(
    model: nn.Module, data: DataSet, epochs: int, timeout_s: float, settings: dict[str, Any]
) -> dict[str, Any] | None:
    global _finished
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
        _finished = {
            "history": history.rows,
            "events": history.events,
            "metrics": metrics,
            "model": trainer.model.cpu(),
        }
        return _finished if comm.rank == 0 else None
