"""Every row counts exactly once: shares, permutations and batches, for any number of ranks."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from matexapps.data.dataset import DataSet
from matexapps.data.loading.resident import ResidentLoader
from matexapps.data.loading.sampler import global_permutation
from matexapps.data.partition import share, share_by_work
from matexapps.data.rows import Rows

CPU = torch.device("cpu")


@given(rows=st.integers(0, 5000), ranks=st.integers(1, 9))
def test_shares_are_all_rows_once_and_differ_by_at_most_one(rows, ranks):
    parts = [range(rows)[share(rows, rank, ranks)] for rank in range(ranks)]
    assert [row for part in parts for row in part] == list(range(rows))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(work=st.lists(st.integers(1, 1000), max_size=200), ranks=st.integers(1, 9))
def test_shares_by_work_are_all_rows_once_and_even_to_a_row(work, ranks):
    parts = [range(len(work))[share_by_work(work, rank, ranks)] for rank in range(ranks)]
    assert [row for part in parts for row in part] == list(range(len(work)))
    for part in parts:
        assert abs(sum(work[row] for row in part) - sum(work) / ranks) <= max(work, default=0)


@given(rows=st.integers(1, 500), seed=st.integers(0, 2**32), epoch=st.integers(0, 50))
def test_an_epochs_order_is_a_permutation_that_seed_and_epoch_decide(rows, seed, epoch):
    order = global_permutation(rows, seed, epoch)
    assert sorted(order) == list(range(rows))
    assert (order == global_permutation(rows, seed, epoch)).all()


def test_another_epoch_and_another_seed_give_another_order():
    orders = [global_permutation(1000, s, e) for s, e in ((0, 0), (0, 1), (1, 0))]
    assert len({order.tobytes() for order in orders}) == 3


@given(
    rows=st.integers(1, 300),
    batch=st.integers(1, 70),
    ranks=st.integers(1, 9),
    start=st.integers(0, 3),
    weighted=st.booleans(),
)
def test_ranks_parts_make_up_the_global_batches_in_order(rows, batch, ranks, start, weighted):
    weight = np.linspace(0.5, 2.0, rows) if weighted else None
    table = Rows.from_arrays(
        np.arange(rows, dtype=np.float32)[:, None], np.arange(rows) % 2, weight
    )
    order = global_permutation(rows, 3, 1)
    everybody = [
        list(ResidentLoader(table, batch, rank, ranks, CPU, seed=3).shuffled(1, start))
        for rank in range(ranks)
    ]
    global_batches = [order[k : k + batch] for k in range(start * batch, rows, batch)]
    assert all(len(batches) == len(global_batches) for batches in everybody)
    for parts, expected in zip(zip(*everybody, strict=True), global_batches, strict=True):
        seen = torch.cat([part.features[:, 0] for part in parts]).numpy().astype(int)
        assert (seen == expected).all()
        assert (np.concatenate([part.ids for part in parts]) == expected).all()
        assert (torch.cat([part.label for part in parts]).numpy() == expected % 2).all()
        assert {part.global_rows for part in parts} == {len(expected)}
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        total = sum(part.total_weight for part in parts)
        assert np.isclose(total, len(expected) if weight is None else weight[expected].sum())


@given(
    counts=st.lists(st.integers(1, 12), min_size=3, max_size=20),
    batch=st.integers(1, 40),
    ranks=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_whole_groups_train_once_whatever_the_number_of_ranks(counts, batch, ranks, seed):
    group = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = len(group)
    data = DataSet.from_arrays(
        np.arange(rows)[:, None], np.arange(rows) % 2, split="group", group=group, seed=seed
    )
    parts = [data.train, data.validation, data.test]
    assert sorted(np.concatenate([part.ids for part in parts])) == list(range(rows))
    held = [set(group[part.ids]) for part in parts]
    assert sum(map(len, held)) == len(counts)
    loaders = [ResidentLoader(data.train, batch, rank, ranks, CPU, seed) for rank in range(ranks)]
    seen = [ids for loader in loaders for own in loader.shuffled(0) for ids in own.ids]
    assert sorted(seen) == data.train.ids.tolist()


def test_ids_are_the_sources_row_numbers_also_of_a_part_of_the_rows():
    table = Rows.from_arrays(np.arange(50, dtype=np.float32)[:, None], np.arange(50) % 2)
    part = table.take(np.arange(49, 0, -3))
    loader = ResidentLoader(part, 4, 1, 2, CPU, seed=0)
    for batches in (loader.shuffled(0), loader.in_order()):
        for batch in batches:
            assert batch.ids.tolist() == batch.features[:, 0].tolist()
