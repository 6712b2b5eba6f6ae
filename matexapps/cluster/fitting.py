"""A fit on a cluster, begun again where ranks have died and recovery starts others."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from matexapps.cluster.results import FitResult
from matexapps.errors import RanksDied

if TYPE_CHECKING:
    from matexapps.cluster.cluster import Cluster

_SESSION = "matexapps.train.remote"
_MOST_RESTARTS = 3


def fit(
    cluster: Cluster, model: Any, data: Any, epochs: int, settings: dict[str, Any]
) -> FitResult:
    """Train as :meth:`Cluster.fit` says; ``settings`` are those of the trainer."""
    restarts = 0
    while True:
        size = cluster.n
        try:
            outcome = cluster.run(f"{_SESSION}:fit", model, data, epochs=epochs, **settings)[0]
        except RanksDied as died:
            if died.ranks and (outcome := cluster.run(f"{_SESSION}:finished")[0]):
                break  # rank 0 died with the result in its hands, and the others have it too
            start_again = _WAYS.get(settings.get("recovery", ""))
            if start_again is None or restarts == _MOST_RESTARTS:
                raise
            restarts += 1
            why, _, _ = str(died).partition("\n")
            print(f"{why}; all ranks start again, {restarts} of {_MOST_RESTARTS} times", flush=True)
            start_again(cluster, died, size, restarts)
        else:
            break
    history = pd.DataFrame(outcome["history"])
    return FitResult(history, outcome["metrics"], outcome["model"], outcome["events"])


def _from_checkpoints(cluster: Cluster, died: RanksDied, size: int, number: int) -> None:
    cluster.stop()
    time.sleep(2 ** (number - 1))


def _from_memory(cluster: Cluster, died: RanksDied, size: int, number: int) -> None:
    if not died.ranks:
        raise died
    memory = "matexapps.train.state.reinit_state"
    kept = next(kept for kept in cluster.run(f"{memory}:hand_over") if kept is not None)
    cluster.grow(size)
    lost = [(rank, socket.gethostname()) for rank in died.ranks]
    cluster.run(f"{memory}:take_over", kept, lost, size)


_WAYS = {"checkpoint": _from_checkpoints, "reinit": _from_memory}
