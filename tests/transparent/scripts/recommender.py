"""Matrix factorization: ratings from embeddings of users and films."""

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(41)
N_USERS, N_FILMS = 15, 20
users = torch.randint(N_USERS, (240,))
films = torch.randint(N_FILMS, (240,))
tastes, kinds = torch.randn(N_USERS, 3), torch.randn(N_FILMS, 3)
stars = (3 + (tastes[users] * kinds[films]).sum(1)).clamp(1, 5).round()
ratings = pd.DataFrame({"user": users, "film": films, "rating": stars}).drop_duplicates(
    ["user", "film"], ignore_index=True
)


class Ratings(Dataset):
    def __init__(self, frame):
        self.user = torch.tensor(frame.user.values)
        self.film = torch.tensor(frame.film.values)
        self.rating = torch.tensor(frame.rating.values, dtype=torch.float32)

    def __len__(self):
        return len(self.rating)

    def __getitem__(self, i):
        return self.user[i], self.film[i], self.rating[i]


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_films, factors=4):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, factors)
        self.film_factors = nn.Embedding(n_films, factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.film_bias = nn.Embedding(n_films, 1)
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, user, film):
        dot = (self.user_factors(user) * self.film_factors(film)).sum(dim=1)
        return dot + self.user_bias(user).squeeze(1) + self.film_bias(film).squeeze(1) + self.mean


shuffled = ratings.sample(frac=1, random_state=0)
train, test = shuffled[:150], shuffled[150:]
loader = DataLoader(Ratings(train), batch_size=32, shuffle=True)
model = MatrixFactorization(N_USERS, N_FILMS)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=1e-4)
for epoch in range(4):
    for user, film, rating in loader:
        loss = nn.functional.mse_loss(model(user, film), rating)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held = Ratings(test)
        rmse = (model(held.user, held.film) - held.rating).square().mean().sqrt()
    print(f"epoch {epoch} train {loss.item():.4f} test rmse {rmse.item():.4f}")

best = model(torch.zeros(N_FILMS, dtype=torch.long), torch.arange(N_FILMS)).topk(3).indices
print("films for user 0:", best.tolist())
torch.save(model.state_dict(), "model.pt")
