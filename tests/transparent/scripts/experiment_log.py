"""A training with command line, logger, CSV of losses and JSON of settings and results."""

import argparse
import csv
import json
import logging
import sys
from pathlib import Path

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--lr", type=float, default=0.02)
parser.add_argument("--seed", type=int, default=20)
parser.add_argument("--out", type=Path, default=Path("results"))
args = parser.parse_args()

args.out.mkdir(parents=True, exist_ok=True)
log = logging.getLogger("experiment")
log.setLevel(logging.INFO)
log.addHandler(logging.StreamHandler(sys.stdout))
log.addHandler(logging.FileHandler(args.out / "train.log", mode="w"))
torch.manual_seed(args.seed)

inputs = torch.randn(100, 5)
targets = inputs[:, 0] * 2 - inputs[:, 1].abs()
model = nn.Sequential(nn.Linear(5, 12), nn.GELU(), nn.Linear(12, 1))
optimizer = torch.optim.NAdam(model.parameters(), lr=args.lr)

with open(args.out / "losses.csv", "w", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=["epoch", "loss", "mae"])
    writer.writeheader()
    for epoch in range(args.epochs):
        for i in range(0, 100, 25):
            optimizer.zero_grad()
            predicted = model(inputs[i : i + 25]).squeeze(-1)
            loss = nn.functional.mse_loss(predicted, targets[i : i + 25])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            mae = (model(inputs).squeeze(-1) - targets).abs().mean().item()
        writer.writerow({"epoch": epoch, "loss": f"{loss.item():.5f}", "mae": f"{mae:.5f}"})
        log.info("epoch %d loss %.5f mae %.5f", epoch, loss.item(), mae)

settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
(args.out / "run.json").write_text(json.dumps({"settings": settings, "mae": round(mae, 5)}))
with open(args.out / "losses.csv") as f:
    rows = list(csv.DictReader(f))
best = min(rows, key=lambda row: float(row["mae"]))
print("best epoch:", best["epoch"], "mae", best["mae"])
print("settings:", json.loads((args.out / "run.json").read_text())["settings"]["lr"])
for handler in list(log.handlers):
    handler.close()
    log.removeHandler(handler)
torch.save(model.state_dict(), "model.pt")
