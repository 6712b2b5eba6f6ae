"""A generator and a discriminator with batch normalization, two optimizers."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
real = torch.randn(150, 2) * torch.tensor([1.0, 0.3]) + 2.0
loader = DataLoader(TensorDataset(real), batch_size=40, shuffle=True)
generator = nn.Sequential(
    nn.Linear(3, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)
)
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(16, 1))
to_generate = torch.optim.Adam(generator.parameters(), lr=2e-3)
to_judge = torch.optim.Adam(critic.parameters(), lr=2e-3)
loss = nn.BCEWithLogitsLoss()

for epoch in range(3):
    for (batch,) in loader:
        fake = generator(torch.randn(len(batch), 3))
        to_judge.zero_grad()
        judged = loss(critic(batch), torch.ones(len(batch), 1))
        judged = judged + loss(critic(fake.detach()), torch.zeros(len(batch), 1))
        judged.backward()
        to_judge.step()
        to_generate.zero_grad()
        fooled = loss(critic(fake), torch.ones(len(batch), 1))
        fooled.backward()
        to_generate.step()
    print(f"epoch {epoch} critic {judged.item():.6f} generator {fooled.item():.6f}")
torch.save({"generator": generator.state_dict(), "critic": critic.state_dict()}, "model.pt")
