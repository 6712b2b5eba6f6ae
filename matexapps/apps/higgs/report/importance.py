"""How much each column matters to a trained model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from matexapps.data.rows import Rows

Predict = Callable[[Rows], NDArray[np.float64]]


def permutation_importance(
    predict: Predict, rows: Rows, *, repeats: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Return how far the AUC falls when one column is shuffled among the rows.

    A column whose information others also carry shows a small fall, however useful it is.

    Parameters
    ----------
    predict : function (Rows) -> scores, shape (rows,)
        Called ``columns * repeats + 1`` times. Where it is collective, call this on every rank.
    rows : Rows
        Rows the model was not trained on.
    repeats : int
        Shuffles of each column.
    seed : int

    Returns
    -------
    DataFrame
        ``column``, ``auc_drop`` (mean over repeats) and ``deviation`` (standard deviation), the
        most important column first.
    """
    rng = np.random.default_rng(seed)

    def auc(scores: NDArray[np.float64]) -> float:
        return float(roc_auc_score(rows.label, scores, sample_weight=rows.weight))

    unshuffled = auc(predict(rows))
    drops = np.empty((len(rows.columns), repeats))
    shuffled = rows.take(np.arange(len(rows)))
    for number in range(len(rows.columns)):
        for repeat in range(repeats):
            shuffled.features[:, number] = rng.permutation(rows.features[:, number])
            drops[number, repeat] = unshuffled - auc(predict(shuffled))
        shuffled.features[:, number] = rows.features[:, number]
    table = pd.DataFrame(
        {"column": rows.columns, "auc_drop": drops.mean(axis=1), "deviation": drops.std(axis=1)}
    )
    return table.sort_values("auc_drop", ascending=False, ignore_index=True)
