"""A character-level transformer on the text of Python's standard library: attention maps, layer normalization, an embedding."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

import tb_activations as tba
from demo import data

LENGTH = 32
WIDTH = 64


@keras.saving.register_keras_serializable("demo")
class Positions(layers.Layer):
    """Adds a learned vector for every position."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.table = self.add_weight(shape=(input_shape[1], input_shape[2]), initializer="random_normal", name="table")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + self.table


def block(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Attention to what came before, then a feed-forward part, each with its shortcut."""
    y = layers.LayerNormalization(name=f"{name}_norm1")(x)
    y = layers.MultiHeadAttention(2, WIDTH // 2, dropout=0.1, name=f"{name}_attention")(y, y, use_causal_mask=True)
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layers.LayerNormalization(name=f"{name}_norm2")(x)
    y = layers.Dense(2 * WIDTH, activation="gelu", name=f"{name}_expand")(y)
    y = layers.Dense(WIDTH, name=f"{name}_contract")(y)
    return layers.Add(name=f"{name}_add2")([x, y])


def model(alphabet_size: int) -> keras.Model:
    """Predicts the next character at each position, compiled."""
    inputs = keras.Input((LENGTH,), dtype="int32", name="characters")
    x = layers.Embedding(alphabet_size, WIDTH, name="embedding")(inputs)
    x = Positions(name="positions")(x)
    x = block(x, "block1")
    x = block(x, "block2")
    x = layers.LayerNormalization(name="norm")(x)
    outputs = layers.Dense(alphabet_size, name="logits")(x)
    transformer = keras.Model(inputs, outputs, name="text")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    transformer.compile(keras.optimizers.Adam(2e-3, clipnorm=1.0), loss, metrics=["accuracy"])
    return transformer


def train(log_dir: Path) -> keras.Model:
    """Trains for 2 epochs of 100 steps, and returns the model."""
    text = data.text()
    x, y = data.windows(text.codes, LENGTH, 100 * 32)
    transformer = model(len(text.alphabet))
    callback = tba.ActivationsCallback(log_dir / "text", every=5)
    transformer.fit(x, y, batch_size=32, epochs=2, callbacks=[callback])
    return transformer
