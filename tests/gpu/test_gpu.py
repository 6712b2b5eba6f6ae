"""Training on GPUs; these tests skip, saying why, where there is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mpi_programs import program

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(GPUS == 0, reason="needs an NVIDIA GPU that this torch can use"),
]

TRAIN = program("training/fit_on_device.py")


def train(run_ranks, n: int, device: str = "cuda", precision: str = "float32") -> dict:
    result = run_ranks(n, TRAIN, device, precision)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_the_gpu_gives_what_the_cpu_gives(run_ranks):
    cpu, gpu = train(run_ranks, 1, "cpu"), train(run_ranks, 1)
    np.testing.assert_allclose(gpu["losses"], cpu["losses"], rtol=1e-4)
    np.testing.assert_allclose(gpu["predictions"], cpu["predictions"], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_stays_near_full_precision(run_ranks, precision):
    full, mixed = train(run_ranks, 1), train(run_ranks, 1, precision=precision)
    np.testing.assert_allclose(mixed["losses"], full["losses"], rtol=2e-2)


@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_ranks_that_share_a_gpu_go_through_pinned_memory(run_ranks, precision):
    alone = train(run_ranks, 1, precision=precision)
    several = train(run_ranks, GPUS + 1, precision=precision)
    assert several["path"] == "pinned host memory"
    tolerance = 1e-5 if precision == "float32" else 2e-2
    np.testing.assert_allclose(several["losses"], alone["losses"], rtol=tolerance)


@pytest.mark.skipif(GPUS < 2, reason="NCCL between ranks needs two GPUs")
def test_ranks_with_a_gpu_each_use_nccl(run_ranks):
    alone, two = train(run_ranks, 1), train(run_ranks, 2)
    assert two["path"] == "NCCL"
    np.testing.assert_allclose(two["losses"], alone["losses"], rtol=1e-5)
