"""Dropout of some rows, bit by bit what torch gives these rows among all."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from matexapps.comm.single import SingleProcess
from matexapps.data.partition import share
from matexapps.sharding.global_batch import ShardedBatch
from matexapps.sharding.shard import Part

FUNCTIONS = {
    "dropout": (functional.dropout, (13, 5, 4), 0),
    "dropout, second axis": (functional.dropout, (5, 13, 4), 1),
    "dropout1d": (functional.dropout1d, (13, 5, 4), 0),
    "dropout2d": (functional.dropout2d, (13, 5, 4, 2), 0),
    "dropout3d": (functional.dropout3d, (13, 5, 4, 2, 2), 0),
    "alpha_dropout": (functional.alpha_dropout, (13, 5), 0),
    "feature_alpha_dropout": (functional.feature_alpha_dropout, (13, 5, 4), 0),
    "heads folded into rows": (functional.dropout, (39, 4), 0),
}


def part_of(rank: int, size: int = 3, rows: int = 13) -> Part:
    comm = SingleProcess()
    comm.rank, comm.world_size = rank, size
    return Part(rows, comm)


def mine(values: torch.Tensor, axis: int, rank: int) -> torch.Tensor:
    rows, each = share(13, rank, 3), values.shape[axis] // 13
    return values.narrow(axis, rows.start * each, (rows.stop - rows.start) * each)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rank", range(3))
@pytest.mark.parametrize("transposed", [False, True])
def test_a_part_gets_the_numbers_of_its_rows(name, rank, transposed):
    function, shape, axis = FUNCTIONS[name]
    values = torch.randn(shape)
    if transposed:
        # The same tensor, its axes in the opposite order in memory.
        values = values.permute(*reversed(range(values.dim()))).contiguous()
        values = values.permute(*reversed(range(values.dim())))
    torch.manual_seed(1)
    expected = function(values, 0.3)
    state = torch.get_rng_state()
    own = mine(values, axis, rank).clone(memory_format=torch.preserve_format)
    own.requires_grad_()
    torch.manual_seed(1)
    axes = {(f, own.shape): axis for f in (functional.dropout, torch.dropout)}
    with ShardedBatch(part_of(rank), axes):
        output = function(own, 0.3)
    torch.testing.assert_close(output, mine(expected, axis, rank), rtol=0, atol=1e-7)
    assert torch.equal(state, torch.get_rng_state())
    output.sum().backward()
    assert torch.equal(own.grad == 0, output == 0) or "alpha" in name


@pytest.mark.parametrize("settings", [{"training": False}, {"p": 0.0}, {"p": 1.0}])
def test_dropout_that_drops_nothing_or_all_draws_what_torch_draws(settings):
    values = torch.randn(13, 4)
    torch.manual_seed(1)
    expected = functional.dropout(values, **settings)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    with ShardedBatch(part_of(1), {}):
        output = functional.dropout(mine(values, 0, 1), **settings)
    assert torch.equal(output, mine(expected, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
