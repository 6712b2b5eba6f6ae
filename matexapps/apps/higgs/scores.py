"""Scores of a trained network, in this process alone."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.data.rows import Rows

_ROWS_AT_ONCE = 8192


def signal_probability(model: nn.Module, rows: Rows) -> NDArray[np.float64]:
    """Return the network's probability of signal for each row, shape (rows,).

    Parameters
    ----------
    model : nn.Module
        Gives one logit a row in evaluation, as those of ``build_network`` do; it is left in
        evaluation mode.
    rows : Rows
    """
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        logits = [
            model(part.to(device)).reshape(-1).double().cpu()
            for part in torch.from_numpy(rows.features).split(_ROWS_AT_ONCE)
        ]
    return np.asarray(torch.sigmoid(torch.cat(logits)).numpy())
