"""Sparse gradients are refused, with a remedy."""

import torch
from torch import nn

import matexapps as mx

with mx.distributed():
    embedding = nn.Embedding(6, 2, sparse=True)
    tokens = torch.arange(6)
    try:
        embedding(tokens).sum().backward()
    except mx.MatexError as error:
        message = str(error)
assert "use Embedding(..., sparse=False)" in message, message
print("sparse_gradient")
