"""Remember the first symbol of a sequence: a GRU that is given its first hidden state."""

import torch
from torch import nn

torch.manual_seed(7)
steps, symbols, hidden_size = 6, 5, 12


class Memory(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(symbols, 8)
        self.gru = nn.GRU(8, hidden_size)
        self.out = nn.Linear(hidden_size, symbols)

    def forward(self, sequence, hidden):
        # sequence: (steps, batch), hidden: (1, batch, hidden_size)
        output, hidden = self.gru(self.embed(sequence), hidden)
        return self.out(output[-1]), hidden

    def init_hidden(self, batch):
        return torch.zeros(1, batch, hidden_size)


net = Memory()
opt = torch.optim.RMSprop(net.parameters(), lr=0.01)
for step in range(15):
    batch = 24 if step % 3 else 17
    sequence = torch.randint(0, symbols, (steps, batch))
    target = sequence[0]
    scores, _ = net(sequence, net.init_hidden(batch))
    loss = nn.functional.cross_entropy(scores, target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 5 == 4:
        right = (scores.argmax(-1) == target).float().mean()
        print(f"step {step + 1:3d}  loss {loss.item():.5f}  right {right.item():.3f}")

torch.save(net.state_dict(), "model.pt")
