"""An exception on one of N ranks names the batch, and rows of which one is to blame."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from mpi_programs import program

ROWS = 101

PROGRAM = program("training/fail_on_a_row.py")


def numbered(path, weight=""):
    """Write rows whose feature is their number."""
    with h5py.File(path, "w") as file:
        numbers = np.arange(ROWS, dtype=np.float32)[:, None]
        file.create_dataset("features", data=numbers, chunks=(16, 1))
        file["label"] = np.arange(ROWS) % 2
        if weight:
            file[weight] = np.linspace(0.5, 1.5, ROWS)
    return str(path)


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow), 3])
def seen(request, run_ranks_once, tmp_path_factory):
    """A number of ranks, and what failed on them in training, evaluation and prediction."""
    folder = tmp_path_factory.mktemp("rows")
    plain, weighted = numbered(folder / "plain.h5"), numbered(folder / "weighted.h5", "weight")
    cases = [
        (plain, "2GB", "", 0, ""),
        (weighted, "2 KiB", "weight", 0, ""),
        (weighted, "2GB", "weight", 5, str(folder / "kept in memory")),
        # The last batch, of fewer rows.
        (plain, "2 KiB", "", 14, str(folder / "kept streamed")),
    ]
    done = run_ranks_once(request.param, PROGRAM, json.dumps([cases, plain]))
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stdout.splitlines()[-1])


def test_the_poisoned_row_is_among_those_that_its_rank_names(seen):
    ranks, outcomes = seen[0], seen[1]["training"]
    assert [o["kind"] for o in outcomes] == ["Rows", "StreamedRows", "Rows", "StreamedRows"]
    assert outcomes[-1]["batch"] == outcomes[-1]["of"] == 17
    for outcome in outcomes:
        aborted = [notes for kind, notes in outcome["failures"] if kind == "PeerAborted"]
        own = [notes for kind, notes in outcome["failures"] if kind == "ValueError"]
        assert aborted == [[]] * (ranks - 1)
        ((note,),) = own
        batch = f"batch {outcome['batch']} of 17"
        prefix = f"matexapps: in training, epoch 2, {batch}, this rank's rows"
        assert note.startswith(f"{prefix} ")
        named = [int(i) for i in note.removeprefix(prefix).split(" (")[0].split(", ")]
        assert outcome["poison"] in named
        assert set(named) <= set(outcome["rows"])
        size = len(outcome["rows"])
        assert size // ranks <= len(named) <= -(-size // ranks)


def test_evaluation_and_prediction_name_the_rows_of_the_ranks_share(seen):
    ranks, everybody = seen[0], seen[1]["evaluation"]
    first = ROWS * (ranks - 1) // ranks
    rows = ", ".join(str(first + k) for k in range(8))
    expected = [
        [
            "ValueError",
            [
                f"matexapps: in {doing}, batch 1 of 1, this rank's rows {rows}, ... "
                f"({ROWS - first} rows, numbered from 0)"
            ],
        ]
        for doing in ("evaluation", "prediction") * 2
    ]
    assert everybody == [*[[["PeerAborted", []]] * 4] * (ranks - 1), expected]
