"""How fast an epoch's rows reach the network: our loader against torch's DataLoader.

    python benchmarks/epoch.py --json

One rank, 200,000 rows of 28 float32 features, global batches of 1,024, one thread. The baseline is
a bare PyTorch loop over `DataLoader(TensorDataset, shuffle=True)`. The two alternate in one run;
figures are medians of ratios. Three epochs are compared:

- reading: visit every batch, no network. The cost of the loader alone.
- logistic: train logistic regression (29 parameters), the epoch's smallest real use.
- network: train the 5x300 network of Baldi et al. 2014 (370,201 parameters), where arithmetic
  dominates whatever the loader does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from common import network
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import matexapps as mx
from matexapps.comm.single import SingleProcess

ROWS, COLUMNS, BATCH = 200_000, 28, 1024
ROUNDS = 7


def main() -> None:
    """Time all epochs and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="epochs of each way")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    label = (rng.random(ROWS) > 0.5).astype(np.float32)
    data = mx.DataSet.from_arrays(features, label, validation=0.0, test=0.0)
    table = TensorDataset(torch.from_numpy(features), torch.from_numpy(label))
    figures: dict[str, float] = {}
    for name, make, rounds in (
        ("reading", None, options.rounds),
        ("logistic", logistic, options.rounds),
        ("network", network, max(1, options.rounds // 3)),
    ):
        ours = reading_epoch(data) if make is None else our_epoch(make(), data)
        theirs = bare_epoch(None if make is None else make(), table)
        mine, other = alternate(ours, theirs, rounds)
        speedup = statistics.median(o / m for m, o in zip(mine, other, strict=True))
        print(
            f"{name:9s} ours {statistics.median(mine):7.3f} s, DataLoader "
            f"{statistics.median(other):7.3f} s an epoch, {speedup:.1f} times faster"
        )
        figures[f"speedup_{name}"] = round(speedup, 3)
    figures["speedup_over_dataloader"] = figures["speedup_logistic"]
    print(json.dumps(figures) if options.json else figures)


def alternate(
    first: Callable[[], None], second: Callable[[], None], rounds: int
) -> tuple[list[float], list[float]]:
    """Time two functions in turn, after one call of each that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for function, seconds in zip((first, second), times, strict=True):
            start = time.perf_counter()
            function()
            if round_:
                seconds.append(time.perf_counter() - start)
    return times


def reading_epoch(data: mx.DataSet) -> Callable[[], None]:
    """Return an epoch of our loader without a network."""
    loader = data.train.open_loader(BATCH, SingleProcess(), torch.device("cpu"))

    def run() -> None:
        rows = sum(len(b) for b in loader.shuffled(epoch=0))
        assert rows == ROWS

    return run


def our_epoch(model: nn.Module, data: mx.DataSet) -> Callable[[], None]:
    """Return an epoch of `Trainer.fit` on one rank."""
    trainer = mx.Trainer(model, optimizer=sgd, batch_size=BATCH, device="cpu", comm=SingleProcess())
    torch.set_num_threads(1)

    def run() -> None:
        trainer.fit(data, epochs=trainer.position.epoch + 1)

    return run


def bare_epoch(model: nn.Module | None, table: TensorDataset) -> Callable[[], None]:
    """Return an epoch of a bare PyTorch loop over a DataLoader."""
    loader = DataLoader(table, batch_size=BATCH, shuffle=True)
    loss_function = nn.BCEWithLogitsLoss()
    optimizer = None if model is None else sgd(list(model.parameters()))

    def run() -> None:
        for features, label in loader:
            if model is None or optimizer is None:
                continue
            optimizer.zero_grad()
            loss_function(model(features)[:, 0], label).backward()
            optimizer.step()

    return run


def sgd(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer for both."""
    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)


def logistic() -> nn.Module:
    """Return logistic regression."""
    return nn.Linear(COLUMNS, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
