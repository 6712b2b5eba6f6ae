"""Trains on the device, and with the precision, of the arguments."""

import json
import sys

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
    print(
        json.dumps(
            {
                "losses": [row["loss"] for row in history.rows],
                "auc": history.rows[-1]["roc_auc"],
                "predictions": predictions[:, 0].tolist(),
                "path": trainer.rank_device.gradient_path,
            }
        )
    )
