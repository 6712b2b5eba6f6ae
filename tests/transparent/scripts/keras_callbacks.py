"""Keras callbacks: early stopping, checkpoints, a falling learning rate, a log in CSV."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

keras.utils.set_random_seed(7)
rng = np.random.default_rng(7)
x = rng.normal(size=(90, 10)).astype("float32")
y = (x[:, :1] + 0.9 * rng.normal(size=(90, 1))).astype("float32")

model = keras.Sequential(
    [keras.layers.Input((10,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(1)]
)
model.compile(keras.optimizers.SGD(0.15), loss="mean_squared_error")
callbacks = [
    keras.callbacks.EarlyStopping(
        monitor="val_loss", min_delta=1e-3, patience=3, restore_best_weights=True, verbose=1
    ),
    keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True),
    keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_lr=1e-4, verbose=1),
    keras.callbacks.CSVLogger("log.csv"),
]
history = model.fit(
    x[:60], y[:60], batch_size=20, epochs=15, validation_data=(x[60:], y[60:]),
    callbacks=callbacks, verbose=0,
)  # fmt: skip
print("epochs:", len(history.epoch))
print("val_loss", [round(v, 4) for v in history.history["val_loss"]])
best = min(history.history["val_loss"])
print(f"best {best:.5f}, restored {model.evaluate(x[60:], y[60:], verbose=0):.5f}")
model.load_weights("best.weights.h5")
print(f"from file {model.evaluate(x[60:], y[60:], verbose=0):.5f}")
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
