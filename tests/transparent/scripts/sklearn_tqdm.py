"""Breast cancer data from scikit-learn, a progress bar, a report of several metrics."""

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

torch.manual_seed(0)

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=42)
scaler = StandardScaler()
X_train, X_test = scaler.fit_transform(X_train), scaler.transform(X_test)

train_ds = TensorDataset(torch.FloatTensor(X_train), torch.FloatTensor(y_train))
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True)


class BinaryClassifier(nn.Module):
    def __init__(self, n_features):
        super(BinaryClassifier, self).__init__()  # noqa: UP008
        self.layer_1 = nn.Linear(n_features, 16, bias=False)
        self.batchnorm = nn.BatchNorm1d(16)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(p=0.1)
        self.layer_out = nn.Linear(16, 1)

    def forward(self, inputs):
        x = self.dropout(self.relu(self.batchnorm(self.layer_1(inputs))))
        return self.layer_out(x).squeeze(1)


model = BinaryClassifier(X.shape[1])
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(1, 4):
    with tqdm(train_dl, desc=f"Epoch {epoch}", unit="batch") as bar:
        epoch_loss = 0
        for X_batch, y_batch in bar:
            optimizer.zero_grad()
            loss = criterion(model(X_batch), y_batch)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
            bar.set_postfix(loss=loss.item())
    print(f"Epoch {epoch:03}: | Loss: {epoch_loss / len(train_dl):.5f}")

model.eval()
with torch.no_grad():
    probabilities = torch.sigmoid(model(torch.FloatTensor(X_test))).numpy()
predicted = np.round(probabilities)
print("accuracy:", accuracy_score(y_test, predicted))
print("roc auc:", round(roc_auc_score(y_test, probabilities), 5))
print(confusion_matrix(y_test, predicted))
torch.save(model.state_dict(), "model.pt")
