"""A mistake in one call says nothing of calls without it."""

import torch
from common import network, rows, with_warnings

import matexapps as mx


def failure():
    try:
        model(torch.randn(11, 4))
    except RuntimeError as error:
        return str(error)


with mx.distributed():
    model = network()
    message, warned = with_warnings(failure)
    assert "shapes cannot be multiplied (11x4 and 3x5)" in message, message
    assert not warned, warned
    assert with_warnings(lambda: model(rows))[1] == ""
print("wrong_shape")
