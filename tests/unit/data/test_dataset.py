"""DataSet on one rank: settings, parts, parts with their own files, pickling."""

import pickle
import tracemalloc
from dataclasses import FrozenInstanceError, replace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from matexapps import progress
from matexapps.comm.single import SingleProcess
from matexapps.data.dataset import DataSet
from matexapps.data.loading.streamed import StreamedRows
from matexapps.data.rows import Rows
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.source import FileSource
from matexapps.data.splitting.split_settings import Split
from matexapps.errors import DataError

PARTS = ("train", "validation", "test")


def frame(rows, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 3)).astype(np.float32), columns=["a", "b", "c"])
    table.insert(0, "label", np.arange(rows) % 2)
    return table


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "events.csv"
    frame(203).to_csv(path, index=False)
    return path


def test_parts_hold_every_row_once_with_its_own_values(path):
    data = DataSet(path, seed=4).load()
    table = pd.concat([getattr(data, name).to_pandas() for name in PARTS]).sort_index()
    assert table.index.tolist() == list(range(203))
    expected = frame(203)[["a", "b", "c", "label"]]
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert [len(getattr(data, name)) for name in PARTS] == [142, 20, 41]


def test_nothing_is_read_until_it_is_needed(tmp_path):
    data = DataSet(tmp_path / "later.csv")
    frame(50).to_csv(tmp_path / "later.csv", index=False)
    assert "not read yet" in repr(data)
    assert len(data.train) == 35
    assert "train 35" in repr(data)


def test_loading_again_keeps_what_is_there(path):
    data = DataSet(path)
    train = data.load().train
    path.unlink()
    assert data.load(SingleProcess()).train is train


def test_pickle_carries_settings_not_rows(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = DataSet(path.name, seed=3, split="stratified").load()
    packed = pickle.dumps(data)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = pickle.loads(packed)
    assert len(packed) < 1000
    assert "not read yet" in repr(again)
    assert again.test.digest() == data.test.digest()


def test_arrays_are_pickled_with_their_rows():
    data = DataSet.from_arrays(np.ones((30, 2)), np.arange(30) % 2)
    again = pickle.loads(pickle.dumps(data))
    assert again.train.digest() == data.train.digest()


def test_validation_and_test_files_of_their_own(path, tmp_path):
    frame(17, seed=1)[["c", "label", "b", "a"]].to_csv(tmp_path / "test.tsv", sep="\t", index=False)
    data = DataSet(path, validation=0.25, test=tmp_path / "test.tsv").load()
    assert (len(data.train), len(data.validation), len(data.test)) == (152, 51, 17)
    np.testing.assert_array_equal(data.test.features, frame(17, seed=1)[["a", "b", "c"]])
    assert data.test.columns == data.train.columns
    both = DataSet(path, validation=path, test=str(tmp_path / "test.tsv")).load()
    assert (len(both.train), len(both.validation), len(both.test)) == (203, 203, 17)


def test_test_file_with_other_columns(path, tmp_path):
    frame(17).drop(columns="b").to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(DataError, match=r"test\.csv has no column 'b'"):
        DataSet(path, test=tmp_path / "test.csv").load()


def test_label_type_is_one_for_all_parts(tmp_path):
    frame(40).to_csv(tmp_path / "train.csv", index=False)
    frame(40).assign(label=2).to_csv(tmp_path / "test.csv", index=False)
    data = DataSet(tmp_path / "train.csv", test=tmp_path / "test.csv").load()
    assert {getattr(data, name).label.dtype for name in PARTS} == {np.dtype(np.int64)}


def test_from_arrays_splits_like_a_file(path):
    table = frame(203)
    of_arrays = DataSet.from_arrays(
        table[["a", "b", "c"]], table["label"], feature_names=["a", "b", "c"], seed=9
    )
    of_file = DataSet(path, seed=9)
    for name in PARTS:
        assert getattr(of_arrays, name).digest() == getattr(of_file, name).digest()


def test_from_rows_takes_parts_as_they_are():
    parts = [Rows.from_arrays(np.full((n, 2), n), np.arange(n) % 2) for n in (5, 3, 4)]
    data = DataSet.from_rows(*parts).load(SingleProcess())
    assert [data.train, data.validation, data.test] == parts
    other = Rows.from_arrays(np.ones((3, 1)), [0, 1, 1])
    with pytest.raises(DataError, match="test rows and training rows differ"):
        DataSet.from_rows(parts[0], parts[1], other)


def test_binary_names_file_and_line_of_the_first_wrong_label(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("label,x\n0,1\n\n1,2\n2,3\n3,4\n")
    with pytest.raises(DataError, match=r"events\.csv, row 5: the label is 2, neither 0 nor 1"):
        DataSet(path, binary=True).load()


def test_binary_refuses_one_class(tmp_path):
    path = tmp_path / "events.csv"
    frame(20).assign(label=1).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"events\.csv: all 20 labels are 1, only one class"):
        DataSet(path, binary=True).load()
    assert len(DataSet(path).load().train) == 14


def test_binary_refuses_one_class_among_the_training_rows(tmp_path):
    path = tmp_path / "events.csv"
    frame(20).assign(label=[1] + 19 * [0]).to_csv(path, index=False)
    seed = next(s for s in range(100) if 0 in DataSet(path, seed=s).test.ids)
    with pytest.raises(DataError, match="training part: all 14 labels are 0"):
        DataSet(path, seed=seed, binary=True).load()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"group": "run"}, "group='run' is for split='group', but split is 'random'"),
        ({"split": "fold", "parts": {"train": 0, "tets": 1}}, "names 'tets'; did you mean 'test'"),
        ({"memory": "much"}, "memory='much' is not a size"),
        ({"test": 1.5}, "test=1.5 is not a fraction"),
        ({"validation": 0.5, "test": 0.5}, "leave no rows"),
        ({"seed": -3}, "seed=-3"),
        ({"seed": None}, "seed=None is not a seed"),
        ({"validation": None}, "fractions of the rows, or files: got None"),
        ({"parts": {"train": 0}}, "split='random' does not use a column"),
        ({"split": "fold", "parts": ["train"]}, "names no parts"),
        ({"label": ["y"]}, "label= is a list, not a column"),
        ({"split": "group", "group": 1.5}, "to split by is a float, not a column"),
        ({"features": [True, False]}, "features= holds True"),
        ({"features": 3}, "features= is an int, not a list"),
        ({"classes": "bs"}, "classes= is a str, not a list"),
        ({"columns": [1, 2]}, "columns= holds 1, which is not a text"),
        ({"categories": ["color"]}, "categories= is a list: give the values of each column"),
        ({"categories": {"color": "red"}}, "is a str, not a list: write all values"),
        ({"header": "yes"}, "header='yes' is not True, False or None"),
        ({"delimiter": 9}, "delimiter=9 is not one character"),
    ],
)
def test_settings_are_checked_at_once(settings, expected):
    with pytest.raises(DataError, match=expected):
        DataSet("events.csv", **settings)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (pd.DataFrame({"label": [0, 1]}), "not a DataFrame: give arrays to DataSet.from_arrays"),
        (["a.csv", "b.csv"], "several files as a pattern"),
        ("https://example.org/a.csv", "is an address, .*: download it first"),
        ("nothing/", "nothing does not exist"),
        ("nothing", "nothing is neither a file nor a folder here, and no data set is called"),
    ],
)
def test_what_no_rows_can_be_read_from(tmp_path, monkeypatch, source, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=expected):
        DataSet(source).load()


def test_the_home_folder_is_understood(path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert DataSet(f"~/{path.name}").train.digest() == DataSet(path).train.digest()


def test_a_split_that_is_misspelt_gets_a_guess(path):
    with pytest.raises(DataError, match=r"no column 'stratifed'.*did you mean 'stratified'"):
        DataSet(path, split="stratifed").load()


def test_reading_reports_progress(path):
    events = []
    with progress.reporting_to(events.append):
        DataSet(path).load()
    assert events[-1]["what"] == "reading events.csv"
    assert 0 < events[-1]["done"] == events[-1]["total"] <= path.stat().st_size


def test_the_names_of_matex_work(path):
    data = DataSet(path)
    assert data.training_data is data.train.features
    assert data.training_labels is data.train.label
    assert data.validation_data is data.validation.features
    assert data.validation_labels is data.validation.label
    assert data.testing_data is data.test.features
    assert data.testing_labels is data.test.label


def test_a_group_column_splits_and_is_no_feature(tmp_path):
    frame(200).assign(run=np.arange(200) // 10).to_csv(tmp_path / "runs.csv", index=False)
    data = DataSet(tmp_path / "runs.csv", split="group", group="run")
    assert data.columns == ["a", "b", "c"]
    runs = [set(getattr(data, name).ids // 10) for name in PARTS]
    assert sum(map(len, runs)) == 20
    assert not runs[0] & runs[1]
    assert not runs[0] & runs[2]


def test_a_time_column_splits_and_text_times_sort_as_dates(tmp_path):
    days = pd.date_range("2024-01-01", periods=100).strftime("%Y-%m-%d")
    table = frame(100).assign(time=days).sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "days.csv", index=False)
    data = DataSet(tmp_path / "days.csv", split="time")
    time = table["time"].to_numpy()
    assert time[data.train.ids].max() < time[data.validation.ids].min()
    assert time[data.validation.ids].max() < time[data.test.ids].min()
    assert [len(getattr(data, name)) for name in PARTS] == [70, 10, 20]


def test_a_column_names_the_parts(tmp_path):
    names = np.resize(["train", "train", "test", "validation"], 40)
    frame(40).assign(fold=names).to_csv(tmp_path / "folds.csv", index=False)
    data = DataSet(tmp_path / "folds.csv", split="fold")
    assert [len(getattr(data, name)) for name in PARTS] == [20, 10, 10]
    assert (names[data.test.ids] == "test").all()
    parts = {"train": "train", "test": ["validation"]}
    data = DataSet(tmp_path / "folds.csv", split="fold", parts=parts)
    assert [len(getattr(data, name)) for name in PARTS] == [20, 0, 10]
    with pytest.raises(DataError, match=r"no column 'flod', to split the rows by"):
        DataSet(tmp_path / "folds.csv", split="flod").load()


def test_categories_become_columns(tmp_path):
    table = frame(30).assign(color=np.resize(["red", "green", "blue"], 30))
    table.to_csv(tmp_path / "colors.csv", index=False)
    with pytest.raises(DataError, match="color"):
        DataSet(tmp_path / "colors.csv").load()
    categories = {"color": ["red", "green", "blue"]}
    data = DataSet(tmp_path / "colors.csv", categories=categories)
    assert data.columns == ["a", "b", "c", "color=red", "color=green", "color=blue"]
    assert (data.train.features[:, 3:].sum(axis=1) == 1).all()
    assert (data.train.features[:, 3:].argmax(axis=1) == data.train.ids % 3).all()
    with pytest.raises(DataError, match="'blue' is none of the values 'red', 'green'"):
        DataSet(tmp_path / "colors.csv", categories={"color": ["red", "green"]}).load()


@pytest.mark.parametrize("memory", ["2GB", "64 KiB"])
def test_samples_may_be_images(tmp_path, memory):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, size=(120, 8, 8, 3)).astype(np.uint8)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"], file["label"] = images, np.arange(120) % 4
    data = DataSet(tmp_path / "images.h5", memory=memory)
    batch = next(data.test.batches(16))
    assert batch.features.shape == (16, 8, 8, 3)
    assert batch.label.dtype == torch.int64
    ids = DataSet(tmp_path / "images.h5").test.ids[:16]
    assert (batch.features.numpy() == images[ids]).all()
    assert data.train.sample_shape == (8, 8, 3)
    with pytest.raises(DataError, match=r"do not fit into the cells"):
        DataSet(tmp_path / "images.h5").train.to_pandas()


def test_channels_that_stay_in_their_file_keep_to_the_memory(tmp_path):
    values = np.arange(2000 * 16 * 16, dtype=np.float32).reshape(2000, 16, 16)
    with h5py.File(tmp_path / "fields.h5", "w") as file:
        for name, field in (("t2m", values), ("u10", -values)):
            file.create_dataset(name, data=field, chunks=(32, 16, 16), compression="lzf")
        file["label"] = np.arange(2000) % 2
    memory = 2**20  # The features take 4.
    data = DataSet(tmp_path / "fields.h5", features=["t2m", "u10"], memory=memory)
    assert isinstance(data.train, StreamedRows)
    seen = []
    loader = data.train.open_loader(64, SingleProcess(), torch.device("cpu"), seed=0)
    for batch in loader.shuffled(0):
        first = torch.as_tensor(values[batch.ids])
        assert torch.equal(batch.features, torch.stack([first, -first], dim=1))
        seen.extend(batch.ids)
    assert sorted(seen) == sorted(DataSet(tmp_path / "fields.h5", features="t2m").train.ids)
    tracemalloc.start()
    read = sum(len(batch.ids) for batch in loader.shuffled(1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == len(seen)
    assert most < memory


def test_a_folder_is_one_data_set(tmp_path):
    table = frame(60)
    for i in range(3):
        table[20 * i : 20 * (i + 1)].to_csv(tmp_path / f"part-{i}.csv", index=False)
    data = DataSet(tmp_path)
    joined = pd.concat([getattr(data, name).to_pandas() for name in PARTS]).sort_index()
    np.testing.assert_allclose(joined[["a", "b", "c"]], table[["a", "b", "c"]], rtol=1e-6)
    assert len(DataSet(f"{tmp_path}/part-[01].csv", validation=0, test=0).train) == 40


def test_the_call_becomes_a_source_a_schema_and_a_split():
    data = DataSet("a.csv", label="y", split="group", group="run", test="b.csv", binary=True)
    assert data.source == FileSource("a.csv", 2 * 10**9)
    assert data.schema == Schema(label="y", key="run", binary=True)
    assert data.split == Split("group", test="b.csv", group="run")
    assert data.split.files == {"test": "b.csv"}
    for settings in (data.source, data.schema, data.split):
        with pytest.raises(FrozenInstanceError):
            settings.seed = 4
    with pytest.raises(DataError, match="group='run' is for split='group'"):
        replace(data.split, kind="random")


def test_splits_name_the_column_that_they_go_by():
    assert Split("random").column is None
    assert Split("stratified").column is None
    assert Split("group").column == "group"
    assert Split("time", time=0).column == 0
    assert Split("fold").column == "fold"
