"""Faulty programs of the seventh set: weights and updates, initialization, collapse, inputs, 16 bits, gradients that miss, losses, batch norm."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import characters, digits, images, raw, series, standardized
from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.seventh_models import (
    Positions,
    Times,
    binary,
    classifier,
    convolutions,
    encoder,
    hidden,
    mixture,
    prices,
    regression,
    rows,
    tokens,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant


def transformer(blocks: int = 1, optimizer: Any = "adam", **feed_forward: Any) -> keras.Model:
    """An encoder that tells which words prevail."""
    ids = keras.Input((24,), dtype="int32", name="ids")
    value = Positions(name="positions")(layers.Embedding(100, 32, name="words")(ids))
    for k in range(blocks):
        value = encoder(value, k, **feed_forward)
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid", name="output")(layers.GlobalAveragePooling1D()(value)))
    model.compile(optimizer, "binary_crossentropy")
    return model


# Weights that don't change.


@faulty("unchanged_weights", "dense_0 dense_1 output", every=5, held_out=True)
def rate_of_zero() -> Training:
    x, y = standardized("wine")
    return Training(classifier((13,), *hidden(2, 32), classes=3, optimizer=SGD(0.0)), x, y, epochs=10)


@faulty("unchanged_weights", "conv_0 conv_1", every=5, held_out=True)
def own_step_trains_the_head_only() -> Training:
    x, y = images()
    model = classifier((8, 8, 1), *convolutions(8, 16), layers.Flatten())
    optimizer, loss = Adam(1e-3), keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(pictures: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(pictures, training=True))
        head = model.layers[-1].trainable_variables
        gradients = tape.gradient(value, model.trainable_variables)[-len(head) :]
        optimizer.apply_gradients(zip(gradients, head, strict=True))
        return value

    return Training(model, x, y, epochs=3, loop=step)


@faulty("unchanged_weights update_too_small", "lstm output", every=5, held_out=True)
def schedule_that_returns_nothing_but_zero() -> Training:
    class Warmup(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 1e-3 * ops.cast(step // 100_000, "float32")

        def get_config(self) -> dict[str, Any]:
            return {}

    x, y = series()
    return Training(regression((30, 1), layers.LSTM(24, name="lstm"), optimizer=Adam(Warmup())), x, y, epochs=3)


@faulty("unchanged_weights update_too_small", "words attention_0 up_0 down_0 output", every=5, held_out=True)
def encoder_with_a_rate_of_ten_to_the_minus_twelve() -> Training:
    x, y = tokens()
    return Training(transformer(optimizer=SGD(1e-12)), x, y, epochs=3)


# Updates out of range.


@faulty("update_too_large exploding_loss oscillating_loss saturated_activation", "gru output", every=5, held_out=True)
def gru_with_adam_at_one_half() -> Training:
    x, y = rows()
    return Training(classifier((8, 8), layers.GRU(32, name="gru"), optimizer=Adam(0.5)), x, y, epochs=4)


@faulty(
    "update_too_large exploding_loss oscillating_loss exploding_gradient dead_units nonfinite exploding_activation collapse",
    "dense_0 output loss",
    every=1,
    held_out=True,
)
def gradient_descent_at_one_hundred() -> Training:
    x, y = standardized("iris")
    return Training(classifier((4,), *hidden(1, 32), classes=3, optimizer=SGD(100.0)), x, y, epochs=8)


@faulty(
    "update_too_large exploding_loss dead_units collapse exploding_activation oscillating_loss", "conv_0 conv_1 output loss", every=5, held_out=True
)
def convolutions_with_rmsprop_at_one() -> Training:
    x, y = images()
    model = classifier((8, 8, 1), *convolutions(8, 16), layers.Flatten(), optimizer=keras.optimizers.RMSprop(1.0))
    return Training(model, x, y, epochs=3)


@faulty("update_too_small", "dense_0 dense_1 output", every=5, held_out=True)
def adam_at_ten_to_the_minus_eight() -> Training:
    x, y = digits()
    return Training(classifier((64,), *hidden(2), optimizer=Adam(1e-8)), x, y, epochs=4)


@faulty("update_too_small", "conv_0 conv_1 output", every=5, held_out=True)
def convolutions_at_ten_to_the_minus_seven() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(16, 32), layers.Flatten(), optimizer=SGD(1e-7)), x, y, epochs=3)


@faulty("update_too_small", "lstm output", every=5, held_out=True)
def rate_meant_per_epoch_decays_per_step() -> Training:
    x, y = rows()
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 0.5)
    return Training(classifier((8, 8), layers.LSTM(32, name="lstm"), optimizer=Adam(rate)), x, y, epochs=4)


# Initial weights.


@faulty("poor_initialization unchanged_weights vanishing_gradient collapse", "dense_0 dense_1", every=5, held_out=True)
def hidden_layers_begin_at_zero() -> Training:
    x, y = mixture()
    return Training(binary((12,), *hidden(2, 32, kernel_initializer="zeros")), x, y, epochs=5)


@faulty("poor_initialization", "conv_0 conv_1", every=5, held_out=True)
def filters_of_one_half_everywhere() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(16, 16, kernel_initializer=Constant(0.5)), layers.Flatten()), x, y, epochs=3)


@faulty("poor_initialization saturated_activation exploding_activation", "dense_0 dense_1 dense_2", every=5, held_out=True)
def uniform_weights_between_minus_and_plus_five() -> Training:
    x, y = standardized("breast_cancer")
    wide = keras.initializers.RandomUniform(-5, 5)
    return Training(binary((30,), *hidden(3, 32, kernel_initializer=wide)), x, y.astype("float32")[:, None], epochs=5)


@faulty("poor_initialization saturated_activation", "lstm", every=5, held_out=True)
def lstm_that_begins_with_a_deviation_of_five() -> Training:
    x, y = series()
    lstm = layers.LSTM(24, kernel_initializer=Normal(0, 5.0), recurrent_initializer=Normal(0, 5.0), name="lstm")
    return Training(regression((30, 1), lstm), x, y, epochs=3)


@faulty("poor_initialization vanishing_gradient", "dense_0 dense_1 dense_2", every=5, held_out=True)
def weights_of_ten_to_the_minus_five() -> Training:
    x, y = standardized("wine")
    return Training(classifier((13,), *hidden(3, 32, kernel_initializer=Normal(0, 1e-5)), classes=3), x, y, epochs=8)


@faulty("poor_initialization", "up_0 up_1", every=5, held_out=True)
def feed_forward_of_an_encoder_begins_with_ones() -> Training:
    x, y = tokens()
    return Training(transformer(2, kernel_initializer="ones"), x, y, epochs=2)


# All the same.


@faulty("collapse", "output", every=5, held_out=True)
def softmax_of_a_single_unit() -> Training:
    x, y = standardized("breast_cancer")
    model = keras.Sequential([keras.Input((30,), name="features"), *hidden(2, 32), layers.Dense(1, activation="softmax", name="output")])
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y.astype("float32")[:, None], epochs=5)


@faulty("collapse", "average", every=5, held_out=True)
def average_over_the_batch_instead_of_the_pixels() -> Training:
    class Average(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.broadcast_to(ops.mean(x, (0, 1, 2), keepdims=True), ops.shape(x))

    x, y = images()
    model = classifier((8, 8, 1), *convolutions(16), Average(name="average"), layers.Flatten())
    return Training(model, x, y, epochs=3)


@faulty("collapse", "gate", every=5, held_out=True)
def sequence_times_a_mask_of_zeros() -> Training:
    x, y = rows()
    stack = [layers.GRU(24, return_sequences=True, name="gru"), Times(0.0, name="gate"), layers.GlobalAveragePooling1D(), *hidden(1, 32)]
    return Training(classifier((8, 8), *stack), x, y, epochs=3)


@faulty("collapse penalty_too_strong dead_units vanishing_gradient", "dense_0 dense_1 output", every=5, held_out=True)
def penalty_that_leaves_no_weight() -> Training:
    x, y = digits()
    return Training(classifier((64,), *hidden(2, 32, kernel_regularizer=keras.regularizers.L2(5.0)), optimizer=Adam(3e-3)), x, y, epochs=10)


# Inputs.


@faulty("unnormalized_input", "features", every=5, held_out=True)
def pixels_up_to_255() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(16, 32), layers.Flatten()), 255 * x, y, epochs=3)


@faulty("unnormalized_input", "features", every=5, held_out=True)
def raw_measurements_of_tumours() -> Training:
    x, y = raw("breast_cancer")
    return Training(binary((30,), *hidden(2, 32)), x, y.astype("float32")[:, None], epochs=5)


@faulty("unnormalized_input", "features", every=5, held_out=True)
def prices_of_thirty_thousand() -> Training:
    x, y = prices()
    return Training(regression((30, 1), layers.LSTM(24, name="lstm")), x, (y - 30_000) / 500, epochs=3)


@faulty("unnormalized_input", "features", every=5, held_out=True)
def readings_in_the_wrong_unit() -> Training:
    x, y = standardized("diabetes")
    return Training(regression((10,), *hidden(2, 32)), 1e-6 * x, y[:, None], epochs=8)


@faulty("constant_input", "features", every=5, held_out=True)
def pictures_that_were_never_filled() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(8), layers.Flatten()), np.zeros_like(x), y, epochs=3)


@faulty("constant_input", "features", every=5, held_out=True)
def the_first_row_again_and_again() -> Training:
    x, y = standardized("wine")
    return Training(classifier((13,), *hidden(2, 32), classes=3), np.repeat(x[:1], len(x), 0), y, epochs=8)


# Sixteen bits.


@faulty("float16_overflow nonfinite", "scale", every=1, held_out=True)
def mixed_precision_with_a_large_factor() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(16), Times(60_000.0, name="scale"), layers.Flatten(), *hidden(1, 32)), x, y, epochs=2)


@faulty("float16_overflow nonfinite", "energy", every=1, held_out=True)
def sum_of_squares_in_half_precision() -> Training:
    class Energy(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sum((64 * x) ** 2, 1)

    keras.config.set_dtype_policy("mixed_float16")
    x, y = series(length=60)
    stack = [layers.Dense(16, name="project"), Energy(name="energy"), layers.Dense(1, dtype="float32", name="output")]
    model = keras.Sequential([keras.Input((60, 1), name="features"), *stack])
    model.compile("adam", "mse")
    return Training(model, x, y, epochs=2)


@faulty("float16_underflow", "dense_0 dense_1 output", every=5, held_out=True)
def tiny_loss_weight_without_a_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = digits()
    model = classifier((64,), *hidden(2), optimizer=keras.optimizers.SGD(0.1), loss_weights=1e-6, auto_scale_loss=False)
    return Training(model, x, y, epochs=3)


@faulty("loss_scale_thrash", "loss", every=1, held_out=True)
def gradients_that_overflow_at_every_scale() -> Training:
    class Steep(layers.Layer):
        def call(self, x: Any) -> Any:
            @tf.custom_gradient
            def steep(value: Any) -> Any:
                return value, lambda upstream: upstream * tf.constant(np.inf, upstream.dtype)

            return steep(x)

    keras.config.set_dtype_policy("mixed_float16")
    x, y = digits()
    return Training(classifier((64,), *hidden(1), Steep(name="steep")), x, y, epochs=2)


@faulty("float16_overflow nonfinite", "dense_1", every=1, held_out=True)
def all_in_half_precision_with_large_weights() -> Training:
    keras.config.set_dtype_policy("float16")
    x, y = standardized("wine")
    stack = [*hidden(1, 64), layers.Dense(32, activation="relu", kernel_initializer=Constant(3000.0), name="dense_1")]
    return Training(classifier((13,), *stack, classes=3, optimizer=SGD(0.01)), x.astype("float16"), y, epochs=3)


# Gradients that miss.


@faulty("missing_gradient", "dense_0", every=5, held_out=True)
def stopped_between_two_layers() -> Training:
    x, y = standardized("wine")
    inputs = keras.Input((13,), name="features")
    value = ops.stop_gradient(layers.Dense(32, activation="relu", name="dense_0")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="output")(value))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=8)


@faulty("missing_gradient", "conv_0 conv_1", every=5, held_out=True)
def filters_rounded_to_whole_numbers() -> Training:
    class Quantize(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.round(x * 8) / 8

    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(8, 16), Quantize(), layers.Flatten()), x, y, epochs=3)


@faulty("missing_gradient", "words lstm scores", every=5, held_out=True)
def loss_of_the_most_likely_word() -> Training:
    x, y, count = characters()
    ids = keras.Input((32,), dtype="int32", name="ids")
    states = layers.LSTM(24, return_sequences=True, name="lstm")(layers.Embedding(count, 16, name="words")(ids))
    chosen = ops.cast(ops.argmax(layers.Dense(count, name="scores")(states), -1), "float32")[..., None]
    model = keras.Model(ids, layers.Dense(1, name="output")(chosen))
    model.compile("adam", "mse")
    return Training(model, x, y[..., None].astype("float32") / count, epochs=2)


@faulty("missing_gradient", "gated", every=5, held_out=True)
def gate_behind_a_stop() -> Training:
    class Gated(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 32), name="kernel")
            self.gate = self.add_weight(shape=(shape[-1], 32), name="gate")

        def call(self, x: Any) -> Any:
            return ops.relu(ops.matmul(x, self.kernel)) * ops.stop_gradient(ops.sigmoid(ops.matmul(x, self.gate)))

    x, y = digits()
    return Training(classifier((64,), Gated(name="gated")), x, y, epochs=3)


@faulty("missing_gradient", "offset", every=5, held_out=True)
def weight_that_is_made_and_never_used() -> Training:
    class Offset(layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=shape[-1:], initializer="ones", name="scale")
            self.offset = self.add_weight(shape=shape[-1:], initializer="zeros", name="offset")

        def call(self, x: Any) -> Any:
            return x * self.scale

    x, y = standardized("wine")
    return Training(classifier((13,), Offset(name="offset"), *hidden(1, 32), classes=3), x, y, epochs=8)


@faulty("missing_gradient", "rows", every=5, held_out=True)
def recurrent_branch_that_is_compared_with_a_threshold() -> Training:
    x, y = rows()
    inputs = keras.Input((8, 8), name="features")
    on = ops.cast(layers.GRU(16, name="rows")(inputs) > 0, "float32")
    flat = layers.Dense(32, activation="relu", name="flat")(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Concatenate()([on, flat])))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=3)


# Losses.


@faulty("oscillating_loss exploding_loss update_too_large dead_units", "loss dense_0 output", every=1, held_out=True)
def momentum_with_too_high_a_rate() -> Training:
    x, y = standardized("diabetes")
    return Training(regression((10,), *hidden(1, 32, "tanh"), optimizer=SGD(0.5, momentum=0.9)), x, y[:, None], epochs=8)


@faulty("exploding_loss exploding_activation exploding_gradient nonfinite update_too_large", "loss output", every=1, held_out=True)
def gradient_descent_that_diverges_slowly() -> Training:
    x, y = standardized("diabetes")
    model = keras.Sequential([keras.Input((10,), name="features"), layers.Dense(1, name="output")])
    model.compile(SGD(0.4), "mse")
    return Training(model, x, y[:, None], epochs=15)


@faulty("exploding_loss exploding_activation exploding_gradient", "loss dense_0 output", every=5, held_out=True)
def loss_with_the_wrong_sign() -> Training:
    def negative(y_true: Any, y_pred: Any) -> Any:
        return -ops.mean((y_true - y_pred) ** 2, -1)

    x, y = standardized("diabetes")
    return Training(regression((10,), *hidden(1, 32), loss=negative, optimizer=SGD(0.005)), x, y[:, None], epochs=10)


@faulty("oscillating_loss update_too_large exploding_loss", "loss output rnn", every=1, held_out=True)
def recurrence_that_jumps_about() -> Training:
    x, y = series()
    return Training(regression((30, 1), layers.SimpleRNN(16, name="rnn"), optimizer=Adam(5.0)), x, y, epochs=4)


# Batch normalization.


def normalized(momentum: float = 0.99) -> keras.Model:
    """Convolutions with batch normalization."""
    stack = [*convolutions(16), layers.BatchNormalization(momentum=momentum, name="norm"), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    return classifier((8, 8, 1), *stack)


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def momentum_of_nearly_one() -> Training:
    x, y = images()
    return Training(normalized(0.99999), x[:1500], y[:1500], epochs=6, options={"validation_data": (x[1500:], y[1500:])})


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def validation_in_another_unit() -> Training:
    x, y = images()
    return Training(normalized(0.9), x[:1500], y[:1500], epochs=4, options={"validation_data": (16 * x[1500:], y[1500:])})


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def validation_on_another_population() -> Training:
    x, y = mixture()
    stack = [*hidden(1, 32), layers.BatchNormalization(momentum=0.9, name="norm"), *[layers.Dense(16, activation="relu")]]
    return Training(binary((12,), *stack), x[:800], y[:800], epochs=6, options={"validation_data": (x[800:] + 4.0, y[800:])})
