"""A stream of measurements without an end that is known: IterableDataset."""

import itertools
import random

import torch
from torch.utils.data import DataLoader, IterableDataset


class Stream(IterableDataset):
    def __init__(self, seed, length):
        self.seed, self.length = seed, length

    def __iter__(self):
        source = random.Random(self.seed)
        for _ in range(self.length):
            a, b = source.uniform(-1, 1), source.gauss(0, 1)
            yield torch.tensor([a, b, a * b]), torch.tensor([2 * a - b * b])


def shuffled(stream, buffer_size, source):
    buffer = []
    for item in stream:
        buffer.append(item)
        if len(buffer) == buffer_size:
            yield buffer.pop(source.randrange(len(buffer)))
    source.shuffle(buffer)
    yield from buffer


class ShuffledStream(IterableDataset):
    def __init__(self, stream, buffer_size=16):
        self.stream, self.buffer_size = stream, buffer_size

    def __iter__(self):
        return shuffled(self.stream, self.buffer_size, random)


random.seed(17)
torch.manual_seed(17)
net = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
opt = torch.optim.Adagrad(net.parameters(), lr=0.05)
for epoch in range(2):
    loader = DataLoader(ShuffledStream(Stream(epoch, 100)), batch_size=16)
    n, total = 0, 0.0
    for x, y in itertools.islice(loader, 6):
        loss = torch.nn.functional.l1_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        n, total = n + 1, total + loss.item()
    print(f"epoch {epoch}: {n} batches, mean loss {total / n:.6f}")
torch.save(net.state_dict(), "model.pt")
