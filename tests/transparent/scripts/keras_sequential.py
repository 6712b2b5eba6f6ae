"""A first Keras network: fit with a validation split, evaluate, predict."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from keras import layers

keras.utils.set_random_seed(812)
rng = np.random.default_rng(0)
x = rng.normal(size=(180, 6)).astype("float32")
y = (x[:, 0] + x[:, 1] > x[:, 2]).astype("int32")

model = keras.Sequential(
    [
        keras.Input(shape=(6,)),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(2, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x[:140], y[:140], batch_size=32, epochs=3, validation_split=0.2, verbose=2)
for name, values in sorted(history.history.items()):
    print(name, [round(v, 5) for v in values])

score = model.evaluate(x[140:], y[140:], verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])
probabilities = model.predict(x[140:], verbose=0)
print("mean probability", probabilities.mean(axis=0).round(5))
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
