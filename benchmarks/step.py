"""What one training step costs: our core, DDP with gloo, and no communication, in one run.

    python benchmarks/step.py --json
    python benchmarks/step.py --transparent --json
    python benchmarks/step.py --layers --json

Starts 2 ranks, each pinned to a core, and trains the 28-300-300-300-300-300-1 network (370,201
parameters) on 128 rows a rank. The ways alternate in short blocks, so that a change of the
machine's speed meets all of them; figures are medians over blocks of ratios within a block.

- ours: `Trainer.fit`, everything included (loader, progress, losses).
- ddp: a loop with DistributedDataParallel over gloo, batches indexed whole.
- no communication: the same loop without DDP; the slower rank's time, as a job would take it.
- one rank: `Trainer.fit` on one rank against the bare loop, both ranks at once, each by itself.
- transparent: the bare loop on the global batch as a program for one process has it, inside
  `mx.distributed()`, its collectives checked as `matexapps exec` has them checked, against
  `Trainer.fit`; and on one rank against the same loop alone. With `--transparent`, these alone.
- layers: `Trainer.fit` of the same network with dropout, or with batch normalization, after each of
  its five hidden layers, against the network without. Part of the difference is what the layers
  compute on one rank as well, so the bare loop is measured with them, too; the rest is the extra
  cost of the global batch, given as a share of the step. With `--layers`, these alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

from common import network, run_on

ROWS_PER_RANK = 128
STEPS = 40
WARM_UP_STEPS = 4
ROUNDS = 25
RANKS = 2
LAYERS = ("dropout", "batch norm")


def main() -> None:
    """Start the ranks, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument(
        "--transparent", action="store_true", help="mx.distributed against the Trainer"
    )
    parser.add_argument(
        "--layers", action="store_true", help="networks with dropout and batch normalization"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="blocks of each way")
    options = parser.parse_args()
    run_on(RANKS)
    subject = "transparent" if options.transparent else "layers" if options.layers else "core"
    measure(options.rounds, options.json, subject)


def measure(rounds: int, as_json: bool, subject: str) -> None:
    """Run all ways in turn on every rank; rank 0 prints the figures."""
    import torch

    from matexapps.comm.world import open_world

    comm = open_world()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[comm.rank % len(cores)]})
    torch.set_num_threads(1)

    with contextlib.ExitStack() as stack:
        ways = WAYS[subject](comm, stack)
        times: dict[str, list[list[float]]] = {name: [] for name in ways}
        for round_ in range(-1, rounds):
            for name, run in ways.items():
                comm.barrier()
                steps = run()
                everybody = comm.all_gather_object(statistics.fmean(steps))
                if round_ >= 0:
                    times[name].append(everybody)
    if comm.rank == 0:
        show(times, as_json)
    comm.close()


def core_ways(comm, stack: contextlib.ExitStack) -> dict[str, Callable[[], list[float]]]:
    """Return our core, DDP, and no communication."""
    from torch import nn

    from matexapps.comm.single import SingleProcess

    stack.enter_context(gloo(comm))
    return {
        "ours": our_loop(network(), comm),
        "no communication": bare_loop(network()),
        "ddp": bare_loop(nn.parallel.DistributedDataParallel(network())),
        "ours on one rank": our_loop(network(), SingleProcess()),
        "bare on one rank": bare_loop(network()),
    }


def transparent_ways(comm, stack: contextlib.ExitStack) -> dict[str, Callable[[], list[float]]]:
    """Return our core, and a program that knows nothing of ranks."""
    from matexapps.comm.single import SingleProcess
    from matexapps.comm.world import open_world

    return {
        "ours": our_loop(network(), comm),
        "transparent": transparent_loop(network(), stack.enter_context(open_world(check=True))),
        "transparent on one rank": transparent_loop(network(), SingleProcess()),
        "bare on one rank": bare_loop(network()),
    }


def layer_ways(comm, stack: contextlib.ExitStack) -> dict[str, Callable[[], list[float]]]:
    """Return our core and the bare loop, with and without layers that need the global batch."""
    ways = {}
    for layer in ("", *LAYERS):
        name = layer or "plain"
        ways[name] = our_loop(network(layer=layer), comm)
        ways[f"{name}, no communication"] = bare_loop(network(layer=layer))
    return ways


def show(times: dict[str, list[list[float]]], as_json: bool) -> None:
    """Print each way's time and the ratios."""
    slowest = {name: [max(ranks) for ranks in blocks] for name, blocks in times.items()}
    for name, blocks in slowest.items():
        low, mid, high = min(blocks), statistics.median(blocks), max(blocks)
        print(f"{name:30s} {mid * 1e3:7.2f} ms a step (min {low * 1e3:.2f}, max {high * 1e3:.2f})")
    if "transparent" in times:
        figures = transparent_figures(times)
    else:
        figures = layer_figures(times) if "plain" in times else core_figures(times)
    figures |= {"ranks": RANKS, "rows_per_rank": ROWS_PER_RANK}
    figures = {k: round(v, 4) for k, v in figures.items()}
    print(json.dumps(figures) if as_json else figures)


def core_figures(times: dict[str, list[list[float]]]) -> dict[str, float]:
    """Return our Trainer's ratios to the other ways."""
    slowest = {name: [max(ranks) for ranks in blocks] for name, blocks in times.items()}
    return {
        "throughput_over_ddp": ratio(slowest["ddp"], slowest["ours"]),
        "time_over_nocomm": ratio(slowest["ours"], slowest["no communication"]),
        "one_rank_time_over_bare": each_by_itself(times, "ours on one rank"),
        "ours_ms": statistics.median(slowest["ours"]) * 1e3,
        "ddp_ms": statistics.median(slowest["ddp"]) * 1e3,
        "nocomm_ms": statistics.median(slowest["no communication"]) * 1e3,
    }


def transparent_figures(times: dict[str, list[list[float]]]) -> dict[str, float]:
    """Return the ratios of a program that knows nothing of ranks."""
    slowest = {name: [max(ranks) for ranks in blocks] for name, blocks in times.items()}
    return {
        "transparent_time_over_trainer": ratio(slowest["transparent"], slowest["ours"]),
        "one_rank_time_over_plain": each_by_itself(times, "transparent on one rank"),
        "transparent_ms": statistics.median(slowest["transparent"]) * 1e3,
        "ours_ms": statistics.median(slowest["ours"]) * 1e3,
    }


def layer_figures(times: dict[str, list[list[float]]]) -> dict[str, float]:
    """Return what dropout and batch normalization cost, in all and beyond one rank's cost."""
    slowest = {name: [max(ranks) for ranks in blocks] for name, blocks in times.items()}
    figures = {"plain_ms": statistics.median(slowest["plain"]) * 1e3}
    for layer in LAYERS:
        key = layer.replace(" ", "_")
        extra = [
            (ours - bare - (plain - plain_bare)) / ours
            for ours, bare, plain, plain_bare in zip(
                slowest[layer],
                slowest[f"{layer}, no communication"],
                slowest["plain"],
                slowest["plain, no communication"],
                strict=True,
            )
        ]
        figures[f"{key}_time_over_plain"] = ratio(slowest[layer], slowest["plain"])
        figures[f"{key}_extra_share_of_step"] = statistics.median(extra)
        figures[f"{key}_ms"] = statistics.median(slowest[layer]) * 1e3
    return figures


def each_by_itself(times: dict[str, list[list[float]]], name: str) -> float:
    """Return the median of a one-rank way's time over the bare loop's, rank by rank."""
    return statistics.median(
        ours / bare
        for o, b in pair(times, name, "bare on one rank")
        for ours, bare in zip(o, b, strict=True)
    )


def pair(
    times: dict[str, list[list[float]]], one: str, other: str
) -> Iterator[tuple[list[float], list[float]]]:
    """Yield the blocks of two ways that were measured next to each other."""
    return zip(times[one], times[other], strict=True)


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median over blocks of one way's time over another's."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def our_loop(model, comm) -> Callable[[], list[float]]:
    """Return a function that trains one short epoch with our Trainer and gives step times."""
    import matexapps as mx

    class Stamp(mx.Callback):
        stamps: list[float]

        def on_step_end(self, trainer: mx.Trainer) -> None:
            self.stamps.append(time.perf_counter())

    stamp = Stamp()
    features, label = example_rows(STEPS * ROWS_PER_RANK * comm.world_size)
    data = mx.DataSet.from_arrays(features, label, validation=0.0, test=0.0)
    trainer = mx.Trainer(
        model,
        optimizer=sgd,
        batch_size=ROWS_PER_RANK * comm.world_size,
        callbacks=[stamp],
        device="cpu",
        comm=comm,
    )

    def run() -> list[float]:
        stamp.stamps = []
        trainer.fit(data, epochs=trainer.position.epoch + 1)
        return between(stamp.stamps)

    return run


def bare_loop(model, rows_per_step: int = ROWS_PER_RANK) -> Callable[[], list[float]]:
    """Return a function that runs a plain PyTorch loop, or DDP's, and gives step times."""
    import torch
    from torch import nn

    values, targets = example_rows(STEPS * rows_per_step)
    features, label = torch.from_numpy(values), torch.from_numpy(targets)[:, None]
    optimizer = sgd(list(model.parameters()))
    loss_function = nn.BCEWithLogitsLoss()

    def run() -> list[float]:
        stamps = []
        order = torch.randperm(len(label))
        for step in range(STEPS):
            rows = order[step * rows_per_step : (step + 1) * rows_per_step]
            optimizer.zero_grad()
            loss = loss_function(model(features[rows]), label[rows])
            loss.backward()
            optimizer.step()
            stamps.append(time.perf_counter())
        return between(stamps)

    return run


def transparent_loop(model, comm) -> Callable[[], list[float]]:
    """Return the plain loop over the global batch inside `mx.distributed()`."""
    import torch

    import matexapps as mx

    plain = bare_loop(model, ROWS_PER_RANK * comm.world_size)

    def run() -> list[float]:
        with mx.distributed(comm):
            torch.set_num_threads(1)
            return plain()

    return run


def between(stamps: list[float]) -> list[float]:
    """Return the times of single steps, the first few left out."""
    return [b - a for a, b in pairwise(stamps)][WARM_UP_STEPS:]


def sgd(parameters):
    """Return the optimizer that every way uses."""
    import torch

    return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)


def example_rows(count: int):
    """Return random rows of the network's shape; their values do not matter for the time."""
    import numpy as np

    rng = np.random.default_rng(0)
    label = (rng.random(count) > 0.5).astype(np.float32)
    return rng.normal(size=(count, 28)).astype(np.float32), label


@contextlib.contextmanager
def gloo(comm) -> Iterator[None]:
    """Start torch.distributed over gloo, its address exchanged over MPI."""
    import torch.distributed as dist

    store = dist.TCPStore("127.0.0.1", 0, is_master=True) if comm.rank == 0 else None
    port = comm.broadcast_object(store.port if store else None)
    store = store or dist.TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size)
    try:
        yield
    finally:
        dist.destroy_process_group()


WAYS = {"core": core_ways, "transparent": transparent_ways, "layers": layer_ways}

if __name__ == "__main__":
    main()
