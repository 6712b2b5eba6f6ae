"""Whether shuffling within windows of a file is as good as shuffling all its rows.

    python benchmarks/shuffle.py --json

The simulated Higgs sample, sorted by its label, all background first, is the hardest file for a
shuffle that never sees all of it. The same network is trained from the same weights, five seeds, on
its rows in three orders: one permutation of all rows (in memory); windows of the file (memory bound
so small that a window holds 1 row in 35); and the order of the file. The figure that counts is the
AUC on the validation rows.

- auc_full, auc_windowed, auc_sorted: means over seeds.
- full_interval: the 95 % interval of the full shuffle's AUC over seeds (Student's t).
- windowed_within_interval: whether auc_windowed is at least its lower end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import nn

from matexapps import DataSet
from matexapps.data.loading.batch import Batch
from matexapps.data.statistics import Statistics

SEEDS = 5
EPOCHS = 3
BATCH = 256
BOUND = "1MB"
ORDERS = ("full", "windowed", "sorted")


def main() -> None:
    """Train all networks and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sorted.h5"
        write_sorted(path)
        in_memory = DataSet(path, split="stratified", test=0).load()
        streamed = DataSet(path, split="stratified", test=0, memory=BOUND).load()
        aucs = {
            order: [train(in_memory, streamed, order, seed) for seed in range(SEEDS)]
            for order in ORDERS
        }
    full = np.array(aucs["full"])
    half = float(stats.t.ppf(0.975, SEEDS - 1) * full.std(ddof=1) / np.sqrt(SEEDS))
    figures = {
        **{f"auc_{order}": round(float(np.mean(aucs[order])), 4) for order in ORDERS},
        "full_interval": [round(full.mean() - half, 4), round(full.mean() + half, 4)],
        "windowed_within_interval": bool(np.mean(aucs["windowed"]) >= full.mean() - half),
        "window_rows": streamed.train.window_rows,
        "rows": len(in_memory.train),
        "seeds": SEEDS,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<26} {value}")


def write_sorted(path: Path) -> None:
    """Write the simulated sample, all background before all signal."""
    sample = DataSet("higgs-simulated", validation=0, test=0).train
    order = np.argsort(sample.label, kind="stable")
    with h5py.File(path, "w") as file:
        file["features"] = sample.features[order]
        file["label"] = sample.label[order]


def train(in_memory: DataSet, streamed: DataSet, order: str, seed: int) -> float:
    """Train a network on one order of the rows and return its validation AUC."""
    torch.manual_seed(seed)
    known = Statistics.of(in_memory.train.features, in_memory.columns)
    mean, std = (torch.from_numpy(v).float() for v in (known.mean, known.std))
    model = nn.Sequential(
        nn.Linear(28, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_function = nn.BCEWithLogitsLoss()
    for epoch in range(EPOCHS):
        for batch in batches(in_memory, streamed, order, seed, epoch):
            optimizer.zero_grad()
            output = model((batch.features - mean) / std)[:, 0]
            loss_function(output, batch.label).backward()
            optimizer.step()
    with torch.no_grad():
        output = model((torch.from_numpy(in_memory.validation.features) - mean) / std)
    return float(roc_auc_score(in_memory.validation.label, output[:, 0].numpy()))


def batches(
    in_memory: DataSet, streamed: DataSet, order: str, seed: int, epoch: int
) -> Iterator[Batch]:
    """Return the batches of one epoch."""
    if order == "sorted":
        return in_memory.train.batches(BATCH, device="cpu")
    data = in_memory if order == "full" else streamed
    return data.train.batches(BATCH, seed=seed, epoch=epoch, device="cpu")


if __name__ == "__main__":
    main()
