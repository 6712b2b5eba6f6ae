"""Train, save a checkpoint with optimizer and scheduler, and go on in a new network."""

import os

import torch
import torch.nn as nn

torch.manual_seed(99)
CHECKPOINT = "checkpoint.pth"
x = torch.randn(80, 6)
y = (x[:, 0] * x[:, 1] > 0).float().unsqueeze(1)


def build():
    model = nn.Sequential(nn.Linear(6, 24), nn.LeakyReLU(), nn.Dropout(0.1), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 4], gamma=0.5)
    return model, optimizer, scheduler


def train(until):
    model, optimizer, scheduler = build()
    start = 0
    if os.path.exists(CHECKPOINT):
        state = torch.load(CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        start = state["epoch"] + 1
        print("resumed at epoch", start)
    for epoch in range(start, until):
        for rows in torch.arange(80).split(20):
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        print(f"epoch {epoch} loss {loss.item():.5f} lr {scheduler.get_last_lr()}")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "epoch": epoch,
        },
        CHECKPOINT,
    )
    return model


train(until=2)
model = train(until=5)
torch.save(model.state_dict(), "model.pt")
os.remove(CHECKPOINT)
