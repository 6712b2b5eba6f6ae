"""Lazy layers, a dictionary of inputs, a deep copy, a traced network, and one mapped over rows."""

import copy

import torch
import torch.nn as nn

torch.manual_seed(31)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.LazyLinear(8)
        self.head = nn.Linear(8, 1)

    def forward(self, batch):
        return {"score": self.head(torch.relu(self.encode(batch["x"]))), "fields": len(batch)}


batch = {"x": torch.randn(23, 5)}
target = batch["x"].prod(1, keepdim=True)
model = Model()
model(batch)  # the lazy layer learns its number of inputs
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(5):
    outputs = model(batch)
    loss = nn.functional.mse_loss(outputs["score"], target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, f"{loss.item():.5f}", outputs["fields"])

frozen = copy.deepcopy(model).requires_grad_(False)
with torch.inference_mode():
    print(f"{frozen(batch)['score'].mean().item():.5f}")
traced = torch.jit.trace(model.head, torch.zeros(3, 8))
hidden = torch.randn(7, 8)
print(f"{traced(hidden).sum().item():.5f}")
print(f"{torch.func.vmap(model.head)(hidden).sum().item():.5f}")
torch.save(model.state_dict(), "model.pt")
