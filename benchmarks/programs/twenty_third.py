"""A twenty-third set, blind: a fault somewhere inside, and the same program mended. Not finite, dead, saturated, and over depth."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, twins

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD
CLASSES = "sparse_categorical_crossentropy"


class Function(keras.Layer):
    """A layer of the user's that computes something without weights."""

    def __init__(self, function: Any, name: str) -> None:
        super().__init__(name=name)
        self.function = function

    def call(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def of_digits(*inner: Any, optimizer: Any = None, pictures: bool = False, loss: str = CLASSES, **more: Any) -> Training:
    """Layers between digits and their ten classes."""
    x, y = data.images() if pictures else data.digits()
    model = keras.Sequential([keras.Input(x.shape[1:], name="inputs"), *inner, layers.Dense(10, "softmax", name="scores")])
    model.compile(optimizer or Adam(2e-3), loss)
    return Training(model, x, y, **more)


# Numbers that aren't finite.


@twins("nonfinite", "log_ratio", every=5)
def logarithm_in_one_of_two_branches(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    body, blood = keras.Input((4,), name="body"), keras.Input((6,), name="blood")
    first = layers.Dense(16, "relu", name="body_1")(body)
    second = Function(ops.log if ill else lambda a: ops.log1p(ops.abs(a)), "log_ratio")(blood)
    second = layers.Dense(16, "relu", name="blood_1")(second)
    model = keras.Model([body, blood], layers.Dense(1, name="value")(layers.Concatenate(name="both")([first, second])))
    model.compile(Adam(3e-3), "mse")
    return Training(model, [x[:, :4], x[:, 4:]], y, epochs=8)


@twins("nonfinite", "unit encoder/unit", every=1)
def empty_pictures_of_unit_length_in_a_nested_encoder(ill: bool) -> Training:
    """Some pictures, not in the first batches, are empty."""
    x, y = data.images()
    x = x.copy()
    x[1000:1010] = 0
    inner = keras.Input((8, 8, 1), name="pixels")
    h = layers.Flatten(name="flat")(layers.Conv2D(8, 3, activation="relu", use_bias=False, name="edges")(inner))
    h = Function(lambda a: a / (ops.norm(a, axis=-1, keepdims=True) + (0.0 if ill else 1e-3)), "unit")(h)
    encoder = keras.Model(inner, layers.Dense(24, "relu", name="dense")(h), name="encoder")
    inputs = keras.Input((8, 8, 1), name="inputs")
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(encoder(inputs)))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y, epochs=2, options={"shuffle": False})


class Coder(keras.Model):
    """A variational autoencoder with a train step of its own."""

    def __init__(self, spread: Any) -> None:
        super().__init__()
        self.hidden = layers.Dense(32, "relu", name="hidden")
        self.mean, self.raw = layers.Dense(4, name="mean"), layers.Dense(4, name="raw")
        self.spread = Function(spread, "spread")
        self.back, self.out = layers.Dense(32, "relu", name="back"), layers.Dense(13, name="out")

    def call(self, x: Any) -> Any:
        h = self.hidden(x)
        mean, spread = self.mean(h), self.spread(self.raw(h))
        z = mean + spread * keras.random.normal(ops.shape(mean))
        self.add_loss(0.01 * ops.mean(ops.square(mean) + ops.square(spread) - 2 * ops.log(spread + 1e-6)))
        return self.out(self.back(z))


@twins("nonfinite", "spread", every=5)
def spread_of_raw_values_in_an_autoencoder(ill: bool) -> Training:
    """The columns of wines go to 1,680: their exponential is infinite."""
    x, _ = data.raw("wine") if ill else data.standardized("wine")
    model = Coder(ops.exp)
    model.compile(Adam(2e-3), "mse")
    return Training(model, x, x, epochs=20)


class Lengths(keras.Model):
    """Compares two pictures by the length of their difference, with a train step of its own."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(32, "relu", name="first"), layers.Dense(8, name="second")
        self.length = Function(lambda a, b: ops.sqrt(ops.sum(ops.square(a - b), -1, keepdims=True) + epsilon), "length")
        self.answer = layers.Dense(1, "sigmoid", name="answer")

    def call(self, x: Any) -> Any:
        a, b = (self.second(self.first(side)) for side in (x[:, :64], x[:, 64:]))
        return self.answer(self.length(a, b))

    def train_step(self, batch: Any) -> Any:
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@twins("nonfinite", "length", every=1)
def root_of_nothing_in_the_backward_pass(ill: bool) -> Training:
    """A picture beside itself: the value is 0, its derivative isn't finite."""
    x, y = data.digits()
    other = np.random.default_rng(0).permutation(len(x))
    other[900:904] = np.arange(900, 904)
    model = Lengths(0.0 if ill else 1e-6)
    model.compile(Adam(1e-3), "binary_crossentropy")
    same = (y == y[other]).astype("float32")[:, None]
    return Training(model, np.concatenate([x, x[other]], 1), same, epochs=2, options={"shuffle": False})


# Dead units.


@twins("dead_units", "conv_b", every=5)
def bias_far_below_in_the_middle_convolution(ill: bool) -> Training:
    middle = layers.Conv2D(
        12, 3, activation="relu", padding="same", bias_initializer=keras.initializers.Constant(-4.0 if ill else 0.0), name="conv_b"
    )
    first, last = (layers.Conv2D(12, 3, activation="relu", padding="same", name=name) for name in ("conv_a", "conv_c"))
    return of_digits(first, middle, last, layers.Flatten(name="flat"), pictures=True, optimizer=SGD(0.02))


@twins("dead_units", "fc2", every=5)
def weights_that_may_not_be_negative_after_negative_values(ill: bool) -> Training:
    constraint = keras.constraints.NonNeg()
    start = keras.initializers.RandomUniform(0.0, 0.2)
    first = layers.Dense(32, (lambda a: -ops.softplus(a)) if ill else ops.softplus, name="fc1")
    second = layers.Dense(32, "relu", kernel_constraint=constraint, kernel_initializer=start, name="fc2")
    return of_digits(first, second, epochs=6)


@twins("dead_units update_too_large exploding_gradient exploding_loss oscillating_loss", "head gru scores loss", every=5)
def rate_that_jumps_kills_the_head_of_a_recurrent_model(ill: bool) -> Training:
    x, y, words = data.lines()
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), layers.Embedding(words, 16, name="letters"), layers.GRU(24, name="gru")])
    model.add(layers.Dense(32, "relu", name="head"))
    model.add(layers.Dense(1, "sigmoid", name="scores"))
    model.compile(Adam(keras.optimizers.schedules.PiecewiseConstantDecay([60], [2e-3, 0.5 if ill else 1e-3])), "binary_crossentropy")
    return Training(model, x, y, epochs=4)


@twins("dead_units", "items/rectified rectified", every=5)
def dead_tower_of_a_recommender(ill: bool) -> Training:
    """Users and items; the tower of the items was given a bias from elsewhere."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 60, 3000), random.integers(0, 80, 3000)
    tastes, traits = random.normal(size=(60, 3)), random.normal(size=(80, 3))
    y = (tastes[users] * traits[items]).sum(1).astype("float32")[:, None]
    towers = []
    for name, n in (("users", 60), ("items", 80)):
        ids = keras.Input((), dtype="int32", name=f"{name}_id")
        bias = keras.initializers.Constant(-3.0 if ill and name == "items" else 0.0)
        h = layers.Dense(24, bias_initializer=bias, name="before")(layers.Embedding(n, 8, name="table")(ids))
        towers.append(keras.Model(ids, layers.Dense(8, name="code")(layers.ReLU(name="rectified")(h)), name=name))
    pair = [keras.Input((), dtype="int32", name=name) for name in ("user", "item")]
    model = keras.Model(pair, layers.Dot(1, name="affinity")([tower(side) for tower, side in zip(towers, pair, strict=True)]))
    model.compile(Adam(5e-3), "mse")
    return Training(model, [users, items], y, epochs=4)


# Saturated functions.


@twins("saturated_activation poor_initialization", "excite squeeze", every=5)
def gate_over_channels_that_is_always_open_or_shut(ill: bool) -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, activation="relu", padding="same", name="edges")(inputs)
    start = keras.initializers.RandomNormal(stddev=60.0) if ill else "glorot_uniform"
    s = layers.Dense(8, "relu", name="squeeze")(layers.GlobalAveragePooling2D(name="average")(h))
    s = layers.Reshape((1, 1, 16), name="spread")(layers.Dense(16, "sigmoid", kernel_initializer=start, name="excite")(s))
    h = layers.Flatten(name="flat")(layers.Multiply(name="gated")([h, s]))
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(h))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y)


class Attention(keras.Layer):
    """Attention of one head, written out."""

    def __init__(self, width: int, scale: float, name: str) -> None:
        super().__init__(name=name)
        self.q, self.k, self.v = (layers.Dense(width, name=part) for part in ("query", "key", "value"))
        self.softmax, self.scale = layers.Softmax(name="weights"), scale

    def call(self, x: Any) -> Any:
        scores = ops.matmul(self.q(x), ops.transpose(self.k(x), (0, 2, 1))) * self.scale
        return ops.matmul(self.softmax(scores), self.v(x))


@twins("saturated_activation", "attend attend/weights weights", every=5)
def attention_scores_multiplied_instead_of_divided(ill: bool) -> Training:
    x, y = data.digits()
    inputs = keras.Input((8, 8), name="inputs")
    h = layers.LayerNormalization(name="norm")(layers.Dense(64, name="rows")(inputs))
    h = layers.Add(name="add")([h, Attention(64, 8.0 if ill else 1 / 8, "attend")(h)])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.GlobalAveragePooling1D(name="mean")(h)))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x.reshape(-1, 8, 8), y)


@twins("saturated_activation", "code", every=10)
def code_of_an_autoencoder_at_the_ends(ill: bool) -> Training:
    x, _ = data.standardized("breast_cancer")
    steps: list[Any] = [layers.Dense(24, "relu", name="down"), layers.Rescaling(50.0 if ill else 1.0, name="stretch")]
    steps += [layers.Dense(6, "tanh", name="code"), layers.Dense(24, "relu", name="up"), layers.Dense(30, name="again")]
    model = keras.Sequential([keras.Input((30,), name="inputs"), *steps])
    model.compile(Adam(2e-3), "mse")
    return Training(model, x, x, epochs=12)


@twins("saturated_activation exploding_loss oscillating_loss", "chances temperature loss", every=5)
def temperature_of_a_hundredth_before_softmax(ill: bool) -> Training:
    x, y = data.digits()
    steps = [layers.Dense(32, "relu", name="hidden"), layers.Dense(10, name="logits"), layers.Rescaling(100.0 if ill else 1.0, name="temperature")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *steps, layers.Softmax(name="chances")])
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y)


# Gradients over depth.


@twins("vanishing_gradient poor_initialization", "fc_0 fc_1 fc_2 fc_3 fc_4 fc_5", every=5)
def ten_layers_of_sigmoid(ill: bool) -> Training:
    start = "glorot_uniform" if ill else "he_normal"
    return of_digits(*(layers.Dense(32, "sigmoid" if ill else "relu", kernel_initializer=start, name=f"fc_{i}") for i in range(10)), epochs=6)


@twins("vanishing_gradient poor_initialization", "conv_0 conv_1 conv_2 conv_3 conv_4 conv_5", every=5)
def small_filters_in_six_convolutions(ill: bool) -> Training:
    start = keras.initializers.RandomNormal(stddev=0.01) if ill else "glorot_uniform"
    convs = [layers.Conv2D(12, 3, activation="tanh", padding="same", kernel_initializer=start, name=f"conv_{i}") for i in range(6)]
    return of_digits(*convs, layers.Flatten(name="flat"), pictures=True, optimizer=SGD(0.05, 0.9), epochs=5)


@twins("vanishing_gradient poor_initialization", "rnn rows", every=5)
def recurrence_that_forgets_at_once(ill: bool) -> Training:
    """The label is the sign of the first value of thirty."""
    x = np.random.default_rng(0).normal(size=(1500, 30, 1)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    cell = layers.SimpleRNN(24, recurrent_initializer=keras.initializers.Orthogonal(0.2 if ill else 1.0), name="rnn")
    model = keras.Sequential([keras.Input((30, 1), name="inputs"), layers.Dense(8, name="rows"), cell, layers.Dense(1, "sigmoid", name="sign")])
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=5)


@twins("vanishing_gradient saturated_activation poor_initialization", "encoder encoder/enc_0 encoder/enc_1 encoder/enc_2 encoder/enc_3", every=5)
def nested_encoder_of_sigmoids_in_a_regression(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    layer = [layers.Dense(24, "sigmoid" if ill else "elu", name=f"enc_{i}") for i in range(8)]
    encoder = keras.Sequential([keras.Input((10,), name="columns"), *layer], name="encoder")
    inputs = keras.Input((10,), name="inputs")
    model = keras.Model(inputs, layers.Dense(1, name="value")(encoder(inputs)))
    model.compile(SGD(0.02), "mse")
    return Training(model, x, y, epochs=20)


@twins("exploding_gradient exploding_activation poor_initialization nonfinite exploding_loss", "rnn letters", every=5)
def recurrence_that_grows(ill: bool) -> Training:
    x, y = data.series()
    cell = layers.SimpleRNN(24, "relu", recurrent_initializer=keras.initializers.Identity(1.8 if ill else 0.9), name="rnn")
    model = keras.Sequential([keras.Input((30, 1), name="inputs"), cell, layers.Dense(1, name="next")])
    model.compile(SGD(1e-3), "mse")
    return Training(model, x, y, epochs=4)


@twins("exploding_gradient exploding_activation poor_initialization", "fc_1 fc_2 fc_3 fc_4 fc_5 fc_6 fc_7", every=5)
def eight_layers_that_are_too_wide_at_the_start(ill: bool) -> Training:
    start = keras.initializers.VarianceScaling(40.0 if ill else 2.0)
    return of_digits(*(layers.Dense(48, "relu", kernel_initializer=start, name=f"fc_{i}") for i in range(8)))


@tf.custom_gradient
def _reverse(x: Any) -> Any:
    return tf.identity(x), lambda upstream: -3e3 * upstream


@tf.custom_gradient
def _reverse_a_little(x: Any) -> Any:
    return tf.identity(x), lambda upstream: -0.1 * upstream


@twins("exploding_gradient update_too_large", "features reverse hidden", every=5)
def reversal_of_gradients_with_a_wild_factor(ill: bool) -> Training:
    """Digits, and half of them with noise: features shouldn't tell the one from the other."""
    x, y = data.digits()
    noisy = (np.arange(len(x)) % 2).astype("float32")
    x = x + noisy[:, None] * 0.3 * np.random.default_rng(0).normal(size=x.shape).astype("float32")
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(24, "relu", name="features")(layers.Dense(32, "relu", name="hidden")(inputs))
    domain = layers.Dense(16, "relu", name="domain_1")(Function(_reverse if ill else _reverse_a_little, "reverse")(h))
    outputs = {"scores": layers.Dense(10, "softmax", name="scores")(h), "domain": layers.Dense(1, "sigmoid", name="domain")(domain)}
    model = keras.Model(inputs, outputs)
    model.compile(SGD(0.02), {"scores": CLASSES, "domain": "binary_crossentropy"})
    return Training(model, x, {"scores": y, "domain": noisy[:, None]})


# Exploding activations.


@twins("exploding_activation exploding_gradient poor_initialization", "conv_0 conv_1 conv_2 conv_3 conv_4 conv_5 conv_6", every=5)
def residual_blocks_without_a_norm(ill: bool) -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(12, 3, padding="same", name="stem")(inputs)
    for i in range(10):
        start = keras.initializers.VarianceScaling(12.0 if ill else 0.2)
        branch = layers.Conv2D(12, 3, padding="same", activation="relu", kernel_initializer=start, name=f"conv_{i}")(h)
        h = layers.Add(name=f"add_{i}")([h, branch])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.GlobalAveragePooling2D(name="mean")(h)))
    model.compile(Adam(1e-3), CLASSES)
    return Training(model, x, y, epochs=3)


@twins("exploding_activation unnormalized_input", "powers dense_powers", every=5)
def fifth_powers_in_one_branch(ill: bool) -> Training:
    x, y = data.standardized("breast_cancer")
    inputs = keras.Input((30,), name="inputs")
    powers = Function((lambda a: a**7) if ill else ops.tanh, "powers")(inputs)
    branches = [layers.Dense(16, "relu", name="plain")(inputs), layers.Dense(16, "relu", name="dense_powers")(powers)]
    model = keras.Model(inputs, layers.Dense(1, "sigmoid", name="answer")(layers.Concatenate(name="both")(branches)))
    model.compile(Adam(1e-3), "binary_crossentropy")
    return Training(model, x, y.astype("float32")[:, None], epochs=10)


@twins("exploding_activation unnormalized_input poor_initialization", "rescale sum", every=5)
def values_rescaled_by_2550_behind_a_recurrence(ill: bool) -> Training:
    x, y, words = data.lines()
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), layers.Embedding(words, 16, name="letters")])
    model.add(layers.LSTM(24, return_sequences=True, name="lstm"))
    model.add(layers.Rescaling(2550.0 if ill else 1.0, name="rescale"))
    model.add(layers.GlobalAveragePooling1D(name="sum"))
    model.add(layers.Dense(24, "relu", name="hidden"))
    model.add(layers.Dense(1, "sigmoid", name="answer"))
    model.compile(SGD(0.1, 0.9), "binary_crossentropy")
    return Training(model, x, y, epochs=3)
