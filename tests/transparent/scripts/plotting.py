"""Polynomial regression; the curve of losses and the fit go to pictures."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import nn

torch.manual_seed(50)
x = torch.linspace(-1, 1, 50).unsqueeze(1)
y = x**3 - 0.5 * x + 0.05 * torch.randn(50, 1)
features = torch.cat([x, x**2, x**3], dim=1)

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
history = []
for _ in range(30):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(features), y)
    loss.backward()
    optimizer.step()
    history.append(loss.item())
print(f"first loss {history[0]:.5f}, last loss {history[-1]:.5f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(5, 2))
left.plot(history)
left.set_xlabel("step")
right.scatter(x, y, s=4)
right.plot(x, model(features).detach(), color="red")
fig.savefig("fit.png", dpi=40)
plt.close(fig)
print("slopes", [round(v, 5) for v in model.weight[0].tolist()])
torch.save(model.state_dict(), "model.pt")
