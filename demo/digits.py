"""A convolutional network on handwritten digits, with two of the situations that bring people here.

(a) A tensor inside a custom layer's ``call``: the gate of `Gate` is not an output of any layer, and printing it shows a symbolic tensor.
(b) An intermediate tensor of a nested model: building a second model to read it answers "not connected to `inputs`".
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

import tb_activations as tba
from demo import data


@keras.saving.register_keras_serializable("demo")
class Gate(layers.Layer):
    """Scales every channel by a number between 0 and 1 that it computes from the channel's mean (squeeze and excitation)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.squeeze = layers.Dense(8, activation="relu", name="squeeze")
        self.excite = layers.Dense(input_shape[-1], activation="sigmoid", name="excite")
        self.squeeze.build((None, input_shape[-1]))
        self.excite.build((None, 8))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        mean = tba.probe(keras.ops.mean(x, axis=(1, 2)), "channel_mean")
        gate = self.excite(self.squeeze(mean))
        return x * gate[:, None, None, :]


def block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Convolution, batch normalization, ReLU, and half the size."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.MaxPooling2D(name=f"{name}_pool")(x)


def encoder() -> keras.Model:
    """The nested model: two blocks and a gate, from images [16, 16, 1] to [4, 4, 32]."""
    inputs = keras.Input((16, 16, 1), name="pixels")
    x = block(inputs, 16, "block1")
    x = block(x, 32, "block2")
    return keras.Model(inputs, Gate(name="gate")(x), name="encoder")


def model(learning_rate: float = 2e-3) -> keras.Model:
    """The whole classifier, compiled."""
    inputs = keras.Input((16, 16, 1), name="images")
    x = encoder()(inputs)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(10, name="logits")(x)
    classifier = keras.Model(inputs, outputs, name="digits")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    return classifier


def train(log_dir: Path) -> keras.Model:
    """Trains for 6 epochs, with the callback's one line, and returns the model."""
    split = data.digits()
    classifier = model()
    callback = tba.ActivationsCallback(log_dir / "digits", every=4, probe_data=split.x_validation[:16])
    validation = (split.x_validation, split.y_validation)
    classifier.fit(split.x, split.y, batch_size=32, epochs=6, validation_data=validation, callbacks=[callback])
    return classifier


def train_too_fast(log_dir: Path) -> None:
    """Trains 2 epochs at a rate that no network of this kind stands. What is wrong is printed while it trains, and shown in the tab Findings."""
    split = data.digits()
    callback = tba.ActivationsCallback(log_dir / "digits-too-fast", every=2, exclude=["bias$"], source_text=True)
    model(learning_rate=1.0).fit(split.x, split.y, batch_size=32, epochs=2, callbacks=[callback])
