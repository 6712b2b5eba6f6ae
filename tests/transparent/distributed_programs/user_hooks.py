"""Hooks of the user's own see all rows."""

from common import assert_close, network, rows, with_warnings

import matexapps as mx


def clipped_network():
    model = network()
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
    return model


with mx.distributed():
    hooked = network()
    sizes = []
    hooked[1].register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    _, warned = with_warnings(lambda: hooked(rows))
    assert "a hook on its module '1' would see only some of the rows" in warned, warned
    assert sizes == [11]
    clipped = clipped_network()
    outputs, warned = with_warnings(lambda: clipped(rows))
    assert "a hook on its parameter '0.weight'" in warned, warned
    outputs.square().sum().backward()
alone = clipped_network()
alone(rows).square().sum().backward()
for parameter, expected in zip(clipped.parameters(), alone.parameters(), strict=True):
    assert_close(parameter.grad, expected.grad)
print("user_hooks")
