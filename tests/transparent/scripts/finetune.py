"""Transfer learning: first the head alone, then the whole network."""

import copy

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(33)


def pretrained_backbone():
    backbone = nn.Sequential(
        nn.Conv1d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    signals = torch.randn(64, 2, 16)
    head = nn.Linear(8, 1)
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.05)
    for _ in range(4):
        loss = (head(backbone(signals)).squeeze(1) - signals.std((1, 2))).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"pretrained to {loss.item():.5f}")
    return backbone


class Classifier(nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.backbone(x))


def run_epochs(model, loader, optimizer, n, tag):
    for epoch in range(n):
        correct, seen, loss_sum = 0, 0, 0.0
        for x, y in loader:
            logits = model(x)
            loss = nn.functional.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(y)
            correct += (logits.argmax(1) == y).sum().item()
            seen += len(y)
        print(f"[{tag}] epoch {epoch} loss {loss_sum / seen:.5f} acc {correct / seen:.3f}")


model = Classifier(pretrained_backbone())
x = torch.randn(90, 2, 16)
y = (x.abs().mean((1, 2)) > 0.8).long()
loader = DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True)

for p in model.backbone.parameters():
    p.requires_grad = False
before = sum(p.abs().sum().item() for p in model.backbone.parameters())
head_only = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)
run_epochs(model, loader, head_only, 2, "head")
assert before == sum(p.abs().sum().item() for p in model.backbone.parameters())

for p in model.backbone.parameters():
    p.requires_grad = True
everything = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
run_epochs(model, loader, everything, 2, "all")
trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
print("trainable parameters:", trainable)
torch.save(model.state_dict(), "model.pt")
