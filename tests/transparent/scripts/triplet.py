"""Triplet loss: the network is called for anchor, positive and negative, one after the other."""

import torch
from torch import nn


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 20), nn.PReLU(), nn.Linear(20, 3))

    def forward(self, x):
        return nn.functional.normalize(self.layers(x), dim=1)


torch.manual_seed(15)
centers = torch.randn(4, 6) * 2
labels = torch.randint(0, 4, (100,))
points = centers[labels] + torch.randn(100, 6)


def triplets(n):
    anchor = torch.randint(0, 100, (n,))
    positive, negative = [], []
    for a in anchor:
        same = (labels == labels[a]).nonzero().squeeze(1)
        other = (labels != labels[a]).nonzero().squeeze(1)
        positive.append(same[torch.randint(len(same), (1,))])
        negative.append(other[torch.randint(len(other), (1,))])
    return points[anchor], points[torch.cat(positive)], points[torch.cat(negative)]


siamese = Embedder()
optimizer = torch.optim.Adam(siamese.parameters(), lr=3e-3)
criterion = nn.TripletMarginLoss(margin=0.5)
for step in range(1, 11):
    a, p, n = triplets(20)
    optimizer.zero_grad()
    loss = criterion(siamese(a), siamese(p), siamese(n))
    loss.backward()
    optimizer.step()
    if step % 5 == 0:
        with torch.no_grad():
            distances = torch.cdist(siamese(points), siamese(points))
            distances.fill_diagonal_(torch.inf)
            nearest = labels[distances.argmin(1)]
        print(f"step {step} loss {loss:.5f} nearest alike {(nearest == labels).float().mean():.2f}")
torch.save(siamese.state_dict(), "model.pt")
