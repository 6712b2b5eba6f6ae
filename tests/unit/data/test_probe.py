"""The probe in a child process: good files, bad ones, and children that die."""

import os
import signal
import struct
import threading

import h5py
import numpy as np
import pandas as pd
import psutil
import pytest

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.probe import Probe
from matexapps.errors import DataError


def check_readable(path, schema):
    with Probe() as probe:
        probe.check(path, schema)


VALUES = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=VALUES, chunks=(100, 4), compression=2)
        file["label"] = np.arange(3000) % 2
    return path


def children():
    return [child for child in psutil.Process().children() if child.status() != "zombie"]


def test_good_files_pass_and_leave_no_process(good, tmp_path):
    before = children()
    check_readable(good, Schema())
    text = tmp_path / "rows.csv"
    pd.DataFrame(VALUES[:4]).to_csv(text)
    check_readable(text, Schema())
    assert children() == before


def test_errors_of_the_child_are_raised_here(good):
    with pytest.raises(DataError, match=r"good\.h5: columns= gives 3 names"):
        check_readable(good, Schema(columns=["a", "b", "c"]))
    with pytest.raises(DataError, match=r"missing\.h5 is not a complete HDF5 file"):
        check_readable(good.with_name("missing.h5"), Schema())


def test_one_child_serves_many_files_and_outlives_refusals(good):
    bad = good.with_name("bad.h5")
    bad.write_bytes(b"no HDF5")
    with Probe() as served:
        served.check(good, Schema())
        child = served._process.pid
        with pytest.raises(DataError, match=r"bad\.h5 is not a complete HDF5 file"):
            served.check(bad, Schema())
        served.check(good, Schema())
        assert served._process.pid == child
    assert not psutil.pid_exists(child)


def test_a_child_that_was_killed_is_replaced(good):
    with Probe() as served:
        served.check(good, Schema())
        os.kill(served._process.pid, 9)
        served.check(good, Schema())


def test_reading_that_does_not_end_is_ended(tmp_path):
    # Opening a pipe that nobody writes to blocks.
    path = tmp_path / "endless.h5"
    os.mkfifo(path)
    before = children()
    with (
        Probe(seconds=1) as served,
        pytest.raises(DataError, match=r"endless\.h5 is damaged: .* did not end within 1 s; write"),
    ):
        served.check(path, Schema())
    assert children() == before


def test_a_crash_is_told_by_its_signal(tmp_path):
    path = tmp_path / "crash.h5"
    os.mkfifo(path)
    with Probe() as served:
        crash = threading.Timer(1, lambda: os.kill(served._process.pid, signal.SIGSEGV))
        crash.start()
        with pytest.raises(DataError, match=r"crash\.h5 is damaged: .* crashed .* \(SIGSEGV\)"):
            served.check(path, Schema())
        crash.join()


def test_files_cut_off_are_found_without_reading_them(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.ones((2_500_000, 8), "f4"), chunks=(10_000, 8))
        file["label"] = np.zeros(2_500_000, "i1")
    check_readable(path, Schema())
    assert path.stat().st_size > 2**26
    with h5py.File(path, "r+") as file:
        damaged = file["x"].id.get_chunk_info(123).byte_offset
    content = path.read_bytes()
    position = content.index(struct.pack("<Q", damaged))
    path.write_bytes(content[:position] + struct.pack("<Q", 2**40) + content[position + 8 :])
    with pytest.raises(
        DataError, match=r"large\.h5: the dataset 'x' reaches beyond|cannot be read"
    ):
        check_readable(path, Schema())
