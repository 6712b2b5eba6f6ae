"""A Keras model with a training step of its own, in terms of torch."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch


class CustomModel(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = keras.losses.MeanSquaredError()

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.loss_fn(y, y_pred)
        loss.backward()
        trainable_weights = list(self.trainable_weights)
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, trainable_weights)
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, y_pred)
        return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]


keras.utils.set_random_seed(22)
inputs = keras.Input(shape=(8,))
hidden = keras.layers.Dense(12, activation="relu")(inputs)
outputs = keras.layers.Dense(1)(hidden)
model = CustomModel(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01))

rng = np.random.default_rng(22)
x = rng.random((100, 8), dtype="float32")
y = x.sum(axis=1, keepdims=True)
history = model.fit(x, y, epochs=3, batch_size=30, verbose=0)
print("loss", [round(float(v), 5) for v in history.history["loss"]])
print("mae", [round(float(v), 5) for v in history.history["mae"]])
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
