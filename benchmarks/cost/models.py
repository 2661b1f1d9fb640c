"""The models whose training the cost of recording is measured on, with data that can be learned: a dead network would have cheap gradients."""

from __future__ import annotations

import keras
import numpy as np

L = keras.layers

BATCH = 64
CLASSES = 10


def small_cnn():
    image = x = L.Input((28, 28, 1))
    for filters in (32, 64):
        x = L.MaxPooling2D()(L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(x))))
    x = L.Dropout(0.3)(L.Dense(128, activation="relu")(L.Flatten()(x)))
    return keras.Model(image, L.Dense(CLASSES)(x)), (28, 28, 1)


def resnet():
    image = L.Input((32, 32, 3))
    x = L.Conv2D(16, 3, padding="same", use_bias=False)(image)
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        shortcut = x if strides == 1 else L.Conv2D(filters, 1, strides, use_bias=False)(x)
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        x = L.ReLU()(L.Add()([shortcut, y]))
    return keras.Model(image, L.Dense(CLASSES)(L.GlobalAveragePooling2D()(x))), (32, 32, 3)


def transformer(blocks=2, width=64, length=64):
    sequence = L.Input((length, width))
    x = sequence
    for _ in range(blocks):
        x = L.LayerNormalization()(x + L.MultiHeadAttention(4, width // 4)(x, x))
        x = L.LayerNormalization()(x + L.Dense(width)(L.Dense(4 * width, activation="gelu")(x)))
    return keras.Model(sequence, L.Dense(CLASSES)(L.GlobalAveragePooling1D()(x))), (length, width)


class Chain(keras.Model):
    """As many small layers as wanted. Subclassed: Keras builds a functional model of a thousand layers by recursion, which Python ends."""

    def __init__(self, layers, units):
        super().__init__()
        self.hidden = [L.Dense(units, activation="tanh") for _ in range(layers)]
        self.head = L.Dense(CLASSES)

    def call(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.head(x)


def chain(layers, units=32):
    """What a node costs when its tensors cost nothing."""
    return Chain(layers, units), (units,)


def wide(units):
    """What an element costs: eight tensors of ``units`` elements for each example, and as many gradients, behind layers that compute little."""
    vector = x = L.Input((16,))
    for _ in range(4):
        x = L.ReLU()(L.RepeatVector(units // 16)(L.Dense(16)(x)))
        x = L.GlobalAveragePooling1D()(x)
    return keras.Model(vector, L.Dense(CLASSES)(x)), (16,)


def build(name):
    """The model of a name such as "small CNN", "chain 100" or "wide 1024", and the shape of one example."""
    if name in NAMED:
        return NAMED[name]()
    kind, size = name.split()
    return {"chain": chain, "wide": wide}[kind](int(size))


NAMED = {"small CNN": small_cnn, "ResNet": resnet, "transformer": transformer}


def compiled(name, **options):
    """The model, compiled, and the shape of one example."""
    keras.utils.set_random_seed(0)
    model, shape = build(name)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    return model, shape


def data(shape, steps):
    """Examples that are their class's pattern and noise, float32[steps * BATCH, *shape], and their classes."""
    random = np.random.default_rng(0)
    classes = random.integers(0, CLASSES, BATCH * steps)
    patterns = random.normal(size=(CLASSES, *shape))
    return (patterns[classes] + random.normal(size=(len(classes), *shape))).astype("float32"), classes
