"""A functional Keras model with two inputs, batch normalization and dropout."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from keras import layers

keras.utils.set_random_seed(1)
numbers = np.random.default_rng(1).normal(size=(120, 4)).astype("float32")
codes = np.random.default_rng(2).integers(0, 5, size=(120, 1))
price = numbers[:, :1] * 2 + (codes == 3) - 0.5 * (codes == 1)

numeric = keras.Input(shape=(4,), name="numeric")
category = keras.Input(shape=(1,), dtype="int64", name="category")
a = layers.Dense(12, use_bias=False)(numeric)
a = layers.BatchNormalization()(a)
a = layers.Activation("relu")(a)
b = layers.Flatten()(layers.Embedding(5, 3)(category))
merged = layers.concatenate([a, b])
merged = layers.Dropout(0.3)(layers.Dense(10, activation="gelu")(merged))
output = layers.Dense(1)(merged)
model = keras.Model(inputs=[numeric, category], outputs=output)

model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
    loss="mse",
    metrics=["mae"],
)
print("parameters:", model.count_params())
history = model.fit(
    {"numeric": numbers, "category": codes}, price, batch_size=24, epochs=3, verbose=0
)
for epoch, (loss, mae) in enumerate(
    zip(history.history["loss"], history.history["mae"], strict=True)
):
    print(f"epoch {epoch}: loss {loss:.5f} mae {mae:.5f}")
print("evaluate", model.evaluate([numbers, codes], price, verbose=0))
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
