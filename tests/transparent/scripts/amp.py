"""Automatic mixed precision: autocast and a gradient scaler."""

import torch
from torch import nn

torch.manual_seed(4)
device = "cpu"
use_amp = True

data = [torch.randn(32, 12) for _ in range(4)]
targets = [x[:, :4].sum(1, keepdim=True).sin() for x in data]

net = nn.Sequential(
    nn.Linear(12, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
).to(device)
loss_fn = nn.MSELoss().to(device)
opt = torch.optim.SGD(net.parameters(), lr=0.05)
scaler = torch.amp.GradScaler(device, init_scale=1024.0, enabled=use_amp)

for epoch in range(3):
    for inp, target in zip(data, targets, strict=True):
        with torch.autocast(device_type=device, dtype=torch.bfloat16, enabled=use_amp):
            output = net(inp)
            assert output.dtype is torch.bfloat16
            loss = loss_fn(output.float(), target)
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        scaler.step(opt)
        scaler.update()
        opt.zero_grad()
    print(f"epoch {epoch} loss {loss.item():.2f} scale {scaler.get_scale():.0f}")

torch.save({"model": net.state_dict()}, "model.pt")
