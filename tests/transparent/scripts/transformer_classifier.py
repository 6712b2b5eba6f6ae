"""Which of two tokens is more frequent in a sequence? A transformer encoder with padding mask."""

import math

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
PAD, VOCAB, MAX_LEN = 0, 6, 10


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=64):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(1, max_len, d_model)
        pe[0, :, 0::2] = torch.sin(position * div_term)
        pe[0, :, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[:, : x.size(1)])


class TransformerClassifier(nn.Module):
    def __init__(self, d_model=16):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, d_model, padding_idx=PAD)
        self.positions = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, nhead=4, dim_feedforward=32, dropout=0.1, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.classifier = nn.Linear(d_model, 2)

    def forward(self, tokens):
        mask = tokens == PAD
        x = self.positions(self.embedding(tokens) * math.sqrt(16))
        x = self.encoder(x, src_key_padding_mask=mask)
        x = x.masked_fill(mask.unsqueeze(-1), 0.0).sum(1) / (~mask).sum(1, keepdim=True)
        return self.classifier(x)


def sequences(n):
    tokens = torch.randint(1, VOCAB, (n, MAX_LEN))
    lengths = torch.randint(4, MAX_LEN + 1, (n,))
    tokens[torch.arange(MAX_LEN)[None] >= lengths[:, None]] = PAD
    labels = ((tokens == 1).sum(1) > (tokens == 2).sum(1)).long()
    return TensorDataset(tokens, labels)


model = TransformerClassifier()
loader = DataLoader(sequences(120), batch_size=32, shuffle=True)
held_out = DataLoader(sequences(40), batch_size=40)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(2):
    model.train()
    total = 0.0
    for tokens, labels in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * tokens.size(0)
    model.eval()
    with torch.inference_mode():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in held_out)
    print(f"| epoch {epoch} | loss {total / 120:.5f} | held-out accuracy {hits / 40:.3f} |")

torch.save(model.state_dict(), "model.pt")
