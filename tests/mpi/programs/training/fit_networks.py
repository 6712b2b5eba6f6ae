"""Trains every network of ``global_batch_networks``, and stops and resumes some of them."""

import json
import sys
import warnings
from contextlib import suppress

import torch
from global_batch_networks import NETWORKS, train, trainer_of

import matexapps as mx

few_rows, (folder, folder_before) = json.loads(sys.argv[1]), sys.argv[2:]


class Stop(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.position.epoch == 1 and trainer.position.step == 2:
            raise SystemExit(0)


def fit_and_stop(name):
    callbacks = [mx.Checkpointing(f"{folder}/{name}", every_steps=2), Stop()]
    with suppress(SystemExit):
        train(trainer_of(name, callbacks=callbacks))


warnings.simplefilter("ignore")
results = {name: train(trainer_of(name)) for name in NETWORKS}
for name, size in few_rows.items():
    results["few rows, " + name] = train(trainer_of(name, batch_size=size), rows=45)
NETWORKS["compiled"] = lambda: torch.compile(NETWORKS["both"](), backend="eager")
results["compiled"] = train(trainer_of("compiled"))
results["bf16"] = train(trainer_of("both", precision="bf16"))
for name in ("both", "lstm"):
    if mx.open_world().world_size > 1:
        results["resumed, " + name] = train(trainer_of(name), resume=f"{folder_before}/{name}")
    fit_and_stop(name)
if mx.open_world().rank == 0:
    print(json.dumps(results), flush=True)
