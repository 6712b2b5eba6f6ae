"""A character-level RNN that learns a nursery rhyme and goes on with it."""

import random

import torch
import torch.nn as nn

random.seed(5)
torch.manual_seed(5)

text = "the quick brown fox jumps over the lazy dog while the cat sat on the mat. " * 4
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
itos = dict(enumerate(chars))
data = torch.tensor([stoi[c] for c in text])
seq_len = 20


class CharRNN(nn.Module):
    def __init__(self, vocab, size=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, 16)
        self.rnn = nn.RNN(16, size, batch_first=True)
        self.fc = nn.Linear(size, vocab)

    def forward(self, x, h=None):
        y, h = self.rnn(self.emb(x), h)
        return self.fc(y), h


def get_batch(batch_size):
    starts = [random.randrange(len(data) - seq_len - 1) for _ in range(batch_size)]
    x = torch.stack([data[s : s + seq_len] for s in starts])
    y = torch.stack([data[s + 1 : s + seq_len + 1] for s in starts])
    return x, y


@torch.no_grad()
def generate(model, start, n):
    model.eval()
    x = torch.tensor([[stoi[c] for c in start]])
    out, h = start, None
    for _ in range(n):
        logits, h = model(x, h)
        x = logits[:, -1].argmax(dim=-1, keepdim=True)
        out += itos[x.item()]
    model.train()
    return out


model = CharRNN(len(chars))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for it in range(1, 21):
    x, y = get_batch(16)
    logits, _ = model(x)
    loss = criterion(logits.reshape(-1, len(chars)), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.05)
    optimizer.step()
    if it % 10 == 0:
        print(f"iteration {it}: loss {loss.item():.4f}, perplexity {loss.exp().item():.3f}")
        print("  sample:", repr(generate(model, "the ", 20)))

torch.save(model.state_dict(), "model.pt")
