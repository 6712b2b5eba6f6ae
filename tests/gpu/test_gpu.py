"""Training on GPUs; these tests skip, saying why, where there is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(GPUS == 0, reason="needs an NVIDIA GPU that this torch can use"),
]

TRAIN = """
    import json, sys
    import numpy as np
    import torch
    from torch import nn
    import matexapps as mx

    device, precision = sys.argv[1:]
    rng = np.random.default_rng(5)
    features = rng.normal(size=(1003, 6)).astype(np.float32)
    label = (features[:, 0] + features[:, 1] ** 2 + rng.normal(size=1003) > 1).astype(np.float32)
    data = mx.DataSet.from_arrays(features, label, validation=0.2, test=0.1)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    trainer = mx.Trainer(
        net, batch_size=64, device=device, precision=precision, clip_norm=1.0, metrics=["roc_auc"]
    )
    history = trainer.fit(data, epochs=3)
    predictions = trainer.predict(data.test)
    if trainer.comm.rank == 0:
        print(json.dumps({
            "losses": [row["loss"] for row in history.rows],
            "auc": history.rows[-1]["roc_auc"],
            "predictions": predictions[:, 0].tolist(),
            "path": trainer.rank_device.gradient_path,
        }))
"""


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
    one = train(run_ranks, 1, precision=precision)
    several = train(run_ranks, GPUS + 1, precision=precision)
    assert several["path"] == "pinned host memory"
    tolerance = 1e-5 if precision == "float32" else 2e-2
    np.testing.assert_allclose(several["losses"], one["losses"], rtol=tolerance)


@pytest.mark.skipif(GPUS < 2, reason="NCCL between ranks needs two GPUs")
def test_ranks_with_a_gpu_each_use_nccl(run_ranks):
    one, two = train(run_ranks, 1), train(run_ranks, 2)
    assert two["path"] == "NCCL"
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
