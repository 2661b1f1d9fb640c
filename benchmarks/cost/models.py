"""The models whose training the cost of recording is measured on, with data drawn at random: what is learned doesn't matter here."""

from __future__ import annotations

import keras
import numpy as np

L = keras.layers


def small_cnn():
    image = x = L.Input((28, 28, 1))
    for filters in (32, 64):
        x = L.MaxPooling2D()(L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(x))))
    x = L.Dropout(0.3)(L.Dense(128, activation="relu")(L.Flatten()(x)))
    return keras.Model(image, L.Dense(10)(x)), (28, 28, 1)


def resnet():
    image = L.Input((32, 32, 3))
    x = L.Conv2D(16, 3, padding="same", use_bias=False)(image)
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        shortcut = x if strides == 1 else L.Conv2D(filters, 1, strides, use_bias=False)(x)
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        x = L.ReLU()(L.Add()([shortcut, y]))
    return keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x))), (32, 32, 3)


def transformer(blocks=2, width=64, length=64):
    sequence = L.Input((length, width))
    x = sequence
    for _ in range(blocks):
        x = L.LayerNormalization()(x + L.MultiHeadAttention(4, width // 4)(x, x))
        x = L.LayerNormalization()(x + L.Dense(width)(L.Dense(4 * width, activation="gelu")(x)))
    return keras.Model(sequence, L.Dense(10)(L.GlobalAveragePooling1D()(x))), (length, width)


def chain(layers, units=32):
    """As many small layers as wanted: what a node costs when its tensors cost nothing."""
    vector = x = L.Input((units,))
    for _ in range(layers):
        x = L.Dense(units, activation="tanh")(x)
    return keras.Model(vector, L.Dense(10)(x)), (units,)


MODELS = {"small CNN": small_cnn, "ResNet": resnet, "transformer": transformer}
BATCH = 64


def compiled(build, jit_compile=False, **options):
    """A compiled model and a function that draws data for so many steps."""
    keras.utils.set_random_seed(0)
    model, shape = build()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit_compile, **options)

    def data(steps):
        random = np.random.default_rng(0)
        return random.normal(size=(BATCH * steps, *shape)).astype("float32"), random.integers(0, 10, BATCH * steps)

    return model, data
