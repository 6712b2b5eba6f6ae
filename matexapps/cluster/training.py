"""Training, evaluation and prediction on a cluster; a fit starts again where recovery needs it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matexapps.cluster.rank_pool import RankPool
from matexapps.errors import RanksDied
from matexapps.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REMOTE = "matexapps.train.remote"
_STATE = "matexapps.train.state.reinit_state"
_MAX_RESTARTS = 3


@dataclass(frozen=True)
class FitResult:
    """The outcome of one fit.

    Attributes
    ----------
    history : History
        A row for each epoch (loss, validation loss, metrics, learning rate, rows/s, seconds), and
        the events of lost ranks. ``history.frame`` is a table, ``history.plot()`` a figure.
    metrics : dict of str to float
        Loss and metrics of the trained model on the test rows, or on the validation rows if there
        are no test rows.
    model : Any
        The trained model, on the CPU.
    """

    history: History
    metrics: dict[str, float]
    model: Any

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of lost ranks: those of the history."""
        return self.history.events

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        lines = [f"FitResult after {len(self.history.rows)} epochs: {metrics}"]
        return "\n".join([*lines, *(event["event"] for event in self.events)])


def fit(pool: RankPool, model: Any, data: Any, epochs: int, settings: dict[str, Any]) -> FitResult:
    """Train as :meth:`Cluster.fit` says; ``settings`` are those of the trainer."""
    restarts = 0
    while True:
        n = pool.n
        try:
            outcome = pool.run(f"{_REMOTE}:fit", model, data, epochs=epochs, **settings)[0]
        except RanksDied as died:
            if died.ranks and (outcome := pool.run(f"{_REMOTE}:finished")[0]):
                break  # rank 0 died while it sent the result, and the other ranks have it too
            start_again = _RESTARTS.get(settings.get("recovery", ""))
            if start_again is None or restarts == _MAX_RESTARTS:
                raise
            restarts += 1
            cause, _, _ = str(died).partition("\n")
            print(f"{cause}; restart {restarts} of at most {_MAX_RESTARTS}", flush=True)
            start_again(pool, died, n, restarts)
        else:
            break
    history = History(outcome["history"], outcome["events"])
    return FitResult(history, outcome["metrics"], outcome["model"])


def _restart_from_checkpoint(pool: RankPool, died: RanksDied, n: int, restarts: int) -> None:
    pool.stop()
    time.sleep(2 ** (restarts - 1))


def _restart_from_memory(pool: RankPool, died: RanksDied, n: int, restarts: int) -> None:
    if not died.ranks:
        raise died
    state = _first(pool.run(f"{_STATE}:hand_over"))
    pool.grow(n)
    lost = [(rank, socket.gethostname()) for rank in died.ranks]
    pool.run(f"{_STATE}:take_over", state, lost, n)


_RESTARTS = {"checkpoint": _restart_from_checkpoint, "reinit": _restart_from_memory}


def evaluate(
    pool: RankPool, model: Any, data: Any, part: str | None, settings: dict[str, Any]
) -> dict[str, float]:
    """Evaluate as :meth:`Cluster.evaluate` says."""
    values: list[dict[str, float]] = pool.run(
        f"{_REMOTE}:evaluate", model, data, part=part, settings=settings
    )
    return values[0]


def predict(
    pool: RankPool, model: Any, rows: Any, part: str | None, settings: dict[str, Any]
) -> NDArray[Any]:
    """Predict as :meth:`Cluster.predict` says."""
    outputs: NDArray[Any] = _first(
        pool.run(f"{_REMOTE}:predict", model, rows, part=part, settings=settings)
    )
    return outputs


def _first(values: list[Any]) -> Any:
    return next(value for value in values if value is not None)
