"""Recurrent layers with dropout between them, whose random numbers are those of the global batch.

Torch draws them inside one function for all layers, time first; here the layers run one by one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from matexapps.sharding.randomness import draw
from matexapps.sharding.shard import Part

RECURRENT = frozenset({torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu})


def drops_between_layers(function: Any, args: tuple[Any, ...]) -> bool:
    """Whether this is such a function, called so that it draws; not with packed sequences."""
    if function not in RECURRENT or len(args) != 9:
        return False
    layers, dropout, training = args[4:7]
    return bool(training and dropout > 0 and layers > 1)


def run_layers(function: Any, args: tuple[Any, ...], part: Part) -> tuple[torch.Tensor, ...]:
    """Return output and last states of all layers.

    Parameters
    ----------
    function : callable
        One of torch's functions for recurrent layers.
    args : tuple
        Its arguments: input, states, weights, bias, layers, dropout, training, bidirectional,
        batch_first.
    part : Part
    """
    values, states, weights, bias, layers, dropout, training, bidirectional, batch_first = args
    states = states if isinstance(states, (tuple, list)) else (states,)
    several = len(states) > 1
    directions = 2 if bidirectional else 1
    each = len(weights) // layers
    values = values.transpose(0, 1) if batch_first else values
    last: list[tuple[torch.Tensor, ...]] = []
    for layer in range(layers):
        if layer:
            values = draw(functional.dropout, (values, dropout), {}, part, axis=1)
        own = [state[layer * directions : (layer + 1) * directions] for state in states]
        own_weights = weights[layer * each : (layer + 1) * each]
        begin = tuple(own) if several else own[0]
        values, *after = function(
            values, begin, own_weights, bias, 1, 0.0, training, bidirectional, False
        )
        last.append(tuple(after))
    output = values.transpose(0, 1) if batch_first else values
    return output, *(torch.cat(state) for state in zip(*last, strict=True))
