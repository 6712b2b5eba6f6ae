"""Siamese towers in Keras: shared layers, a distance by keras.ops, two named outputs and losses."""

import keras
import numpy as np
import torch
from keras import layers, ops

keras.utils.set_random_seed(7)
x = np.random.default_rng(7).random((90, 6), dtype="float32")
other = x[::-1].copy()
alike = (np.abs(x - other).sum(1, keepdims=True) < 2).astype("float32")
kind = (x.sum(1) + other.sum(1)).astype("int32") % 3


def distance(pair):
    squares = ops.square(pair[0] - pair[1])
    return ops.sqrt(ops.sum(squares, axis=1, keepdims=True) + 1e-7)


def contrastive_loss(same, apart):
    return ops.mean(same * ops.square(apart) + (1 - same) * ops.square(ops.maximum(1 - apart, 0)))


left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
tower = keras.Sequential([layers.Dense(8, activation="tanh"), layers.LayerNormalization()])
apart = layers.Lambda(distance, output_shape=(1,), name="apart")([tower(left), tower(right)])
both = layers.concatenate([tower(left), tower(right)])
kinds = layers.Dense(3, activation="softmax", name="kind")(both)
model = keras.Model([left, right], {"apart": apart, "kind": kinds})
model.compile(
    "rmsprop",
    loss={"apart": contrastive_loss, "kind": "sparse_categorical_crossentropy"},
    loss_weights={"apart": 1.0, "kind": 0.5},
    metrics={"kind": "accuracy"},
)
model.fit(
    {"left": x, "right": other}, {"apart": alike, "kind": kind}, epochs=2, batch_size=20, verbose=2
)
found = model.predict({"left": x[:5], "right": other[:5]}, verbose=0)
print([round(float(value), 4) for value in found["apart"].ravel()])
weights = {str(k): torch.as_tensor(np.array(w)) for k, w in enumerate(model.get_weights())}
torch.save(weights, "model.pt")
