"""The twenty-third set, blind: low precision, loss and batch normalization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, twins
from benchmarks.programs.twenty_third import CLASSES, SGD, Adam, Function, of_digits

# Low precision.


@twins("float16_overflow nonfinite loss_scale_thrash", "energy", every=1)
def squares_beyond_float16_in_the_middle(ill: bool) -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, activation="relu", name="edges")(inputs)
    h = layers.Rescaling(500.0 if ill else 1.0, name="stretch")(h)
    h = layers.Flatten(name="flat")(Function(lambda a: a * a, "energy")(h))
    model = keras.Model(inputs, layers.Dense(10, "softmax", dtype="float32", name="scores")(layers.LayerNormalization(name="norm")(h)))
    model.compile(Adam(1e-3), CLASSES)
    return Training(model, x, y, epochs=2)


@twins("float16_underflow vanishing_gradient unchanged_weights", "fc1 fc2 fc3 scores", every=5)
def tiny_loss_in_float16_without_a_scale(ill: bool) -> Training:
    """The loss of a train step of one's own is divided by the number of examples twice more."""
    keras.config.set_dtype_policy("mixed_float16")
    x, y = data.digits()
    hidden = [layers.Dense(48, "relu", name=f"fc{i}") for i in (1, 2, 3)]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *hidden, layers.Dense(10, name="scores")])
    optimizer, loss_function = Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)
    share = 1e-6 if ill else 1.0

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(y, tf.cast(model(x, training=True), "float32")) * share
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return Training(model, x, y, epochs=2, loop=step)


@twins("loss_scale_thrash", "loss_scale_optimizer loss optimizer", every=1)
def loss_scale_that_grows_each_other_step(ill: bool) -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(2e-3), dynamic_growth_steps=1 if ill else 2000)
    convs = [layers.Conv2D(8, 3, activation="relu", name=name) for name in ("conv_a", "conv_b")]
    return of_digits(*convs, layers.Flatten(name="flat"), pictures=True, optimizer=optimizer, epochs=2)


@twins("float16_overflow nonfinite", "mask masked chances", every=1)
def mask_of_minus_a_billion_in_float16(ill: bool) -> Training:
    """Rows of attention where all is masked are 0 divided by 0."""
    keras.config.set_dtype_policy("mixed_float16")
    x, y, words = data.lines()
    x = x.copy()
    x[70:74] = 0
    ids = keras.Input((24,), dtype="int32", name="ids")
    h = layers.Embedding(words, 16, name="letters")(ids)
    scores = layers.Dense(1, name="relevance")(h)
    low = -1e9 if ill else -1e4
    masked = Function(lambda s, i: s + ops.cast(ops.equal(i, 0), s.dtype)[..., None] * ops.cast(low, s.dtype), "mask")(scores, ids)
    h = Function(lambda s, v: ops.sum(s * v, 1), "weigh")(layers.Softmax(1, name="chances")(masked), h)
    model = keras.Model(ids, layers.Dense(1, "sigmoid", dtype="float32", name="answer")(h))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, y[:], epochs=1, options={"shuffle": False})


@twins("unchanged_weights update_too_small", "fc1 fc2 scores", every=5)
def updates_that_bfloat16_rounds_away(ill: bool) -> Training:
    if ill:
        keras.config.set_dtype_policy("bfloat16")
    hidden = [layers.Dense(32, "relu", name=name) for name in ("fc1", "fc2")]
    return of_digits(*hidden, optimizer=SGD(4e-3), epochs=7)


# Losses.


@twins("exploding_loss update_too_large exploding_gradient nonfinite", "loss value", every=1)
def momentum_of_nearly_one_on_a_line(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    model = keras.Sequential([keras.Input((10,), name="inputs"), layers.Dense(1, name="value")])
    model.compile(SGD(0.5 if ill else 0.02, 0.97 if ill else 0.5), "mse")
    return Training(model, x, y, epochs=6)


@twins("exploding_loss", "loss", every=5)
def sign_of_the_loss_that_is_turned(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    model = keras.Sequential([keras.Input((10,), name="inputs"), layers.Dense(16, "relu", name="fc1"), layers.Dense(1, name="value")])
    model.compile(Adam(1e-2), lambda true, said: (-1.0 if ill else 1.0) * ops.mean(ops.square(true - said)))
    return Training(model, x, y[:, None], epochs=15)


@twins("oscillating_loss update_too_large", "loss fc1 value", every=1)
def steps_that_jump_over_the_valley(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    model = keras.Sequential([keras.Input((10,), name="inputs"), layers.Dense(24, "tanh", name="fc1"), layers.Dense(1, name="value")])
    model.compile(SGD(0.15 if ill else 0.02, 0.9), "mse")
    return Training(model, x, y, epochs=8)


# Batch normalization.


def with_norms(momentum: float = 0.9, valid: Any = None, ordered: bool = False) -> Training:
    """A convolutional model with two norms and validation. ``valid``: what is done to the validation pictures."""
    x, y = data.images()
    at = np.random.default_rng(0).permutation(len(x))
    x, y = x[at], y[at]
    kept, left = slice(0, 1400), slice(1400, None)
    steps: list[Any] = []
    for i in range(2):
        steps += [layers.Conv2D(8, 3, use_bias=False, name=f"conv_{i}"), layers.BatchNormalization(momentum=momentum, name=f"norm_{i}")]
        steps.append(layers.ReLU(name=f"relu_{i}"))
    options: dict[str, Any] = {"validation_data": ((valid or (lambda a: a))(x[left]), y[left])}
    training = of_digits(*steps, layers.Flatten(name="flat"), pictures=True, epochs=6, options=options)
    order = np.argsort(y[kept], kind="stable") if ordered else np.arange(1400)
    options["shuffle"] = not ordered
    return replace(training, x=x[kept][order], y=y[kept][order])


@twins("batchnorm_drift", "norm_0 norm_1", every=5)
def averages_that_hardly_move(ill: bool) -> Training:
    return with_norms(momentum=0.9999 if ill else 0.9)


@twins("batchnorm_drift other_validation_data", "norm_0 norm_1 inputs", every=5)
def validation_pictures_that_nobody_scaled(ill: bool) -> Training:
    return with_norms(valid=(lambda a: a * 16) if ill else None)


@twins("batchnorm_drift oscillating_loss", "norm_0 norm_1 loss", every=5)
def averages_of_the_last_class_only(ill: bool) -> Training:
    return with_norms(momentum=0.5, ordered=ill)


@twins("batchnorm_drift other_validation_data", "norm side", every=5)
def validation_of_another_country_in_one_branch(ill: bool) -> Training:
    """A recommender's side table has an own norm; in validation it comes in other units."""
    x, y = data.standardized("breast_cancer")
    parts = [keras.Input((20,), name="main"), keras.Input((10,), name="side")]
    side = layers.Dense(16, "relu", name="side_1")(layers.BatchNormalization(momentum=0.9, name="norm")(parts[1]))
    h = layers.Concatenate(name="both")([layers.Dense(16, "relu", name="main_1")(parts[0]), side])
    model = keras.Model(parts, layers.Dense(1, "sigmoid", name="answer")(h))
    model.compile(Adam(2e-3), "binary_crossentropy")
    columns = [x[:, :20], x[:, 20:]]
    seen, held = [part[:400] for part in columns], [part[400:] for part in columns]
    held[1] = held[1] * (30 if ill else 1) + (100 if ill else 0)
    labels = y.astype("float32")[:, None]
    return Training(model, seen, labels[:400], epochs=8, options={"validation_data": (held, labels[400:])})


# None gradients.


@twins("missing_gradient", "encode_1 encode_2", every=5)
def codes_that_are_rounded(ill: bool) -> Training:
    x, _ = data.digits()
    pass_on = (lambda a: a + ops.stop_gradient(ops.round(a) - a)) if not ill else (lambda a: ops.cast(ops.cast(a * 4, "int32"), "float32") / 4)
    steps: list[Any] = [layers.Dense(32, "relu", name="encode_1"), layers.Dense(8, name="encode_2"), Function(pass_on, "quantize")]
    model = keras.Sequential(
        [keras.Input((64,), name="inputs"), *steps, layers.Dense(32, "relu", name="decode_1"), layers.Dense(64, name="decode_2")]
    )
    model.compile(Adam(2e-3), "mse")
    return Training(model, x, x)


class Heads(keras.Model):
    """Predicts from features; a second layer is built and, by mistake, never called."""

    def __init__(self, ill: bool) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(32, "relu", name="first"), layers.Dense(32, "relu", name="second")
        self.scores, self.ill = layers.Dense(10, "softmax", name="scores"), ill

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.second.build((None, 32))
        self.scores.build((None, 32))

    def call(self, x: Any) -> Any:
        h = self.first(x)
        h2 = self.second(h)
        return self.scores(h if self.ill else h2)


@twins("missing_gradient", "second", every=5)
def layer_whose_result_is_thrown_away(ill: bool) -> Training:
    x, y = data.digits()
    model = Heads(ill)
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y)


@twins("missing_gradient", "side table", every=5)
def branch_behind_a_choice_by_argmax(ill: bool) -> Training:
    """A table of two inputs; one branch goes through its largest index."""
    x, y = data.standardized("wine")
    left, right = keras.Input((7,), name="left"), keras.Input((6,), name="right")
    side = layers.Dense(8, name="side")(right)
    choice = Function(lambda a: ops.one_hot(ops.argmax(a, -1), 8), "choose")(side) if ill else layers.Softmax(name="choose")(side)
    h = layers.Concatenate(name="both")([layers.Dense(12, "relu", name="main")(left), choice])
    model = keras.Model([left, right], layers.Dense(3, "softmax", name="scores")(h))
    model.compile(Adam(5e-3), CLASSES)
    return Training(model, [x[:, :7], x[:, 7:]], y, epochs=20)
