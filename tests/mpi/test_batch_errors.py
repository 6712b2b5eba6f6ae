"""An exception on one of N ranks names the batch, and rows of which one is to blame."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

ROWS = 101

PROGRAM = """
import json, sys
import torch
import matexapps as mx

class Net(torch.nn.Module):
    '''Refuses one row, whose number is its feature.'''
    poison = -1
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
    def forward(self, features):
        if (features[:, 0] == self.poison).any():
            raise ValueError("a row of another world")
        return self.layer(features / 1000)

class Stop(mx.Callback):
    def __init__(self, step):
        self.step = step
    def on_step_end(self, trainer):
        if (trainer.position.epoch, trainer.position.step) == (1, self.step):
            raise KeyboardInterrupt

def trainer(*callbacks):
    return mx.Trainer(Net(), batch_size=6, seed=2, comm=mx.open_world(), callbacks=callbacks)

def case(path, memory, weight, stop, folder):
    data = mx.DataSet(
        path, memory=memory, label="label", weight=weight or None, validation=0, test=0
    )
    if stop:
        try:
            trainer(mx.Checkpointing(folder, every_steps=1), Stop(stop)).fit(data, epochs=2)
        except KeyboardInterrupt:
            pass
    rows = data.load(mx.open_world()).train
    order = [batch.ids for batch in rows.batches(6, seed=2, epoch=1, device="cpu")]
    broken = trainer()
    if not stop:
        broken.fit(data, epochs=1)
    broken.model.poison = int(order[stop + 2][-1])
    try:
        broken.fit(data, epochs=2, resume=folder if stop else None)
    except Exception as error:
        failure = [type(error).__name__, getattr(error, "__notes__", [])]
    return {
        "kind": type(rows).__name__, "batch": stop + 3, "of": len(order),
        "rows": order[stop + 2].tolist(), "poison": broken.model.poison,
        "failures": mx.open_world().all_gather_object(failure),
    }

def failures_of_evaluation(path, ranks):
    # The first row of the last rank's share.
    poison = 101 * (ranks - 1) // ranks
    failures = []
    for memory in ("2GB", "2 KiB"):
        data = mx.DataSet(path, memory=memory, label="label", validation=0, test=0)
        for name in ("evaluate", "predict"):
            with mx.open_world() as comm:
                trainer = mx.Trainer(Net(), comm=comm)
                trainer.model.poison = poison
                rows = data.load(comm).train
                assert type(rows).__name__ == {"2GB": "Rows", "2 KiB": "StreamedRows"}[memory]
                try:
                    getattr(trainer, name)(rows)
                except Exception as error:
                    comm.abort(str(error))
                    failures.append([type(error).__name__, getattr(error, "__notes__", [])])
    return mx.open_world().all_gather_object(failures)

cases, path = json.loads(sys.argv[1])
seen = {
    "training": [case(*settings) for settings in cases],
    "evaluation": failures_of_evaluation(path, mx.open_world().world_size),
}
if mx.open_world().rank == 0:
    print(json.dumps(seen), flush=True)
"""


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
