"""From simulated events to real rows: a trained network in other units, and its fine-tuning."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.apps.higgs.kinematics import KinematicInputs
from matexapps.apps.higgs.model import Classifier, default_training
from matexapps.apps.higgs.units import column_units
from matexapps.errors import TrainingError

LEARNING_RATES = (1e-3, 3e-3)
"""Worth trying in fine-tuning: small steps keep more of what simulated events taught."""

_EPOCHS = 8
_BATCH_SIZE = 128


def adapt_units(network: nn.Module, features: NDArray[np.float32]) -> nn.Module:
    """Return a copy of a trained network that reads columns in the units of these rows.

    What the network has learned stays as it is, because behind its physics inputs everything is in
    GeV: a network trained on simulated events then judges rows of the UCI file, and can be
    fine-tuned on them.

    Parameters
    ----------
    network : nn.Module
        ``"present"`` of :func:`~matexapps.apps.higgs.model.build_network`, for the 28 columns.
    features : ndarray of float32, shape (rows, 28)

    Raises
    ------
    TrainingError
        If the network reads its columns without physics inputs, so that its weights hold the units.
    """
    adapted = copy.deepcopy(network)
    if not isinstance(adapted, Classifier) or not isinstance(adapted.inputs, KinematicInputs):
        raise TrainingError(
            f"the units of this {type(network).__name__} are in its weights; pre-train "
            "build_network('present', features) on the 28 columns of the HIGGS schema instead"
        )
    adapted.inputs.units.copy_(torch.from_numpy(column_units(features)))
    return adapted


def fine_tuning(learning_rate: float) -> dict[str, Any]:
    """Return epochs and :class:`~matexapps.train.trainer.Trainer` settings for fine-tuning.

    Parameters
    ----------
    learning_rate : float
        At its highest; one of :data:`LEARNING_RATES`, chosen on validation rows.
    """
    return default_training("present") | {
        "epochs": _EPOCHS,
        "batch_size": _BATCH_SIZE,
        "optimizer": partial(torch.optim.AdamW, lr=learning_rate, weight_decay=0.01),
    }
