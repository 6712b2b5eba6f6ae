"""Rows that stay in their file: every row once, the same batches on any number of ranks."""

from __future__ import annotations

import os
import threading
import time
from threading import Event

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matexapps.comm.single import SingleProcess
from matexapps.data.dataset import DataSet
from matexapps.data.loading.blocks import FilePart
from matexapps.data.loading.prefetch import ahead
from matexapps.data.loading.sampler import WindowedOrder
from matexapps.data.loading.stream import StreamLoader
from matexapps.data.loading.streamed import StreamedRows
from matexapps.data.rows import Rows
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.source import parse_size
from matexapps.errors import DataError

CPU = torch.device("cpu")


class Numbers(Reader):
    """Rows whose only feature is their own number; counts how often each is read."""

    def __init__(self, rows, weighted=False, copied=False, waits=False):
        self.columns, self.sample_shape = ["number"], (1,)
        self._rows, self.weighted, self.copied, self._waits = rows, weighted, copied, waits
        self.times = np.zeros(rows, int)
        self.threads = []

    def __len__(self):
        return self._rows

    @property
    def row_bytes(self):
        return 100

    def read(self, start=0, stop=None):
        ids = np.arange(start, self._rows if stop is None else stop)
        self.times[ids] += 1
        self.threads.append(threading.current_thread())
        if self._waits:
            time.sleep(1e-5)
        weight = ids + 1.0 if self.weighted else None
        return Rows(ids.astype(np.float32)[:, None], (ids % 2).astype(float), weight, ids, ["n"])

    def locate(self, row):
        return f"row {row}"

    def stamp(self):
        return ()

    def close(self):
        pass


def part_of(reader, codes, block_rows=7, window_rows=40):
    return FilePart(reader, codes, 0, block_rows, window_rows, np.float32, "digest")


def batches_of(part, batch, ranks, epoch=0, start=0):
    return [
        list(StreamLoader(part, batch, rank, ranks, CPU, seed=3).shuffled(epoch, start))
        for rank in range(ranks)
    ]


def joined(everybody):
    """Return the rows of each global batch, in rank order."""
    return [
        np.concatenate([own_numbers(part) for part in parts])
        for parts in zip(*everybody, strict=True)
    ]


def own_numbers(batch):
    """Return the row numbers that are a batch's features, after checking its ids against them."""
    numbers = batch.features[:, 0].numpy().astype(int)
    assert np.array_equal(batch.ids, numbers)
    return numbers


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 300),
    batch=st.integers(1, 70),
    ranks=st.integers(1, 9),
    block_rows=st.integers(1, 60),
    window_rows=st.integers(1, 200),
    left_out=st.sampled_from([0.0, 0.3, 0.9]),
    weighted=st.booleans(),
    copied=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_row_once_in_batches_that_do_not_depend_on_the_ranks(
    rows, batch, ranks, block_rows, window_rows, left_out, weighted, copied, seed
):
    codes = (np.random.default_rng(seed).random(rows) < left_out).astype(np.uint8)
    part = part_of(Numbers(rows, weighted, copied), codes, block_rows, window_rows)
    everybody = batches_of(part, batch, ranks)
    mine = np.flatnonzero(codes == 0)
    global_batches = joined(everybody)
    assert np.array_equal(np.sort(np.concatenate([np.empty(0, int), *global_batches])), mine)
    alone = joined(batches_of(part, batch, 1))
    assert len(global_batches) == len(alone) == -(-len(mine) // batch)
    for parts, here, there in zip(zip(*everybody, strict=True), global_batches, alone, strict=True):
        assert np.array_equal(np.sort(here), np.sort(there))
        assert {p.global_rows for p in parts} == {len(here)}
        sizes = [len(p) for p in parts]
        assert max(sizes) - min(sizes) <= 1
        total = sum(p.total_weight for p in parts)
        assert np.isclose(total, (here + 1).sum() if weighted else len(here))
        labels = np.concatenate([p.label.numpy() for p in parts])
        assert np.array_equal(labels, here % 2)
    assert all(len(here) == batch for here in global_batches[:-1])


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 40),
    before=st.integers(1, 5),
    after=st.integers(1, 5),
    start=st.integers(0, 20),
)
def test_going_on_with_other_ranks_reads_exactly_the_rest(batch, before, after, start):
    part = part_of(Numbers(203), np.zeros(203, np.uint8))
    first = joined(batches_of(part, batch, before))[:start]
    rest = joined(batches_of(part, batch, after, start=start))
    seen = np.concatenate([np.empty(0, int), *first, *rest])
    assert np.array_equal(np.sort(seen), np.arange(203))


def test_each_rank_reads_its_part_of_the_file():
    reader = Numbers(10_000)
    part = part_of(reader, np.zeros(10_000, np.uint8), block_rows=50, window_rows=2_000)
    for rank in range(4):
        list(StreamLoader(part, 100, rank, 4, CPU, seed=0).shuffled(0))
    # 5 windows on 4 ranks: at each boundary, both neighbors read one block.
    assert reader.times.min() == 1
    assert reader.times.sum() <= 10_000 + 5 * 4 * 50


def test_a_batch_draws_evenly_from_all_blocks_of_its_window():
    rows = np.full(20, 64)
    order = WindowedOrder(rows, rows, 128, 20 * 64, seed=0, epoch=0)
    ((deal, _),) = order.deals(0, 0, 1)
    window = order.window(deal.start, deal.stop)
    blocks = window.blocks[window.positions // 64]
    for number in range(deal.batches):
        counts = np.bincount(blocks[number :: deal.batches], minlength=20)
        assert set(counts) <= {6, 7}


@pytest.mark.parametrize("waits", [False, True])
def test_a_thread_reads_ahead_where_reading_takes_more_than_copying(waits):
    reader = Numbers(400, copied=True, waits=waits)
    part = part_of(reader, np.zeros(400, np.uint8), block_rows=10, window_rows=40)
    (mine,) = batches_of(part, 20, 1)
    assert np.array_equal(np.sort(np.concatenate(joined([mine]))), np.arange(400))
    here = [thread is threading.current_thread() for thread in reader.threads]
    window = 40 // 10
    assert all(here[:window])
    assert all(here[window:]) == (not waits)
    assert any(here[window:]) == (not waits)


def test_rows_that_somebody_holds_are_not_written_over():
    part = part_of(Numbers(400, copied=True), np.zeros(400, np.uint8), 10, 40)
    held = []
    for batch in StreamLoader(part, 20, 0, 1, CPU, seed=0).shuffled(0):
        held.append((batch.features.numpy()[3:], batch.ids[3:], batch.label[3:]))
    for numbers, ids, label in held:
        assert np.array_equal(numbers[:, 0], ids)
        assert np.array_equal(label.numpy(), ids % 2)


def test_windows_of_a_sorted_file_look_alike():
    """Of a file whose first half is one class, every window has about half of each."""
    rows = 20_000
    part = part_of(Numbers(rows), np.zeros(rows, np.uint8), block_rows=50, window_rows=800)
    (mine,) = batches_of(part, 100, 1)
    shares = [float((b.features[:, 0] < rows / 2).float().mean()) for b in mine]
    assert min(shares) > 0.4
    assert max(shares) < 0.6


def test_epochs_and_seeds_have_orders_of_their_own():
    part = part_of(Numbers(203), np.zeros(203, np.uint8))
    orders = [
        np.concatenate(joined([list(StreamLoader(part, 20, 0, 1, CPU, seed).shuffled(epoch))]))
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert len({order.tobytes() for order in orders}) == 3
    assert np.array_equal(orders[0], orders[3])
    assert not np.array_equal(orders[0], np.arange(203))


@given(rows=st.integers(0, 200), ranks=st.integers(1, 9), left_out=st.sampled_from([0.0, 0.5]))
@settings(max_examples=30, deadline=None)
def test_shares_in_order_are_all_rows_in_order(rows, ranks, left_out):
    codes = (np.random.default_rng(rows).random(rows) < left_out).astype(np.uint8)
    part = part_of(Numbers(rows), codes)
    seen = [
        own_numbers(batch)
        for rank in range(ranks)
        for batch in StreamLoader(part, 16, rank, ranks, CPU, seed=0).in_order()
    ]
    assert np.array_equal(np.concatenate([np.empty(0, int), *seen]), np.flatnonzero(codes == 0))


def test_batches_that_are_kept_are_not_written_over():
    part = part_of(Numbers(500), np.zeros(500, np.uint8), window_rows=60)
    batches = list(StreamLoader(part, 20, 0, 1, CPU, seed=0).shuffled(0))
    seen = np.concatenate([batch.features[:, 0].numpy() for batch in batches])
    assert np.array_equal(np.sort(seen), np.arange(500))


def test_an_error_while_reading_ahead_comes_where_its_rows_would():
    def make(stop: Event):
        yield 1
        raise DataError("damaged")

    items = ahead(make)
    assert next(items) == 1
    with pytest.raises(DataError, match="damaged"):
        next(items)


def test_leaving_early_ends_the_thread():
    events = []

    def make(stop: Event):
        events.append(stop)
        while not stop.is_set():
            yield 0

    items = ahead(make)
    next(items)
    items.close()
    assert events[0].is_set()


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        features = rng.normal(size=(3000, 5)).astype(np.float32)
        features[:, 0] = np.arange(3000)
        file.create_dataset("features", data=features, chunks=(64, 5))
        file["features"].attrs["columns"] = ["id", "a", "b", "c", "d"]
        file["label"] = (np.arange(3000) >= 1500).astype(np.int8)
        file["run"] = np.arange(3000) // 30
    return tmp_path / "rows.h5"


@pytest.mark.parametrize("split", ["random", "stratified", "group"])
def test_parts_in_a_file_are_those_in_memory(path, split):
    group = {"group": "run"} if split == "group" else {}
    in_memory = DataSet(path, split=split, seed=5, **group)
    streamed = DataSet(path, split=split, seed=5, memory="64 KiB", **group)
    for name in ("train", "validation", "test"):
        expected, part = getattr(in_memory, name), getattr(streamed, name)
        assert isinstance(part, StreamedRows)
        assert len(expected) == len(part)
        seen = np.concatenate([r.features for r in part.between(0, len(part))])
        assert np.array_equal(seen, expected.features)
    assert streamed.columns == ["id", "a", "b", "c", "d"]


def test_the_digest_tells_files_and_parts_apart(path):
    def digest(part):
        return getattr(DataSet(path, memory="64 KiB"), part).digest()

    before = digest("train")
    assert before == digest("train") != digest("test")
    with h5py.File(path, "r+") as file:
        file["features"][2999, 4] += 1
    assert digest("train") != before


def test_what_does_not_fit_says_so(path):
    data = DataSet(path, memory="64 KiB")
    with pytest.raises(DataError, match=r"2,100 rows need .* kB of memory=: raise it"):
        data.train.to_pandas()
    with pytest.raises(DataError, match=r"\.features of 2,100 rows does not fit"):
        data.training_data  # noqa: B018
    table = DataSet(path, memory="150 KiB").test.to_pandas()
    assert len(table) == 600
    assert list(table.columns) == ["id", "a", "b", "c", "d", "label"]


@pytest.mark.parametrize("seed", [None, 0])
def test_a_file_that_changes_under_a_pass_is_named(path, seed):
    data = DataSet(path, memory="64 KiB")
    half_way = data.train.batches(100, seed=seed)
    next(half_way)
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(DataError, match=r"rows\.h5 has changed since it was first read"):
        list(half_way)
    with pytest.raises(DataError, match=r"rows\.h5 has changed since it was first read"):
        next(data.train.batches(100, seed=seed))


def test_binary_and_bad_values_name_file_and_row(path):
    with h5py.File(path, "r+") as file:
        file["label"][1234] = 2
    with pytest.raises(DataError, match=r"rows\.h5, row 1234 \(from 0\): the label is 2"):
        DataSet(path, memory="64 KiB", binary=True).load()
    with h5py.File(path, "r+") as file:
        file["features"][2000, 3] = np.inf
    with pytest.raises(DataError, match=r"row 2000 \(from 0\), column 'c': inf is not a finite"):
        DataSet(path, memory="64 KiB").load()


def test_statistics_are_those_of_the_training_rows(path):
    streamed = DataSet(path, memory="64 KiB")
    in_memory = DataSet(path)
    expected = in_memory.train.features.astype(np.float64)
    for data in (streamed, in_memory):
        statistics = data.statistics(SingleProcess())
        np.testing.assert_allclose(statistics.mean, expected.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(statistics.std, expected.std(axis=0), rtol=1e-12)
        assert (statistics.minimum == expected.min(axis=0)).all()
        assert (statistics.count == len(expected)).all()


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("512 MiB", 2**29), (1000, 1000), ("1.5kb", 1500)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["lots", "2 parsecs", "-1GB", "0", ""])
def test_no_sizes(text):
    with pytest.raises(DataError, match="is not a size"):
        parse_size(text)
