"""Unequal classes and unequal rows: class_weight and sample_weight in Keras."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from sklearn.metrics import recall_score


def build():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(10, activation="elu")])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], weighted_metrics=["mse"])
    return model


keras.utils.set_random_seed(40)
rng = np.random.default_rng(40)
x = rng.normal(size=(150, 4)).astype("float32")
y = (x[:, 0] > 1).astype("float32")
counts = np.bincount(y.astype(int))
class_weight = {0: 1 / counts[0] * 75, 1: 1 / counts[1] * 75}
print("class weights", {k: round(float(v), 4) for k, v in class_weight.items()})

by_class, by_row = build(), build()
first = by_class.fit(x, y, batch_size=40, epochs=3, class_weight=class_weight, verbose=0)
sample_weight = np.exp(-np.abs(x[:, 1]))
second = by_row.fit(x, y, batch_size=40, epochs=3, sample_weight=sample_weight, verbose=0)
for name, history in (("class", first), ("row", second)):
    for key, values in history.history.items():
        print(name, key, *(f"{v:.5f}" for v in values))
print("recall", recall_score(y, by_class.predict(x, verbose=0)[:, 0] > 0.5, zero_division=0))
weights = by_class.get_weights() + by_row.get_weights()
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(weights)}, "model.pt")
