"""News by topic: texts of all lengths in one row of words, with the places where each begins."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, random_split

torch.manual_seed(0)
random.seed(0)
TEXT = "stocks oil fall rise team game score win cloud chip code data film star song stage"
WORDS = TEXT.split()
TOPICS = ["business", "sport", "science", "culture"]
vocabulary = {word: index for index, word in enumerate(WORDS)}


def article():
    topic = random.randrange(4)
    own = random.choices(WORDS[4 * topic : 4 * topic + 4], k=random.randint(2, 4))
    return TOPICS[topic], " ".join([*own, *random.choices(WORDS, k=random.randint(0, 3))])


def collate_batch(batch):
    labels, texts, offsets = [], [], [0]
    for topic, text in batch:
        labels.append(TOPICS.index(topic))
        texts.append(torch.tensor([vocabulary[word] for word in text.split()]))
        offsets.append(len(texts[-1]))
    return torch.tensor(labels), torch.cat(texts), torch.tensor(offsets[:-1]).cumsum(dim=0)


class TextClassificationModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(len(WORDS), 8, sparse=False)
        self.fc = nn.Linear(8, 4)

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


train, valid = random_split([article() for _ in range(60)], [50, 10])
train_loader = DataLoader(train, batch_size=8, shuffle=True, collate_fn=collate_batch)
valid_loader = DataLoader(valid, batch_size=8, collate_fn=collate_batch)
model = TextClassificationModel()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
for epoch in range(3):
    model.train()
    for label, text, offsets in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(text, offsets), label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for label, text, offsets in valid_loader:
            right += (model(text, offsets).argmax(1) == label).sum().item()
    print(f"epoch {epoch} loss {loss.item():.5f} right {right} of {len(valid)}")
torch.save(model.state_dict(), "model.pt")
