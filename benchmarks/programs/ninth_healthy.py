"""Healthy programs written with the rules in view: what comes near to the faults that the eighth set made them tell."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import digits, series, sine, standardized
from benchmarks.programs.eighth_models import (
    Of,
    Own,
    Vae,
    WithPositions,
    bytes_of_digits,
    convs,
    diabetes,
    fc,
    graph,
    net,
    sigmoid,
    softmax,
    word_lists,
)
from benchmarks.programs.registry import Training, healthy

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
BCE = "binary_crossentropy"


@healthy(every=10, held_out=True)
def twins_whose_variance_is_kept_up() -> Training:
    class Twins(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(8)], name="encoder")

        def call(self, x: Any) -> Any:
            return self.encoder(x)

        def objective(self, x: Any, y: Any) -> Any:
            a, b = self(x + 0.1 * keras.random.normal(ops.shape(x))), self(x + 0.1 * keras.random.normal(ops.shape(x)))
            spread = ops.mean(ops.relu(0.3 - ops.std(a, 0))) + ops.mean(ops.relu(0.3 - ops.std(b, 0)))
            return ops.mean((a - b) ** 2) + spread

    model = Twins()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, digits()[0], digits()[1], epochs=8)


@healthy(every=10, held_out=True)
def equation_solved_at_points_inside_and_at_the_ends() -> Training:
    class Solver(Own):
        def __init__(self) -> None:
            super().__init__()
            self.curve = keras.Sequential([layers.Dense(24, activation="tanh"), layers.Dense(24, activation="tanh"), layers.Dense(1)], name="curve")

        def call(self, x: Any) -> Any:
            return self.curve(x)

        def objective(self, x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                inside = self.curve(x)
            slope = tape.gradient(inside, x)
            ends = self.curve(ops.zeros((1, 1)))
            return ops.mean((slope - ops.cos(x)) ** 2) + ops.mean(ends**2)

    model = Solver()
    model.compile(optimizer=Adam(5e-3))
    return Training(model, sine(512)[0], epochs=20)


@healthy(every=10, held_out=True)
def two_views_of_each_digit_with_labels() -> Training:
    class Consistent(Own):
        def __init__(self) -> None:
            super().__init__()
            self.scores = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(10)], name="scores")

        def call(self, x: Any) -> Any:
            return self.scores(x)

        def objective(self, x: Any, y: Any) -> Any:
            a, b = self.scores(x), self.scores(x + 0.2 * keras.random.normal(ops.shape(x)))
            labels = keras.losses.sparse_categorical_crossentropy(y, a, from_logits=True)
            return ops.mean(labels) + ops.mean((ops.softmax(a) - ops.softmax(b)) ** 2)

    model = Consistent()
    model.compile(optimizer=Adam(2e-3))
    return Training(model, *digits(), epochs=6)


@healthy(every=10, held_out=True)
def online_network_and_its_slow_copy_left_trainable() -> Training:
    class Slow(Own):
        def __init__(self) -> None:
            super().__init__()
            make = lambda name: keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(16)], name=name)  # noqa: E731
            self.online, self.slow = make("online"), make("slow")
            self.predictor = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(16)], name="predictor")

        def build(self, shape: Any) -> None:
            for part, size in ((self.online, 64), (self.slow, 64), (self.predictor, 16)):
                part.build((None, size))
            self.slow.set_weights(self.online.get_weights())

        def call(self, x: Any) -> Any:
            return self.online(x)

        def trained(self) -> list[Any]:
            return [*self.online.trainable_variables, *self.predictor.trainable_variables]

        def objective(self, x: Any, y: Any) -> Any:
            target = ops.stop_gradient(ops.normalize(self.slow(x + 0.1 * keras.random.normal(ops.shape(x))), axis=-1))
            return 2 - 2 * ops.mean(ops.sum(ops.normalize(self.predictor(self.online(x)), axis=-1) * target, -1))

        def train_step(self, data: Any) -> dict[str, Any]:
            logs = super().train_step(data)
            for slow, fast in zip(self.slow.weights, self.online.weights, strict=True):
                slow.assign(0.99 * slow + 0.01 * fast)
            return logs

    model = Slow()
    model.build((None, 64))
    model.compile(optimizer=Adam(1e-3))
    return Training(model, *digits(), epochs=6)


@healthy(every=10, held_out=True)
def lstm_of_levels_from_0_to_16() -> Training:
    x, y = digits()
    return Training(net((8, 8), layers.LSTM(48, name="lstm"), softmax()), 16 * x.reshape(-1, 8, 8), y, epochs=6)


@healthy(every=10, held_out=True)
def gru_behind_normalized_convolutions() -> Training:
    x, y = digits()
    stack = [layers.Conv1D(32, 3, activation="relu", name="conv1"), layers.BatchNormalization(momentum=0.9), layers.GRU(32, name="gru"), softmax()]
    return Training(net((8, 8), *stack), x.reshape(-1, 8, 8), y, epochs=6)


@healthy(every=10, held_out=True)
def plain_recurrence_for_which_the_end_matters() -> Training:
    random = np.random.default_rng(1)
    x = random.normal(size=(900, 80, 2)).astype("float32")
    y = (x[:, -3:, 0].sum(1) > 0).astype("float32")[:, None]
    return Training(net((80, 2), layers.SimpleRNN(24, name="rnn"), sigmoid(), loss=BCE, optimizer=Adam(1e-3)), x, y, epochs=8)


@healthy(every=10, held_out=True)
def strong_decay_that_a_normalization_takes_away() -> Training:
    stack: list[Any] = []
    for layer in fc(64, 64, activation=None):
        stack += [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]
    return Training(net((64,), *stack, softmax(), optimizer=AdamW(5e-3, weight_decay=0.5)), *digits(), epochs=8)


@healthy(every=10, held_out=True)
def sparse_weights_by_a_penalty() -> Training:
    x, y = standardized("breast_cancer")
    stack = fc(32, kernel_regularizer=keras.regularizers.L1(2e-3))
    return Training(net((30,), *stack, sigmoid(), loss=BCE, optimizer=Adam(3e-3)), x, y.astype("float32")[:, None], epochs=25)


@healthy(every=10, held_out=True)
def highway_that_begins_nearly_shut() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, activation="relu", name="stem")(inputs)
    for k in range(2):
        gate = layers.Dense(64, activation="sigmoid", bias_initializer=keras.initializers.Constant(-6.0), name=f"gate{k}")(h)
        h = gate * layers.Dense(64, activation="relu", name=f"fc{k}")(h) + (1 - gate) * h
    return Training(graph(inputs, softmax()(h)), x, y, epochs=6)


@healthy(every=5, held_out=True)
def shrunken_numbers_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = bytes_of_digits()
    large = Of(lambda v: ops.cast(v > 200, v.dtype), name="large")
    return Training(net((8, 8, 1), large, *convs(16), layers.Flatten(), softmax()), x, y, epochs=5)


@healthy(every=10, held_out=True)
def masks_added_to_scores_by_hand() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = WithPositions(300, 20, 32, name="embedded")(ids)
    query, key, value = (layers.Dense(32, name=name)(h) for name in ("query", "key", "value"))
    scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) / 32**0.5
    scores = scores + ops.cast(ops.equal(ids, 0), "float32")[:, None, :] * -1e9
    h = layers.Add()([h, ops.matmul(ops.softmax(scores), value)])
    return Training(graph(ids, sigmoid()(layers.GlobalMaxPooling1D()(h)), BCE, Adam(3e-3)), x, y, epochs=10)


@healthy(every=10, held_out=True)
def divergence_that_is_weighed_up_slowly() -> Training:
    class Warming(Vae):
        def objective(self, x: Any, y: Any) -> Any:
            picture, divergence = self.decoded(x)
            error = ops.mean(ops.sum((picture - x) ** 2, -1))
            weight = ops.minimum(1.0, ops.cast(self.optimizer.iterations, "float32") / 300)
            return error + 0.5 * weight * divergence

    model = Warming(48, 8)
    model.compile(optimizer=Adam(2e-3))
    return Training(model, digits()[0], epochs=8)


@healthy(every=10, held_out=True)
def sums_of_twelve_small_blocks() -> Training:
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, name="stem")(inputs)
    for k in range(12):
        normal = layers.LayerNormalization(name=f"norm{k}")(h)
        h = layers.Add(name=f"add{k}")([h, layers.Dense(64, activation="relu", kernel_initializer="he_normal", name=f"block{k}")(normal)])
    return Training(graph(inputs, softmax()(layers.LayerNormalization(name="last")(h))), *digits(), epochs=5)


@healthy(every=10, held_out=True)
def positive_scores_in_front_of_logits() -> Training:
    """They begin above 0, so each class keeps its gradient."""
    stack = [*fc(64), layers.Dense(10, activation="relu", bias_initializer="ones", name="scores")]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Training(net((64,), *stack, loss=loss, optimizer=Adam(2e-3)), *digits(), epochs=7)


@healthy(every=10, held_out=True)
def ten_examples_at_a_time_of_ten_classes() -> Training:
    return Training(net((64,), *fc(48), softmax()), *digits(), batch_size=10, epochs=3)


@healthy(every=10, held_out=True)
def returns_that_are_next_to_nothing() -> Training:
    x, _ = series(length=20)
    returns = (0.01 * np.diff(x[:, -2:, 0], axis=1)).astype("float32")
    return Training(net((20, 1), layers.GRU(16, name="gru"), layers.Dense(1, name="return"), loss="mse"), x, returns, epochs=8)


@healthy(every=10, held_out=True)
def targets_that_are_mostly_noise() -> Training:
    x, y = diabetes()
    noise = np.random.default_rng(2).normal(size=y.shape).astype("float32")
    model = net((10,), *fc(32, kernel_regularizer=keras.regularizers.L2(1e-3)), layers.Dense(1, name="value"), loss="mse")
    return Training(model, x, 0.3 * y + noise, epochs=20)
