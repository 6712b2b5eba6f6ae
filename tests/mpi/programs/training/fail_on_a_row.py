"""Fails on one row: in training, in evaluation and in prediction, in memory and streamed."""

import json
import sys
from contextlib import suppress

import torch

import matexapps as mx


class Net(torch.nn.Module):
    """Refuses one row, whose number is its feature."""

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


def new_trainer(*callbacks):
    return mx.Trainer(Net(), batch_size=6, seed=2, comm=mx.open_world(), callbacks=callbacks)


def failures_of_training(path, memory, weight, stop, folder):
    data = mx.DataSet(
        path, memory=memory, label="label", weight=weight or None, validation=0, test=0
    )
    if stop:
        with suppress(KeyboardInterrupt):
            new_trainer(mx.Checkpointing(folder, every_steps=1), Stop(stop)).fit(data, epochs=2)
    rows = data.load(mx.open_world()).train
    order = [batch.ids for batch in rows.batches(6, seed=2, epoch=1, device="cpu")]
    broken = new_trainer()
    if not stop:
        broken.fit(data, epochs=1)
    broken.model.poison = int(order[stop + 2][-1])
    try:
        broken.fit(data, epochs=2, resume=folder if stop else None)
    except Exception as error:
        failure = [type(error).__name__, getattr(error, "__notes__", [])]
    return {
        "kind": type(rows).__name__,
        "batch": stop + 3,
        "of": len(order),
        "rows": order[stop + 2].tolist(),
        "poison": broken.model.poison,
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
results = {
    "training": [failures_of_training(*settings) for settings in cases],
    "evaluation": failures_of_evaluation(path, mx.open_world().world_size),
}
if mx.open_world().rank == 0:
    print(json.dumps(results), flush=True)
