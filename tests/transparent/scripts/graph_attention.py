"""Graph attention on one graph, from a list of edges."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(16)
nodes = 30
edges = torch.randint(0, nodes, (2, 90))
edges = torch.cat([edges, edges.flip(0), torch.arange(nodes).expand(2, -1)], dim=1)
x = torch.randn(nodes, 6)
y = (x[:, 0] > 0).long()
train_mask = torch.rand(nodes) < 0.6


class GATLayer(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.W = nn.Linear(n_in, n_out, bias=False)
        self.a = nn.Linear(2 * n_out, 1, bias=False)

    def forward(self, x, edge_index):
        src, dst = edge_index
        h = self.W(x)
        score = F.leaky_relu(self.a(torch.cat([h[src], h[dst]], dim=1)), 0.2).exp()
        norm = torch.zeros(len(x), 1).index_add(0, dst, score)
        return torch.zeros_like(h).index_add(0, dst, score / norm[dst] * h[src])


class GAT(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = GATLayer(6, 8), GATLayer(8, 2)

    def forward(self, x, edge_index):
        return self.layer2(F.elu(self.layer1(x, edge_index)), edge_index)


model = GAT()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(1, 16):
    optimizer.zero_grad()
    out = model(x, edges)
    loss = F.cross_entropy(out[train_mask], y[train_mask])
    loss.backward()
    optimizer.step()
    if epoch % 5 == 0:
        accuracy = (out.argmax(1) == y)[~train_mask].float().mean()
        print(f"Epoch: {epoch:03d}, Loss: {loss:.4f}, Test: {accuracy:.4f}")
torch.save(model.state_dict(), "model.pt")
