"""Small models of every shape that capture has to cope with. Each builder returns (model, inputs, targets); nothing in them is random once built."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import tb_activations as tba

L = keras.layers


def _numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sequential():
    model = keras.Sequential([L.Input((6, 6, 2)), L.Conv2D(3, 3, activation="relu"), L.BatchNormalization(), L.Flatten(), L.Dense(2)], name="chain")
    return model, _numbers(8, 6, 6, 2), _numbers(8, 2, seed=1)


def functional():
    """Two inputs, two outputs, Keras operations without a layer, a nested model, a shared layer."""
    left, right = L.Input((4,), name="left"), L.Input((4,), name="right")
    inner = L.Input((4,), name="inner")
    encoder = keras.Model(inner, L.Dense(3, activation="tanh", name="squash")(L.Dense(5, name="widen")(inner)), name="encoder")
    shared = L.Dense(3, name="shared")
    a, b = shared(left), shared(right)
    mixed = keras.ops.relu(a * encoder(left) + b)
    model = keras.Model([left, right], [L.Dense(2, name="first")(mixed), L.Dense(2, name="second")(b)], name="mixer")
    return model, [_numbers(8, 4), _numbers(8, 4, seed=1)], [_numbers(8, 2, seed=2), _numbers(8, 2, seed=3)]


class Block(L.Layer):
    """A layer that keeps layers, and names a tensor of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.parts = {"in": L.Dense(units, name="project"), "gate": L.Dense(units, activation="sigmoid", name="gate")}

    def call(self, x):
        product = tba.probe(self.parts["in"](x) * self.parts["gate"](x), "product")
        return product + 1.0


class Subclassed(keras.Model):
    """Layers in a list and a dict, made when first called, and one that is never called."""

    def __init__(self):
        super().__init__(name="custom")
        self.blocks = [Block(4, name="block_a"), Block(4, name="block_b")]
        self.head = L.Dense(2, name="head")
        self.spare = L.Dense(7, name="spare")

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(inputs) * 2.0


def subclassed():
    return Subclassed(), _numbers(8, 5), _numbers(8, 2, seed=1)


def masked():
    """Token ids, a mask, and an `Embedding`, whose gradient is sparse."""
    tokens = L.Input((5,), dtype="int32", name="tokens")
    embedded = L.Embedding(11, 4, mask_zero=True, name="embedding")(tokens)
    attended = L.MultiHeadAttention(2, 3, name="attention")(embedded, embedded)
    model = keras.Model(tokens, L.Dense(2, name="head")(L.GlobalAveragePooling1D(name="pool")(attended)), name="reader")
    ids = np.array([[1, 2, 3, 0, 0], [4, 4, 4, 4, 0], [9, 10, 0, 0, 0], [5, 6, 7, 8, 1]], "int32")
    return model, np.tile(ids, (2, 1)), _numbers(8, 2, seed=1)


class RematModel(keras.Model):
    def __init__(self):
        super().__init__(name="remat")
        with keras.RematScope(mode="full"):
            self.block = Block(4, name="block")
            self.middle = L.Dense(3, activation="relu", name="middle")
        self.head = L.Dense(2, name="head")

    def call(self, inputs):
        return self.head(self.middle(self.block(inputs)))


def remat():
    return RematModel(), _numbers(8, 5), _numbers(8, 2, seed=1)


def regularized():
    """Losses that layers add, and an input that reaches the loss in two ways."""
    inputs = L.Input((4,), name="x")
    hidden = L.Dense(3, kernel_regularizer="l2", activity_regularizer="l2", name="hidden")(inputs)
    return keras.Model(inputs, L.Dense(2, name="out")(hidden), name="regular"), _numbers(8, 4), _numbers(8, 2, seed=1)


def classifier():
    """Outputs that end in a softmax or a sigmoid, from what goes into which Keras computes the losses: of a nested model, of a bare operation."""
    x = L.Input((4,), name="x")
    hidden = L.Dense(6, activation="relu", name="hidden")(x)
    inside = keras.Sequential([L.Input((6,)), L.Dense(3, activation="softmax", name="probabilities")], name="inside")(hidden)
    yes = L.Dense(1, activation="sigmoid", name="yes")(hidden)
    bare = keras.ops.softmax(L.Dense(3, name="logits")(hidden))
    model = keras.Model(x, {"bare": bare, "inside": inside, "yes": yes}, name="classifier")
    labels = np.arange(8) % 3
    return model, _numbers(8, 4), {"bare": np.eye(3, dtype="float32")[labels], "inside": labels, "yes": (labels > 0).astype("float32")[:, None]}


LOSSES = {
    "adversarial": None,
    "classifier": {"bare": "categorical_crossentropy", "inside": "sparse_categorical_crossentropy", "yes": "binary_crossentropy"},
}


class Several(L.Layer):
    """A layer that returns a tuple or a dict, from layers inside layers, with a probe of several tensors."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind
        self.block = Block(4, name="block")

    def build(self, shape):
        self.block.build(shape)

    def call(self, x):
        low, high = tba.probe((self.block(x), keras.ops.tanh(x)), "both")
        return (low, high) if self.kind is tuple else {"low": low, "high": high}


def several():
    x = L.Input((4,), name="x")
    low, high = Several(tuple, name="pair")(x)
    parts = Several(dict, name="parts")(keras.ops.concatenate([low[:, :2], high[:, :2]], 1))
    model = keras.Model(x, L.Dense(2, name="head")(parts["low"] * parts["high"]), name="outputs")
    return model, _numbers(8, 4), _numbers(8, 2, seed=1)


DETERMINISTIC = {build.__name__: build for build in (sequential, functional, subclassed, masked, remat, regularized, several, classifier)}


# Models whose steps draw random numbers or are the user's own: for transparency, not for values.


def stochastic():
    layers = [L.Input((6, 6, 1)), L.Conv2D(3, 3, activation="relu"), L.BatchNormalization(), L.Flatten(), L.Dropout(0.4, seed=3), L.Dense(2)]
    return keras.Sequential(layers, name="noisy"), _numbers(8, 6, 6, 1), _numbers(8, 2, seed=1)


class Sampling(L.Layer):
    def __init__(self):
        super().__init__(name="sampling")
        self.seeds = keras.random.SeedGenerator(5)

    def call(self, inputs):
        mean, log_variance = inputs
        self.add_loss(0.01 * keras.ops.mean(mean**2 + keras.ops.exp(log_variance) - log_variance))
        return mean + keras.ops.exp(log_variance / 2) * keras.random.normal(keras.ops.shape(mean), seed=self.seeds)


def variational():
    x = L.Input((4,), name="x")
    hidden = L.Dense(5, activation="relu", name="hidden")(x)
    latent = Sampling()([L.Dense(2, name="mean")(hidden), L.Dense(2, name="log_variance")(hidden)])
    return keras.Model(x, L.Dense(2, name="decoder")(latent), name="vae"), _numbers(8, 4), _numbers(8, 2, seed=1)


class Adversarial(keras.Model):
    """A train step of its own: two optimizers, two tapes, the discriminator called three times."""

    def __init__(self):
        super().__init__(name="gan")
        self.generator = keras.Sequential([L.Input((3,)), L.Dense(4, activation="relu", name="up"), L.Dense(2, name="fake")], name="generator")
        self.discriminator = keras.Sequential(
            [L.Input((2,)), L.Dense(4, activation="relu", name="look"), L.Dense(1, name="judge")], name="discriminator"
        )
        self.seeds = keras.random.SeedGenerator(11)
        self.optimizers = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)

    def call(self, inputs):
        return self.discriminator(inputs)

    def train_step(self, data):
        _, real = data
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        noise = keras.random.normal((keras.ops.shape(real)[0], 3), seed=self.seeds)
        with tf.GradientTape() as tape:
            judged_real, judged_fake = self.discriminator(real), self.discriminator(self.generator(noise))
            critic = loss(tf.ones_like(judged_real), judged_real) + loss(tf.zeros_like(judged_fake), judged_fake)
        weights = self.discriminator.trainable_weights
        self.optimizers[0].apply(tape.gradient(critic, weights), weights)
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(noise))
            forger = loss(tf.ones_like(judged), judged)
        weights = self.generator.trainable_weights
        self.optimizers[1].apply(tape.gradient(forger, weights), weights)
        return {"critic": critic, "forger": forger}


def adversarial():
    return Adversarial(), _numbers(8, 4), _numbers(8, 2, seed=1)


def recurrent():
    layers = [L.Input((5, 3)), L.LSTM(4, name="lstm"), L.Dense(2, name="head")]
    return keras.Sequential(layers, name="recurrent"), _numbers(8, 5, 3), _numbers(8, 2, seed=1)


ALL = DETERMINISTIC | {build.__name__: build for build in (stochastic, variational, adversarial, recurrent)}


def build(name, **compiling):
    """A freshly seeded, compiled model of the zoo with its data."""
    keras.utils.set_random_seed(7)
    model, x, y = ALL[name]()
    compiling.setdefault("optimizer", keras.optimizers.Adam(0.01))
    model.compile(loss=LOSSES.get(name, "mse"), **{"jit_compile": False, **compiling})
    return model, x, y
