"""Cross-validation in five folds, a new network for each."""

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import KFold
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset


def reset_weights(m):
    for layer in m.children():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()


torch.manual_seed(42)
features, target = make_classification(n_samples=100, n_features=8, random_state=0)
dataset = TensorDataset(torch.from_numpy(features).float(), torch.from_numpy(target))
results, saved = {}, {}
loss_function = nn.CrossEntropyLoss()

for fold, (train_ids, test_ids) in enumerate(
    KFold(n_splits=5, shuffle=True, random_state=1).split(dataset)
):
    print(f"FOLD {fold}\n--------------------------------")
    trainloader = DataLoader(dataset, batch_size=20, sampler=SubsetRandomSampler(train_ids))
    testloader = DataLoader(dataset, batch_size=20, sampler=SubsetRandomSampler(test_ids))
    network = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 2))
    network.apply(reset_weights)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(2):
        current_loss = 0.0
        for inputs, targets in trainloader:
            optimizer.zero_grad()
            loss = loss_function(network(inputs), targets)
            loss.backward()
            optimizer.step()
            current_loss += loss.item()
    correct, total = 0, 0
    with torch.no_grad():
        for inputs, targets in testloader:
            _, predicted = torch.max(network(inputs).data, 1)
            total += targets.size(0)
            correct += (predicted == targets).sum().item()
    results[fold] = 100.0 * correct / total
    saved[f"fold{fold}"] = network.state_dict()
    print(f"loss {current_loss:.5f}, accuracy {results[fold]:.1f} %")

print(f"Average: {np.mean(list(results.values())):.2f} %")
torch.save(saved, "model.pt")
