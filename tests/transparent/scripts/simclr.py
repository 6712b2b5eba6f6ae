"""Contrastive learning: two views of each sample; the loss compares all with all."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(27)


def augment(x):
    return x * (1 + 0.1 * torch.randn(len(x), 1)) + 0.2 * torch.randn_like(x)


def nt_xent(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(-1e9)
    n = len(z1)
    targets = torch.cat([torch.arange(n) + n, torch.arange(n)])
    return F.cross_entropy(similarity, targets)


encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16))
projector = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8))
params = list(encoder.parameters()) + list(projector.parameters())
optimizer = torch.optim.SGD(params, lr=0.2, momentum=0.9, weight_decay=1e-4)
data = torch.randn(90, 10)

for epoch in range(3):
    total = 0.0
    for batch in data[torch.randperm(len(data))].split(30):
        z1 = projector(encoder(augment(batch)))
        z2 = projector(encoder(augment(batch)))
        loss = nt_xent(z1, z2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: contrastive loss {total / 3:.5f}")

# Linear probe on frozen features.
encoder.eval()
with torch.no_grad():
    features = encoder(data)
labels = (data[:, 0] > 0).long()
probe = nn.Linear(16, 2)
probe_optimizer = torch.optim.SGD(probe.parameters(), lr=0.5)
for _ in range(5):
    loss = F.cross_entropy(probe(features), labels)
    probe_optimizer.zero_grad()
    loss.backward()
    probe_optimizer.step()
accuracy = (probe(features).argmax(1) == labels).float().mean().item()
print(f"probe loss {loss.item():.5f} accuracy {accuracy:.4f}")
torch.save(
    {
        "encoder": encoder.state_dict(),
        "projector": projector.state_dict(),
        "probe": probe.state_dict(),
    },
    "model.pt",
)
