"""Small transformers: over the rows of digits, over the patches of digits, and over the characters of source text."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


class Positions(layers.Layer):
    """Adds a learned table of positions."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight(shape=shape[1:], initializer="zeros", name="table")

    def call(self, x: Any) -> Any:
        return x + self.table


class SelfAttention(layers.Layer):
    """One head written by hand; ``scale`` is what scores are multiplied by, ``mask`` what is added where a position must not look."""

    def __init__(self, width: int, scale: float | None = None, mask: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.q, self.k, self.v = (layers.Dense(width, name=name) for name in ("query", "key", "value"))
        self.scores = layers.Softmax(name="weights")
        self.scale, self.mask = width**-0.5 if scale is None else scale, mask

    def build(self, shape: Any) -> None:
        for layer in (self.q, self.k, self.v):
            layer.build(shape)

    def call(self, x: Any) -> Any:
        scores = ops.matmul(self.q(x), ops.transpose(self.k(x), (0, 2, 1))) * self.scale
        if self.mask == "causal":
            n = x.shape[1]
            scores = scores + (1.0 - ops.tril(ops.ones((n, n)))) * -1e9
        if self.mask == "infinite":
            n = x.shape[1]
            scores = ops.where(ops.tril(ops.ones((n, n))) > 0, scores, -np.inf)
        return ops.matmul(self.scores(scores), self.v(x))


def block(x: Any, index: int, heads: int = 2, width: int = 32, before: bool = True, causal: bool = False, mask: Any = None) -> Any:
    """Attention `attention_<index>` and feed-forward `up_<index>`, `down_<index>`, normalized before or after."""
    y = layers.LayerNormalization(name=f"norm_a_{index}")(x) if before else x
    y = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{index}")(y, y, use_causal_mask=causal, attention_mask=mask)
    x = layers.Add()([x, y])
    x = x if before else layers.LayerNormalization(name=f"norm_a_{index}")(x)
    y = layers.LayerNormalization(name=f"norm_b_{index}")(x) if before else x
    y = layers.Dense(2 * width, activation="gelu", name=f"up_{index}")(y)
    y = layers.Dense(width, name=f"down_{index}")(y)
    x = layers.Add()([x, y])
    return x if before else layers.LayerNormalization(name=f"norm_b_{index}")(x)


def over_rows(depth: int = 2, before: bool = True, optimizer: Any = "adam", scale: float = 1.0) -> keras.Model:
    """A classifier of digits whose tokens are rows."""
    inputs = keras.Input((8, 8), name="rows")
    x = Positions(name="positions")(layers.Dense(32, name="project")(inputs))
    for index in range(depth):
        x = block(x, index, before=before)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(name="norm")(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def rows() -> Any:
    """Digits as sequences of eight rows."""
    x, y = data.images()
    return x[..., 0], y


def language_model(depth: int = 1, length: int = 24, optimizer: Any = "adam") -> tuple[keras.Model, Any, Any]:
    """Predicts the next character, with a causal mask."""
    x, y, size = data.characters(length, 700)
    inputs = keras.Input((length,), dtype="int32", name="ids")
    z = Positions(name="positions")(layers.Embedding(size, 32, name="embedding")(inputs))
    for index in range(depth):
        z = block(z, index, causal=True)
    model = keras.Model(inputs, layers.Dense(size, name="output")(z))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, x, y


# Healthy.

for _before in (True, False):

    @healthy(name=f"digits_{'pre' if _before else 'post'}_norm")
    def _(before: bool = _before) -> Training:
        return Training(over_rows(before=before), *rows(), epochs=3)


@healthy()
def digits_deep() -> Training:
    return Training(over_rows(depth=5), *rows(), batch_size=64, epochs=3)


@healthy()
def digits_adamw_warmup() -> Training:
    schedule = keras.optimizers.schedules.CosineDecay(1e-6, 150, warmup_target=2e-3, warmup_steps=40)
    return Training(over_rows(optimizer=keras.optimizers.AdamW(schedule)), *rows(), epochs=3)


@healthy()
def characters_causal() -> Training:
    model, x, y = language_model(optimizer=keras.optimizers.Adam(3e-3))
    return Training(model, x, y, epochs=4)


@healthy()
def lines_padded() -> Training:
    ids, labels, size = data.lines()
    inputs = keras.Input((24,), dtype="int32", name="ids")
    mask = ops.expand_dims(ops.not_equal(inputs, 0), 1)
    x = Positions()(layers.Embedding(size, 32)(inputs))
    x = block(x, 0, mask=mask)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.GlobalMaxPooling1D()(x)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, ids, labels, epochs=3)


for _mask in ("causal", "infinite"):

    @healthy(name=f"digits_own_attention_{_mask}")
    def _(mask: str = _mask) -> Training:
        inputs = keras.Input((8, 8), name="rows")
        x = layers.Dense(24)(inputs)
        x = layers.Add()([x, SelfAttention(24, mask=mask, name="attention")(x)])
        model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))
        model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        return Training(model, *rows(), epochs=3)


@healthy()
def digits_patches() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(32, 2, strides=2, name="patches")(inputs)
    x = layers.Reshape((16, 32))(x)
    x = layers.Dropout(0.1)(Positions()(x))
    for index in range(2):
        x = block(x, index)
    x = layers.LayerNormalization()(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x[:, 0]))
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    return Training(model, *data.images(), epochs=3)


# Faulty.


@faulty("saturated_activation", "attention/weights")
def saturated_scores() -> Training:
    inputs = keras.Input((8, 8), name="rows")
    x = layers.LayerNormalization(name="norm")(layers.Dense(48, name="project")(inputs))
    x = layers.Add()([x, SelfAttention(48, scale=60.0, name="attention")(x)])
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)


@faulty("nonfinite", "attention", every=1)
def nan_by_a_mask_that_hides_all() -> Training:
    class Masked(SelfAttention):
        def call(self, x: Any) -> Any:
            scores = ops.matmul(self.q(x), ops.transpose(self.k(x), (0, 2, 1)))
            n = x.shape[1]
            strict = ops.tril(ops.ones((n, n)), k=-1)
            return ops.matmul(self.scores(ops.where(strict > 0, scores, -np.inf)), self.v(x))

    inputs = keras.Input((8, 8), name="rows")
    x = Masked(16, name="attention")(layers.Dense(16, name="project")(inputs))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=1)


@faulty("nonfinite", "own_softmax", every=1)
def nan_by_own_softmax() -> Training:
    class OwnSoftmax(layers.Layer):
        def call(self, x: Any) -> Any:
            powers = ops.exp(x * 100)
            return powers / ops.sum(powers, axis=-1, keepdims=True)

    inputs = keras.Input((8, 8), name="rows")
    x = layers.LayerNormalization(name="norm")(layers.Dense(16, name="project")(inputs))
    x = OwnSoftmax(name="own_softmax")(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=1)


@faulty("poor_initialization", "up_1")
def init_large() -> Training:
    model = over_rows()
    kernel = model.get_layer("up_1").kernel
    kernel.assign(np.random.default_rng(0).normal(0, 4.0, kernel.shape))
    return Training(model, *rows(), epochs=3)


@faulty("dead_units", "up_0")
def dead_feed_forward() -> Training:
    inputs = keras.Input((8, 8), name="rows")
    x = layers.Dense(32, name="project")(inputs)
    y = layers.LayerNormalization(name="norm_0")(x)
    y = layers.Dense(64, activation="relu", bias_initializer=keras.initializers.Constant(-7.0), name="up_0")(y)
    x = layers.Add()([x, layers.Dense(32, name="down_0")(y)])
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)


@faulty("unchanged_weights", "project positions attention_0 attention_1 up_0 down_0 output")
def rate_zero() -> Training:
    return Training(over_rows(optimizer=keras.optimizers.Adam(0.0)), *rows(), epochs=2)


@faulty("update_too_large exploding_loss oscillating_loss", "project attention_0 attention_1 up_0 down_0 up_1 down_1 output loss", every=1)
def rate_huge() -> Training:
    return Training(over_rows(optimizer=keras.optimizers.Adam(2.0)), *rows(), epochs=2)


@faulty("update_too_small", "project attention_0 attention_1 up_0 down_0 up_1 down_1 output")
def rate_tiny() -> Training:
    return Training(over_rows(optimizer=keras.optimizers.Adam(1e-9)), *rows(), epochs=3)


@faulty("collapse", "pool")
def collapse_by_the_wrong_axis() -> Training:
    inputs = keras.Input((8, 8), name="rows")
    x = block(layers.Dense(32, name="project")(inputs), 0)
    x = layers.Lambda(lambda z: ops.repeat(ops.mean(z, axis=(0, 1), keepdims=True)[:, 0], ops.shape(z)[0], axis=0), output_shape=(32,), name="pool")(
        x
    )
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)


@faulty("missing_gradient", "attention")
def gradient_stopped() -> Training:
    inputs = keras.Input((8, 8), name="rows")
    x = layers.Dense(24, name="project")(inputs)
    x = layers.Add()([x, layers.Lambda(ops.stop_gradient, name="stop")(SelfAttention(24, name="attention")(x))])
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)


@faulty("exploding_activation", "amplified attention_0 norm_b_0 up_0 down_0")
def exploding_residual() -> Training:
    inputs = keras.Input((8, 8), name="rows")
    x = layers.Dense(32, name="project")(inputs)
    x = layers.Rescaling(3e4, name="amplified")(x)
    x = block(x, 0)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)
