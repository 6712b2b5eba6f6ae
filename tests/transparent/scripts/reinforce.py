"""REINFORCE on a walk along a line: reach the right end before the time is over."""

import torch
import torch.nn as nn
from torch.distributions import Categorical


class Walk:
    """Many walkers at once; a state is (position, time)."""

    def __init__(self, walkers, length=5, limit=8):
        self.walkers, self.length, self.limit = walkers, length, limit

    def reset(self):
        self.position = torch.zeros(self.walkers)
        self.time = 0
        return self.state()

    def state(self):
        return torch.stack(
            [self.position / self.length, torch.full((self.walkers,), self.time / self.limit)], 1
        )

    def step(self, actions):
        arrived = self.position >= self.length
        moved = (self.position + 2.0 * actions - 1).clamp(min=0)
        self.position = torch.where(arrived, self.position, moved)
        self.time += 1
        reward = torch.where(self.position >= self.length, 1.0, -0.1)
        return self.state(), reward, self.time >= self.limit


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2, 16)
        self.affine2 = nn.Linear(16, 2)

    def forward(self, x):
        return torch.softmax(self.affine2(torch.tanh(self.affine1(x))), dim=1)


torch.manual_seed(543)
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=2e-2)
env, gamma = Walk(walkers=12), 0.95

for episode in range(5):
    state, done = env.reset(), False
    log_probs, rewards = [], []
    while not done:
        distribution = Categorical(policy(state))
        action = distribution.sample()
        log_probs.append(distribution.log_prob(action))
        state, reward, done = env.step(action)
        rewards.append(reward)
    returns, R = [], torch.zeros(12)
    for r in rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.stack(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-8)
    policy_loss = -(torch.stack(log_probs) * returns).sum(0).mean()
    optimizer.zero_grad()
    policy_loss.backward()
    optimizer.step()
    total = torch.stack(rewards).sum(0).mean().item()
    print(f"Episode {episode}\tMean reward: {total:.3f}\tLoss: {policy_loss.item():.5f}")
torch.save(policy.state_dict(), "model.pt")
