"""Adversarial training (PGD), then attacks by the sign of the gradient at the picture (FGSM)."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(42)
pictures = torch.rand(60, 1, 8, 8)
labels = (pictures[:, 0, :4].mean((1, 2)) > 0.5).long()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(32, 2)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return F.log_softmax(self.fc(self.dropout(torch.flatten(x, 1))), dim=1)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for clean, label in zip(pictures.split(25), labels.split(25), strict=True):
    bad = clean + torch.empty_like(clean).uniform_(-0.1, 0.1)
    for _ in range(2):
        bad = bad.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.nll_loss(model(bad), label), bad)
        bad = torch.clamp(bad + 0.05 * gradient.sign(), clean - 0.1, clean + 0.1)
    loss = F.nll_loss(model(bad.detach()), label) + F.nll_loss(model(clean), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.5f}")

model.eval()
for epsilon in (0, 0.05, 0.2):
    data = pictures.clone()
    data.requires_grad = True
    loss = F.nll_loss(model(data), labels)
    model.zero_grad()
    loss.backward()
    attacked = torch.clamp(data + epsilon * data.grad.sign(), 0, 1).detach()
    right = (model(attacked).argmax(1) == labels).sum().item()
    print(f"epsilon {epsilon}: {right} of 60, gradient {data.grad.abs().sum().item():.5f}")
torch.save(model.state_dict(), "model.pt")
