"""Reverse a sequence with encoder, decoder and teacher forcing: two networks, many small calls."""

import random

import torch
import torch.nn as nn
from torch import optim

random.seed(3)
torch.manual_seed(3)
SOS, EOS, VOCAB, LENGTH = 0, 1, 8, 4


class EncoderRNN(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, size)
        self.gru = nn.GRU(size, size, batch_first=True)

    def forward(self, tokens):
        return self.gru(self.embedding(tokens))


class DecoderRNN(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, size)
        self.cell = nn.GRUCell(size, size)
        self.out = nn.Linear(size, VOCAB)

    def forward(self, token, hidden):
        hidden = self.cell(torch.relu(self.embedding(token)), hidden)
        return self.out(hidden), hidden


encoder, decoder = EncoderRNN(16), DecoderRNN(16)
encoder_optimizer = optim.Adam(encoder.parameters(), lr=0.01)
decoder_optimizer = optim.Adam(decoder.parameters(), lr=0.01)
criterion = nn.NLLLoss()

for iteration in range(1, 9):
    source = torch.randint(2, VOCAB, (10, LENGTH))
    target = torch.cat([source.flip(1), torch.full((10, 1), EOS)], dim=1)
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    _, hidden = encoder(source)
    hidden = hidden.squeeze(0)
    token = torch.full((10,), SOS)
    forcing = random.random() < 0.5
    loss = 0
    for i in range(LENGTH + 1):
        logits, hidden = decoder(token, hidden)
        loss += criterion(logits.log_softmax(-1), target[:, i])
        token = target[:, i] if forcing else logits.argmax(-1).detach()
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    if iteration % 4 == 0:
        print(f"{iteration} forced {forcing} loss {loss.item() / (LENGTH + 1):.5f}")
torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, "model.pt")
