"""Layers and models of the cases: constructs that steps are often made of, each as small as it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

import tb_activations as tba
from tests.capture import zoo

L = keras.layers


def dense() -> Any:
    return L.Dense(4, activation="relu", name="hidden")


def noisy() -> Any:
    return L.Dropout(0.3, seed=3)


def recurrent(kind: str) -> list[Callable[[], Any]]:
    return [lambda: L.Reshape((3, 2)), lambda: getattr(L, kind)(4, name=kind.lower())]


class Critic(keras.Model):
    """A gradient penalty, as of WGAN-GP: a tape inside the tape."""

    def __init__(self) -> None:
        super().__init__(name="critic")
        self.judge = keras.Sequential([L.Input((6,)), L.Dense(4, activation="tanh", name="look"), L.Dense(1, name="score")], name="judge")

    def call(self, x: Any) -> Any:
        return self.judge(x)

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = self.judge(x)
            slopes = tf.norm(inner.gradient(score, x), axis=1)
            loss = tf.reduce_mean(score) + 10 * tf.reduce_mean((slopes - 1) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Autoencoder(keras.Model):
    """A VAE as it is often written: the loss is made of what the nested encoder gives, and of what comes after it."""

    def __init__(self) -> None:
        super().__init__(name="autoencoder")
        x = L.Input((6,), name="x")
        hidden = L.Dense(8, activation="relu", name="hidden")(x)
        mean, log_variance = L.Dense(2, name="mean")(hidden), L.Dense(2, name="log_variance")(hidden)
        self.encoder = keras.Model(x, [mean, log_variance, zoo.Sampling()([mean, log_variance])], name="encoder")
        self.decoder = keras.Sequential([L.Input((2,)), L.Dense(6, activation="sigmoid", name="decoded")], name="decoder")

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            mean, log_variance, code = self.encoder(x)
            told = -0.5 * keras.ops.mean(1 + log_variance - mean**2 - keras.ops.exp(log_variance))
            loss = told + keras.ops.mean(keras.losses.binary_crossentropy(keras.ops.sigmoid(x), self.decoder(code)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Decoder(keras.Model):
    """A cell called by hand: its output and its state are one tensor, and the next turn uses both."""

    def __init__(self) -> None:
        super().__init__(name="decoder")
        self.cell, self.head = L.GRUCell(4, name="cell"), L.Dense(2, name="head")

    def call(self, x: Any) -> Any:
        rows = keras.ops.reshape(x, (-1, 3, 2))
        state, total = [keras.ops.zeros((keras.ops.shape(x)[0], 4))], 0.0
        for turn in range(3):
            output, state = self.cell(rows[:, turn], state)
            total = total + self.head(output) * keras.ops.mean(output)
        return total


class Clipped(keras.Model):
    """Gradients that are multiplied once more before the optimizer has them."""

    def __init__(self) -> None:
        super().__init__(name="clipped")
        self.hidden, self.out = L.Dense(16, activation="relu", name="hidden"), L.Dense(2, name="out")

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.trainable_weights), 0.01)
        self.optimizer.apply(gradients, self.trainable_weights)
        return {"loss": loss}


def transformer() -> keras.Model:
    """GELU, dropout, sums of what comes before: TensorFlow joins such operations where nobody looks at what is between them."""
    inputs = L.Input((6,), name="x")
    x = L.Reshape((3, 2))(inputs)
    for index in range(2):
        normal = L.LayerNormalization(name=f"norm_{index}")(x)
        x = L.Add()([x, L.Dropout(0.1, seed=index)(L.MultiHeadAttention(2, 3, name=f"attention_{index}")(normal, normal))])
        wide = L.Dropout(0.1, seed=index + 5)(L.Dense(8, activation="gelu", name=f"wide_{index}")(x))
        x = L.Add()([x, L.Rescaling(0.5)(L.Rescaling(1.5)(L.Dense(2, name=f"narrow_{index}")(wide)))])
    return keras.Model(inputs, L.Dense(2, name="out")(L.Flatten()(x)), name="transformer")


def residual() -> keras.Model:
    """Normalizations in front of residual sums: TensorFlow adds the offset of the normalization last, where nobody looks at what is between."""
    inputs = L.Input((6,), name="x")
    x = L.Conv2D(4, 2, padding="same", use_bias=False, name="first")(L.Reshape((3, 2, 1))(inputs))
    for index in range(2):
        y = L.ReLU()(L.BatchNormalization(name=f"norm_{index}")(L.Conv2D(4, 2, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization(name=f"last_norm_{index}")(L.Conv2D(4, 2, padding="same", use_bias=False)(y))
        x = L.ReLU()(L.Add()([x, y]))
    return keras.Model(inputs, L.Dense(2, name="out")(L.GlobalAveragePooling2D()(x)), name="residual")


class RaggedRows(L.Layer):
    """Cuts rows to unlike lengths and adds them up."""

    def call(self, x: Any) -> Any:
        rows = tf.RaggedTensor.from_tensor(x, lengths=tf.range(tf.shape(x)[0]) % 3 + 1)
        return x + tf.reduce_sum(tba.probe(rows, "rows"), axis=1, keepdims=True)


class KerasLoop(L.Layer):
    """A layer in the body of `keras.ops.scan` or `keras.ops.fori_loop`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.turn = L.Dense(6, activation="tanh", name="turn")

    def build(self, shape: Any) -> None:
        self.turn.build(shape)

    def call(self, x: Any) -> Any:
        if self.kind == "fori_loop":
            return keras.ops.fori_loop(0, 3, lambda i, h: self.turn(h), x)
        return keras.ops.scan(lambda h, row: (self.turn(h + row), h), x, tf.stack([x, 2 * x, 3 * x]))[0]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Loop(L.Layer):
    """A `tf.while_loop` with a layer in its body."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = L.Dense(6, activation="tanh", name="turn")

    def build(self, shape: Any) -> None:
        self.turn.build(shape)

    def call(self, x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, self.turn(y)), (tf.constant(0), x), maximum_iterations=3)[1]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Branch(L.Layer):
    """A `tf.cond` with a layer in each branch."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = [L.Dense(6, name="yes"), L.Dense(6, activation="tanh", name="no")]

    def build(self, shape: Any) -> None:
        for side in self.sides:
            side.build(shape)

    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: self.sides[0](x), lambda: self.sides[1](x))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Nested(L.Layer):
    """A `tf.function` of its own around a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = L.Dense(6, activation="relu", name="inner")
        self.function = tf.function(self.inner)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return self.function(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Attending(L.Layer):
    """Attention of one head, written by hand: its softmax is an operation of its own `call`."""

    def __init__(self) -> None:
        super().__init__(name="attending")
        self.parts = [L.Dense(4, name=name) for name in ("query", "key", "value")]

    def call(self, x: Any) -> Any:
        query, key, value = (part(x) for part in self.parts)
        return keras.ops.matmul(keras.ops.softmax(keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1))) / 2.0), value)


class GatedUnit(L.Layer):
    """A gated linear unit, a narrow ReLU and a sum, of one matrix each."""

    def build(self, shape: Any) -> None:
        self.wide = self.add_weight(shape=(shape[-1], 2 * shape[-1]), name="wide")
        self.back = self.add_weight(shape=(shape[-1], shape[-1]), name="back")

    def call(self, x: Any) -> Any:
        values, gates = tf.split(tf.matmul(x, self.wide), 2, axis=-1)
        return x + tf.matmul(tf.nn.relu(values * tf.nn.sigmoid(gates)), self.back)


class OwnCell(L.Layer):
    """The cell of a recurrent layer."""

    state_size = output_size = 4

    def build(self, shape: Any) -> None:
        self.wide = self.add_weight(shape=(shape[-1] + 4, 8), name="wide")

    def call(self, x: Any, states: Any) -> Any:
        values, gates = keras.ops.split(keras.ops.matmul(keras.ops.concatenate([x, states[0]], -1), self.wide), 2, -1)
        state = keras.ops.tanh(values) * keras.ops.sigmoid(gates)
        return state, [state]


class OwnActivations(keras.Model):
    """Activation functions in the layers, and in the model itself."""

    def __init__(self) -> None:
        super().__init__(name="own")
        self.layers_in_order = [L.Reshape((3, 2)), Attending(), GatedUnit(name="gated"), L.Flatten()]
        self.hidden, self.out = L.Dense(5, name="hidden"), L.Dense(2, name="out")

    def call(self, x: Any) -> Any:
        for layer in self.layers_in_order:
            x = layer(x)
        return self.out(keras.ops.tanh(keras.ops.relu(self.hidden(x))))
