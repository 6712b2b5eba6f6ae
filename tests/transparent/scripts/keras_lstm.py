"""Sentiment in the manner of the IMDB example: an embedding and a Keras LSTM."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from keras import layers

keras.utils.set_random_seed(5)
max_features, maxlen = 12, 7
rng = np.random.default_rng(5)
reviews = [list(rng.integers(1, max_features, rng.integers(3, 10))) for _ in range(80)]
labels = np.array([float(np.mean(r) > 6) for r in reviews])
x = keras.utils.pad_sequences(reviews, maxlen=maxlen)

inputs = keras.Input(shape=(None,), dtype="int32")
z = layers.Embedding(max_features, 8)(inputs)
z = layers.LSTM(8)(z)
outputs = layers.Dense(1, activation="sigmoid")(z)
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(x[:60], labels[:60], batch_size=20, epochs=2, verbose=0)
print([f"{v:.5f}" for v in history.history["loss"]])
loss, accuracy = model.evaluate(x[60:], labels[60:], verbose=0)
print(f"held out: loss {loss:.5f}, accuracy {accuracy:.3f}")
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
