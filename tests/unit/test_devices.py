"""Devices and threads of a rank, and how they are told."""

from __future__ import annotations

import os

import torch

from matexapps.comm.single import SingleProcess
from matexapps.devices import choose_device, describe, summary


def test_one_rank_may_use_all_cores_of_its_affinity_mask():
    before = os.sched_getaffinity(0)
    try:
        assert choose_device(SingleProcess(), "cpu").threads == len(before)
        os.sched_setaffinity(0, {min(before)})
        assert choose_device(SingleProcess(), "cpu").threads == 1
    finally:
        os.sched_setaffinity(0, before)


def test_auto_takes_a_gpu_where_there_is_one_and_says_which():
    chosen = choose_device(SingleProcess())
    assert chosen.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert chosen.memory_gb > 0
    (row,) = describe(SingleProcess(), "cpu")
    assert (row["rank"], row["world_size"], row["device"]) == (0, 1, "cpu")
    assert summary([row]).startswith(f"rank 0 on {row['host']}: {row['processor']}, ")


def test_ranks_that_are_placed_alike_share_a_line():
    row = {"host": "a", "device": "cpu", "processor": "CPU", "threads": 1, "gradient_path": "NCCL"}
    rows = [{**row, "rank": 0}, {**row, "rank": 1}, {**row, "rank": 2, "host": "b", "threads": 4}]
    assert summary(rows).splitlines() == [
        "ranks 0, 1 on a: CPU, 1 thread each; gradients through NCCL",
        "rank 2 on b: CPU, 4 threads; gradients through NCCL",
    ]


def test_ranks_on_one_host_share_its_cores_out(run_ranks):
    result = run_ranks(
        2,
        """
        import os
        from matexapps.comm.world import open_world
        from matexapps.devices import choose_device
        with open_world() as comm:
            own = choose_device(comm, "cpu").threads
            print(own == max(1, len(os.sched_getaffinity(0)) // 2), flush=True)
        """,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["True", "True"]
