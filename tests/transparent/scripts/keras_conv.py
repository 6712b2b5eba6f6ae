"""A convolutional Keras network on small pictures, as the first vision example has it."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from keras import layers

keras.utils.set_random_seed(3)
rng = np.random.default_rng(3)
num_classes = 3
y_train = rng.integers(0, num_classes, 90)
x_train = rng.random((90, 8, 8, 1)).astype("float32")
x_train[np.arange(90), 2 * y_train] += 0.8

model = keras.Sequential(
    [
        keras.Input(shape=(8, 8, 1)),
        layers.Conv2D(6, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(8, kernel_size=(2, 2), padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.25),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
history = model.fit(
    x_train,
    keras.utils.to_categorical(y_train, num_classes),
    batch_size=32,
    epochs=2,
    validation_split=0.1,
    verbose=0,
)
for key in history.history:
    print(key, np.round(history.history[key], 5))
prediction = model.predict(x_train[:5], verbose=0)
print(prediction.round(4))
torch.save({str(i): torch.from_numpy(w) for i, w in enumerate(model.get_weights())}, "model.pt")
