"""Counts the collectives, and calls of the network, that sharding and a step of training need."""

import json
from collections import Counter

import torch
from global_batch_networks import COLUMNS, NETWORKS, data_set, network, train, trainer_of
from torch import nn

import matexapps as mx
from matexapps.sharding.sharded_network import rows_to_try, shard_network

NAMES = "barrier broadcast_object all_gather_object all_reduce broadcast all_gather_rows"


def count(owner, names, counts):
    for name in names.split():
        setattr(owner, name, counted(getattr(owner, name), name, counts))


def counted(function, name, counts):
    def call(*args, **settings):
        counts[name] += 1
        return function(*args, **settings)

    return call


class CountsAtSteps(mx.Callback):
    def __init__(self, counts):
        self.counts, self.at = counts, []

    def on_step_end(self, trainer):
        self.at.append(Counter(self.counts))


comm, counts = mx.open_world(), Counter()
count(comm, NAMES, counts)
make_buffer = comm.mean_buffer


def mean_buffer(*args):
    buffer = make_buffer(*args)
    count(buffer, "average", counts)
    return buffer


def forward(net, rows):
    rows_of_calls.append(len(rows))
    return net(rows)


comm.mean_buffer = mean_buffer
NETWORKS["plain"] = lambda: nn.Sequential(
    nn.Linear(COLUMNS, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 1)
)
results, rows_of_calls = {}, []
for name in ("plain", "dropout", "batch norm 1d"):
    counts.clear()
    rows_of_calls.clear()
    features = torch.from_numpy(data_set().train.features[: rows_to_try(comm.world_size)])
    shard_network(network(name), forward, features, comm)
    results[name] = {"finding out": dict(counts), "rows of calls": list(rows_of_calls)}
    steps = CountsAtSteps(counts)
    train(trainer_of(name, callbacks=[steps], comm=comm))
    results[name]["step"] = dict(steps.at[2] - steps.at[1])
if comm.rank == 0:
    print(json.dumps(results), flush=True)
