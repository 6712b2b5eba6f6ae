"""Sequences of different lengths, padded by collate_fn and packed for the LSTM."""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

torch.manual_seed(14)


def make_example():
    length = int(torch.randint(2, 9, (1,)))
    sequence = torch.randn(length, 3)
    return sequence, int(sequence.sum() > 0)


def collate(batch):
    sequences, labels = zip(*batch, strict=True)
    lengths = torch.tensor([len(s) for s in sequences])
    return pad_sequence(sequences, batch_first=True), lengths, torch.tensor(labels)


class PackedLSTM(nn.Module):
    def __init__(self, input_size=3, hidden_size=10, classes=2):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden_size, classes)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, (h, _) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        pooled = output.sum(1) / lengths[:, None]
        return self.fc(pooled + torch.cat([h[0], h[1]], dim=1))


examples = [make_example() for _ in range(90)]
train = DataLoader(examples[:70], batch_size=16, shuffle=True, collate_fn=collate)
valid = DataLoader(examples[70:], batch_size=8, collate_fn=collate)
model = PackedLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

for epoch in range(3):
    model.train()
    for x, lengths, y in train:
        optimizer.zero_grad()
        loss = criterion(model(x, lengths), y)
        loss.backward()
        optimizer.step()
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, lengths, y in valid:
            predicted = model(x, lengths).argmax(dim=1)
            correct += (predicted == y).sum().item()
            total += y.size(0)
    print(
        f"Epoch [{epoch + 1}/3], Loss: {loss.item():.5f}, Accuracy: {100 * correct / total:.1f} %"
    )

torch.save(model.state_dict(), "model.pt")
