"""Batches of sequences of one length each, by a sampler of batches."""

import random
from collections import defaultdict

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler, WeightedRandomSampler

random.seed(2)
torch.manual_seed(2)


class Words(Dataset):
    def __init__(self, n=70):
        self.items = []
        for _ in range(n):
            letters = torch.randint(0, 8, (random.choice([3, 5, 8]),))
            self.items.append((letters, float(letters.float().mean() > 3.5)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        letters, label = self.items[i]
        return letters, torch.tensor(label)


class LengthBuckets(Sampler):
    def __init__(self, data, batch_size):
        self.batch_size = batch_size
        self.buckets = defaultdict(list)
        for i in range(len(data)):
            self.buckets[len(data[i][0])].append(i)

    def __iter__(self):
        batches = []
        for indices in self.buckets.values():
            order = random.sample(indices, len(indices))
            batches += [
                order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)
            ]
        random.shuffle(batches)
        return iter(batches)

    def __len__(self):
        return sum(-(-len(b) // self.batch_size) for b in self.buckets.values())


class BagOfLetters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 6)
        self.conv = nn.Conv1d(6, 10, 2)
        self.out = nn.Linear(10, 1)

    def forward(self, letters):
        x = self.embed(letters).transpose(1, 2)
        return self.out(self.conv(x).relu().mean(-1)).squeeze(-1)


words = Words()
loader = DataLoader(words, batch_sampler=LengthBuckets(words, 12))
model = BagOfLetters()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
bce = nn.BCEWithLogitsLoss()
print(len(loader), "batches")
for epoch in range(3):
    seen = []
    for letters, label in loader:
        loss = bce(model(letters), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append((tuple(letters.shape), round(loss.item(), 5)))
    print("epoch", epoch, *(f"{rows}x{length}:{loss}" for (rows, length), loss in seen))

# A last epoch with the rarer class drawn more often.
labels = torch.tensor([label for _, label in words.items])
weights = torch.where(labels > 0, 1 / labels.mean(), 1 / (1 - labels).mean())
rows = [i for i in range(len(words)) if len(words[i][0]) == 5]
subset = torch.utils.data.Subset(words, rows)
sampler = WeightedRandomSampler(weights[rows], num_samples=20)
for letters, label in DataLoader(subset, batch_size=10, sampler=sampler):
    loss = bce(model(letters), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"balanced {loss.item():.5f}")
torch.save(model.state_dict(), "model.pt")
