"""Fit a sine with LBFGS, which calls a closure as often as it likes."""

import torch

torch.manual_seed(12)
x = torch.linspace(-3, 3, 60).unsqueeze(1)
y = torch.sin(x)

model = torch.nn.Sequential(torch.nn.Linear(1, 10), torch.nn.Tanh(), torch.nn.Linear(10, 1))
criterion = torch.nn.MSELoss()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4, history_size=10)

for i in range(4):

    def closure():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    print(f"step {i} loss before {loss.item():.4f}")

with torch.no_grad():
    print(f"final {criterion(model(x), y).item():.4f}")
torch.save(model.state_dict(), "model.pt")
