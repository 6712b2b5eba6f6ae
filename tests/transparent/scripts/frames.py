"""Short films: a CNN for each frame, time folded into the rows, then an LSTM, CTC, attention."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(2)
FILMS, FRAMES, CLASSES = 13, 7, 4


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Flatten(),
        )
        self.rnn = nn.LSTM(16, 8, num_layers=2, dropout=0.2, bidirectional=True, batch_first=True)
        self.attention = nn.Linear(16, 1, bias=False)
        self.symbols = nn.Linear(16, CLASSES)
        self.length = nn.Linear(16, 1)

    def forward(self, films):
        count, frames = films.shape[:2]
        seen = self.cnn(films.view(count * frames, *films.shape[2:]))
        states, _ = self.rnn(seen.view(count, frames, -1))
        weights = self.attention(states).softmax(axis=1)
        summary = (weights * states).sum(axis=1)
        summary = summary - torch.mean(summary, axis=-1, keepdim=True)
        return self.symbols(states).log_softmax(2), self.length(summary)


model = Reader()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
frames = torch.full((FILMS,), FRAMES)
for step in range(4):
    films = torch.randn(FILMS, FRAMES, 1, 4, 4)
    lengths = torch.randint(1, 4, (FILMS,))
    text = torch.randint(1, CLASSES, (FILMS, 3))
    symbols, guess = model(films)
    reading = F.ctc_loss(symbols.transpose(0, 1), text, frames, lengths)
    counting = F.mse_loss(guess.squeeze(1), lengths.float())
    optimizer.zero_grad()
    (reading + 0.1 * counting).backward()
    optimizer.step()
    print(f"step {step} ctc {reading.item():.5f} length {counting.item():.5f}")

model.eval()
with torch.no_grad():
    symbols, guess = model(torch.randn(5, FRAMES, 1, 4, 4))
print(symbols.argmax(2).flatten().tolist(), f"{guess.mean().item():.5f}")
torch.save(model.state_dict(), "model.pt")
