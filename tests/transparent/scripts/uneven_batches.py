"""No shuffling, no dropping: 65 rows in batches of 16 leave one row for the last batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(90)
X, Y = torch.randn(65, 4), torch.randint(0, 3, (65,))
loader = DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=False, drop_last=False)
model = nn.Sequential(nn.Linear(4, 10), nn.LayerNorm(10), nn.Dropout(0.2), nn.Linear(10, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(3):
    loss_sum = correct = 0
    model.train()
    for xb, yb in loader:
        pred = model(xb)
        loss = nn.functional.cross_entropy(pred, yb)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss_sum += loss.item() * len(xb)
    model.eval()
    with torch.no_grad():
        for xb, yb in loader:
            correct += (model(xb).argmax(1) == yb).type(torch.float).sum().item()
    print(f"{epoch}: avg loss {loss_sum / len(X):>8f}, accuracy {100 * correct / len(X):>0.1f}%")
    print("   rows of the last batch:", len(xb))
torch.save(model.state_dict(), "model.pt")
