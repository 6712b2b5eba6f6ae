"""An exponential moving average of the weights, evaluated beside the weights themselves."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(61)
x = torch.randn(128, 5)
y = (x[:, 0] - x[:, 1] ** 2 + 0.3 * torch.randn(128)).unsqueeze(1)
loader = DataLoader(TensorDataset(x[:96], y[:96]), batch_size=24, shuffle=True)

model = nn.Sequential(nn.Linear(5, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss_fn = nn.MSELoss()

for epoch in range(4):
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss_fn(model(inputs), targets).backward()
        optimizer.step()
        ema.update_parameters(model)
    model.eval()
    with torch.no_grad():
        print(f"epoch {epoch} weights {loss_fn(model(x[96:]), y[96:]).item():.5f}")

update_bn(loader, ema)
ema.eval()
with torch.no_grad():
    print(f"averaged {loss_fn(ema(x[96:]), y[96:]).item():.5f}")
torch.save({"model": model.state_dict(), "ema": ema.state_dict()}, "model.pt")
