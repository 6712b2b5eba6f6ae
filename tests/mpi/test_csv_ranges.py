"""CSV files that ranks parse in byte ranges: the rows, and the errors, of one rank."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mpi_programs import program

from matexapps.data.schema.schema import Schema
from matexapps.data.sources.formats import open_reader
from matexapps.errors import DataError

READ_AND_COPY = program("data/read_and_copy_csv.py")


def table(rows, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "label": random.integers(0, 2, rows),
            "x": random.normal(size=rows).astype(np.float32),
            # Quoted cells that look like files, with commas and line ends: most line ends do not
            # end a row.
            "note": ["0,1.5,\n" * lines for lines in random.integers(0, 40, rows)],
            "y": random.normal(size=rows).astype(np.float32),
            "run": [f"r{number}" for number in random.integers(0, 9, rows)],
        }
    )


def write_all(folder):
    """Write files of all kinds and return their schemas' settings by their paths."""
    wanted = {"features": ["x", "y"], "key": "run"}
    text = table(3000).to_csv(index=False)
    files = {
        "quoted.csv": (text, wanted),
        "windows.csv": ("\ufeff" + table(500).to_csv(index=False, lineterminator="\r\n"), wanted),
        "bare.tsv": (table(500).to_csv(index=False, header=False, sep="\t"), {"label": 0}),
        "packed.csv.gz": (text, wanted),
        "old_mac.csv": ("label,x\r0,1\r1,2\r0,3\r", {}),
        "one_row.csv": ("label,x\n1,2", {}),
        "few_rows.csv": ("label,x\n1,2\n\n\n0,3\n", {}),
        "inches.csv": ("label,x,n\n" + '0,1,5" pipe\n1,2,"a\nb"\n' * 300, {"features": ["x"]}),
        "missing.csv": ("label,x\n" + "0,-9\n1,\n" * 99, {"missing": [-9.0, math.nan]}),
        "mixed_key.csv": ("label,x,k\n" + "0,1,7\n" * 99 + "1,2,seven\n", {"key": "k"}),
        "decimal_key.csv": ("label,x,k\n" + "0,1,7\n" * 99 + "1,2,7.5\n", {"key": "k"}),
        "header.csv": ("label,x\n", {}),
        "late.csv": (text + "1,oops,,2,r1\n" + text.partition("\n")[2], wanted),
        "both.csv": (text.replace("\n", "\n1,early,,2,r1\n", 1) + "1,late,,2,r1\n", wanted),
        "open_quote.csv": ('label,x\n1,2\n0,3\n1,"4\n' + "0,5\n" * 50, {}),
        "cut.csv": ("label,x,y\n" + "1,2,3\n" * 500 + "1,2", {}),
    }
    files["bare.tsv"][1]["features"] = [1, 3]
    settings = {}
    for name, (content, given) in files.items():
        data = content.encode()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        settings[str(folder / name)] = given
    for name, numbers, ending in (("few", 2, ".csv"), ("many", 14, ".csv"), ("gz", 5, ".csv.gz")):
        (folder / name).mkdir()
        for i in range(numbers):
            table(50 + i, seed=i).to_csv(folder / name / f"part-{i}{ending}", index=False)
        settings[str(folder / name)] = wanted
    return settings


def one_process(name, settings):
    schema = Schema(**settings)
    try:
        reader = open_reader(Path(name), schema)
        rows = reader.read()
        key = None if rows.key is None else rows.key.tolist()
        return [rows.digest(), key, reader.locate(len(rows) - 1)]
    except DataError as error:
        return str(error)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("MATEXAPPS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "files"
    folder.mkdir()
    return write_all(folder)


@pytest.mark.parametrize("ranks", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_ranks_read_what_one_process_reads(run_ranks, files, ranks):
    result = run_ranks(ranks, READ_AND_COPY, json.dumps(files))
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout.splitlines()[-1])
    for name, settings in files.items():
        expected = one_process(name, settings)
        assert answers[name] == [expected, expected], name
    failed = {name.rpartition("/")[2] for name, (rows, _) in answers.items() if type(rows) is str}
    assert failed == {"header.csv", "late.csv", "both.csv", "open_quote.csv", "cut.csv"}


def test_the_reference_is_what_pandas_reads(files):
    for name in ("quoted.csv", "windows.csv", "packed.csv.gz", "bare.tsv"):
        path = next(file for file in files if file.endswith(name))
        headed = not name.startswith("bare")
        table = pd.read_csv(
            path,
            header=0 if headed else None,
            sep="\t" if name.endswith("tsv") else ",",
            float_precision="round_trip",
        )
        columns = ["x", "y"] if headed else [1, 3]
        rows = open_reader(Path(path), Schema(**files[path]))
        np.testing.assert_array_equal(
            rows.read().features, table[columns].to_numpy().astype(np.float32)
        )
