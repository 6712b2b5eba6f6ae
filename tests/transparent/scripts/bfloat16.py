"""A network all in bfloat16."""

import torch

torch.manual_seed(31)
x = torch.randn(64, 8).to(torch.bfloat16)
y = (x.float().sum(1) > 0).long()

model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)).to(
    dtype=torch.bfloat16
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for step in range(6):
    scores = model(x)
    loss = torch.nn.functional.cross_entropy(scores.float(), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.1f} dtype {scores.dtype}")
torch.save(model.state_dict(), "model.pt")
