"""Keras fits from a torch DataLoader."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch
from torch.utils.data import DataLoader, TensorDataset

keras.utils.set_random_seed(30)
x = torch.randn(110, 5)
y = (x.prod(1) > 0).long()
train_loader = DataLoader(TensorDataset(x[:80], y[:80]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[80:], y[80:]), batch_size=16)

model = keras.Sequential()
model.add(keras.Input((5,)))
model.add(keras.layers.Dense(24))
model.add(keras.layers.LayerNormalization())
model.add(keras.layers.LeakyReLU())
model.add(keras.layers.Dense(2))
model.compile(
    optimizer=keras.optimizers.AdamW(1e-2, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
history = model.fit(train_loader, epochs=3, validation_data=valid_loader, verbose=0)
for name in ("loss", "acc", "val_loss", "val_acc"):
    print(f"{name:>8}", " ".join(f"{v:.5f}" for v in history.history[name]))
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
