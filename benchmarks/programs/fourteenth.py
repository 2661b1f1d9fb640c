"""A fourteenth set, with the rules in view: faulty programs like scripts outside of the repository that were missed, and healthy ones near them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.registry import Training, faulty, healthy
from benchmarks.programs.thirteenth_faulty import patches
from benchmarks.programs.twelfth_models import (
    BCE,
    Of,
    Stepwise,
    cells,
    chain,
    classes,
    convolutions,
    dense,
    looped,
    numbers,
    patients,
    progress,
    value,
    yes_or_no,
)

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW


def regression(*stacked: Any) -> Any:
    """A model without a loss of its own."""
    return keras.Sequential([keras.Input((10,), name="inputs"), *stacked])


@faulty("output_mismatch", "value", every=2, held_out=True)
def loop_that_compares_all_targets_with_all_outputs() -> Training:
    x, y = progress()
    model = regression(*dense(48), value())
    return looped(model, lambda t, p: ops.mean((t - p) ** 2), Adam(1e-2), x, y[:, 0], epochs=5)


@faulty("output_mismatch", "network/predictions predictions", every=2, held_out=True)
def cross_entropy_by_hand_of_two_shapes() -> Training:
    class Judged(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            p = ops.clip(self.network(x), 1e-6, 1 - 1e-6)
            return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p))

    x, y = cells()
    network = keras.Sequential([keras.Input((30,)), *dense(32), yes_or_no()], name="network")
    model = Judged(network)
    model.compile(optimizer=Adam(1e-2))
    return Training(model, x, y[:, 0], epochs=4)


@faulty("unnormalized_input", "inputs scaled", every=2, held_out=True)
def photographs_divided_by_255_in_the_data_and_in_the_model() -> Training:
    x, y = patches()
    stacked = [layers.Rescaling(1 / 255, name="scaled"), *convolutions(16), layers.Flatten(), *dense(32), yes_or_no()]
    model = chain((16, 16, 3), *stacked, loss=BCE, optimizer=SGD(0.05, momentum=0.9))
    return Training(model, (x / 255).astype("float32"), y, epochs=4)


@faulty("penalty_too_strong", "fc1 fc2 predictions", every=2, held_out=True)
def decay_that_steps_keep_up_with() -> Training:
    model = chain((64,), *dense(48, 48, activation="gelu"), classes(), optimizer=AdamW(5e-3, weight_decay=10.0))
    return Training(model, *numbers(), epochs=4)


@faulty("update_too_small", "fc1 fc2 predictions", every=2, held_out=True)
def rate_of_two_millionths_from_scratch() -> Training:
    return Training(chain((64,), *dense(64, 32), classes(), optimizer=Adam(2e-6)), *numbers(), epochs=3)


@faulty("vanishing_gradient", "rnn", every=2, held_out=True)
def first_of_a_hundred_and_twenty_steps_decides() -> Training:
    rng = np.random.default_rng(40)
    x, y = rng.normal(scale=0.5, size=(640, 120, 2)).astype("float32"), rng.integers(0, 2, 640).astype("float32")
    x[:, 0, 0] = 2 * y - 1
    rnn = layers.SimpleRNN(24, recurrent_initializer="glorot_uniform", name="rnn")
    return Training(chain((120, 2), rnn, yes_or_no(), loss=BCE, optimizer=Adam(3e-3)), x, y, epochs=4)


@faulty("targets_out_of_range saturated_activation", "score loss", every=2, held_out=True)
def sigmoid_towards_standardized_targets() -> Training:
    score = layers.Dense(1, activation="sigmoid", name="score")
    return Training(chain((10,), *dense(64), score, loss="mse", optimizer=Adam(1e-2)), *progress(), epochs=8)


@healthy(every=1, held_out=True)
def actions_that_a_layer_forbids() -> Training:
    class Agent(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            scores = ops.log_softmax(self.network(x))
            chosen = ops.exp(scores)
            return -ops.mean(ops.sum(scores * ops.one_hot(y, 6), -1)) + 0.01 * ops.mean(ops.sum(chosen * ops.log(chosen + 1e-8), -1))

    rng = np.random.default_rng(41)
    x = rng.normal(size=(800, 8)).astype("float32")
    inputs = keras.Input((8,), name="inputs")
    scores = layers.Dense(6, name="scores")(layers.Dense(32, activation="tanh", name="body")(inputs))
    allowed = Of(lambda s: ops.where(ops.arange(6) < 4, s, -1e9), name="allowed")(scores)
    model = Agent(keras.Model(inputs, allowed))
    model.compile(optimizer=Adam(3e-3))
    return Training(model, x, x[:, :4].argmax(1).astype("int32"), epochs=4)


@healthy(every=2, held_out=True)
def steps_of_two_millionths_after_training() -> Training:
    x, y = numbers()
    model = chain((64,), *dense(64), classes(), optimizer=Adam(1e-2))
    model.fit(x, y, epochs=3, verbose=0)
    model.compile(Adam(2e-6), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=3)


@healthy(every=2, held_out=True)
def pairs_of_a_batch_that_are_ranked() -> Training:
    class Ranked(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            apart = self.network(x) - ops.transpose(self.network(x))
            above = ops.cast(y[:, None] > y[None], "float32")
            return ops.mean(tf.nn.sigmoid_cross_entropy_with_logits(above, apart))

    x, y = patients()
    model = Ranked(regression(*dense(32), value()))
    model.compile(optimizer=Adam(5e-3))
    return Training(model, x, y[:, 0], epochs=6)


@healthy(every=2, held_out=True)
def samples_that_are_told_apart_by_a_kernel() -> Training:
    class Matched(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            made = self.network(x)

            def near(a: Any, b: Any) -> Any:
                return ops.mean(ops.exp(-((a - ops.transpose(b)) ** 2)))

            return near(made, made) + near(y, y) - 2 * near(made, y)

    rng = np.random.default_rng(42)
    model = Matched(regression(*dense(32), value()))
    model.compile(optimizer=Adam(3e-3))
    wanted = (2 + 0.5 * rng.normal(size=(640, 1))).astype("float32")
    return Training(model, rng.normal(size=(640, 10)).astype("float32"), wanted, epochs=5)


@healthy(every=2, held_out=True)
def decay_of_a_tenth() -> Training:
    model = chain((64,), *dense(48, 48, activation="gelu"), classes(), optimizer=AdamW(5e-3, weight_decay=0.1))
    return Training(model, *numbers(), epochs=4)
