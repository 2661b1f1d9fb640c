"""A sixth set of faulty programs, written without a look at the rules: values that are no numbers, units that say nothing, gradients over depth."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.sixth_data import (
    BINARY,
    customers,
    dense,
    glyphs,
    joined,
    known_customers,
    loads,
    reviews,
    spectra,
    stacked,
    surface,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant


# NaN and Inf.


@faulty("nonfinite", "loss", every=1, held_out=True)
def relative_error_of_a_target_of_zero() -> Training:
    def relative(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred) / y_true, -1)

    x, y = surface()
    y[::97] = 0
    model = stacked((6,), *dense((32, 16)), layers.Dense(1, name="value"), loss=relative, optimizer=SGD(0.01))
    return Training(model, x, y, epochs=2)


@faulty("nonfinite", "unit_length", every=1, held_out=True)
def code_of_unit_length_where_nothing_is_active() -> Training:
    class UnitLength(layers.Layer):
        def call(self, x: Any) -> Any:
            return x / ops.sqrt(ops.sum(x * x, -1, keepdims=True))

    x = spectra()
    stack = [
        layers.Dense(6, activation="relu", name="encoder"),
        UnitLength(name="unit_length"),
        layers.Dense(64, activation="sigmoid", name="decoder"),
    ]
    return Training(stacked((64,), *stack, loss="mse"), x, x, epochs=2)


@faulty("nonfinite", "root_pool", every=1, held_out=True)
def root_of_the_mean_square_over_black_corners() -> Training:
    class RootPool(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sqrt(layers.AveragePooling2D(4)(x * x))

    x, y = glyphs()
    x = np.where(x < 0.25, 0, x).astype("float32")
    conv = layers.Conv2D(8, 3, padding="same", activation="relu", use_bias=False, name="conv")
    model = stacked((16, 16, 3), conv, RootPool(name="root_pool"), layers.Flatten(), layers.Dense(5, name="scores"))
    return Training(model, x, y, epochs=1)


@faulty("nonfinite unnormalized_input", "rate loss features", every=1, held_out=True)
def exponential_rate_of_raw_columns() -> Training:
    x, y = customers()
    model = stacked((6,), layers.Dense(1, activation="exponential", name="rate"), loss="poisson")
    return Training(model, x, y, epochs=1)


@faulty("nonfinite", "attention", every=1, held_out=True)
def sentence_of_padding_only() -> Training:
    class Attention(layers.Layer):
        def call(self, x: Any, ids: Any) -> Any:
            scores = ops.matmul(x, ops.transpose(x, (0, 2, 1))) / 4.0
            scores = ops.where(ops.equal(ids, 0)[:, None, :], -np.inf, scores)
            return ops.matmul(ops.softmax(scores), x)

    x, y = reviews()
    x[400:410] = 0
    ids = keras.Input((40,), dtype="int32", name="ids")
    words = layers.Embedding(200, 16, name="words")(ids)
    mixed = Attention(name="attention")(words, ids)
    model = joined(ids, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(mixed)))
    return Training(model, x, y, epochs=2)


@faulty("nonfinite", "angle", every=1, held_out=True)
def angle_between_vectors_that_are_nearly_equal() -> Training:
    class Angle(layers.Layer):
        def call(self, a: Any, b: Any) -> Any:
            return ops.arccos(ops.sum(a * b, -1, keepdims=True))

    x, _ = surface()
    twin = np.where(np.arange(len(x))[:, None] % 2, x, np.roll(x, 7, 0)).astype("float32")
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    tower = keras.Sequential([layers.Dense(16, activation="tanh"), layers.Dense(8), layers.UnitNormalization()], name="tower")
    model = joined([left, right], Angle(name="angle")(tower(left), tower(right)), loss="mse")
    return Training(model, [x, twin], 1.5 * (np.arange(len(x)) % 2 == 0).astype("float32")[:, None], epochs=2)


@faulty("nonfinite", "gamma", every=1, held_out=True)
def gamma_of_a_noisy_picture() -> Training:
    class Gamma(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.power(x, 1 / 2.2)

    x, y = glyphs()
    stack = [layers.GaussianNoise(0.1, name="noise"), Gamma(name="gamma"), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(5)]
    return Training(stacked((16, 16, 3), *stack), x, y, epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def likelihood_as_a_product_over_time() -> Training:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        return -ops.log(ops.prod(ops.sum(y_true * y_pred, -1), -1))

    x, _ = reviews()
    wide = np.concatenate([x, x[::-1], x], 1)
    ids = keras.Input((120,), dtype="int32", name="ids")
    states = layers.GRU(16, return_sequences=True, name="gru")(layers.Embedding(200, 16, name="words")(ids))
    model = joined(ids, layers.Dense(200, activation="softmax", name="next")(states), loss=likelihood)
    return Training(model, wide, np.eye(200, dtype="float32")[np.roll(wide, -1, 1)], epochs=1)


@faulty("nonfinite", "features", every=5, held_out=True)
def ratio_of_columns_with_a_zero_below() -> Training:
    x, y = known_customers()
    raw, _ = customers()
    x[:, 1] = np.where(raw[:, 3] < 3, np.inf, x[:, 1])
    return Training(stacked((6,), *dense((32,)), layers.Dense(1, name="leaves"), loss=BINARY), x, y, epochs=2)


@faulty("nonfinite", "standardize", every=1, held_out=True)
def window_standardized_by_a_deviation_of_zero() -> Training:
    class Standardize(layers.Layer):
        def call(self, x: Any) -> Any:
            return (x - ops.mean(x, 1, keepdims=True)) / ops.std(x, 1, keepdims=True)

    x, y = loads()
    x[200:230, :, 0] = 0.5
    model = stacked((48, 3), Standardize(name="standardize"), layers.GRU(16, name="gru"), layers.Dense(1, name="next"), loss="mse")
    return Training(model, x, y, epochs=2)


@faulty("nonfinite exploding_loss update_too_large", "hidden_0 value loss", every=1, held_out=True)
def raw_regression_at_a_rate_of_one() -> Training:
    x, y = surface()
    return Training(stacked((6,), *dense((64,)), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(1.0)), x, 20 * y + 50, epochs=2)


# Units that say nothing.


@faulty("dead_units update_too_large", "conv_0 conv_1 head", every=5, held_out=True)
def filters_that_momentum_threw_out() -> Training:
    x, y = glyphs()
    conv = [layers.Conv2D(16, 3, strides=2, activation="relu", name=f"conv_{k}") for k in range(2)]
    stack = [*conv, layers.Flatten(), layers.Dense(32, activation="relu", name="head"), layers.Dense(5, name="scores")]
    return Training(stacked((16, 16, 3), *stack, optimizer=SGD(1.0, momentum=0.9)), x, y, epochs=4)


@faulty("dead_units", "rectified", every=10, held_out=True)
def norm_with_an_offset_of_minus_three() -> Training:
    x, y = reviews()
    norm = layers.LayerNormalization(beta_initializer=Constant(-3.5), name="norm")
    stack = [
        layers.Embedding(200, 32, name="words"),
        layers.Conv1D(32, 5, name="conv"),
        norm,
        layers.ReLU(name="rectified"),
        layers.GlobalMaxPooling1D(),
    ]
    model = stacked((40,), *stack, layers.Dense(2, name="scores"), optimizer=Adam(1e-4), dtype="int32")
    return Training(model, x, y, epochs=4)


@faulty("dead_units", "rectified", every=5, held_out=True)
def threshold_above_everything() -> Training:
    x, y = known_customers()
    stack = [layers.Dense(32, name="hidden"), layers.ReLU(threshold=8.0, name="rectified"), layers.Dense(1, name="leaves")]
    return Training(stacked((6,), *stack, loss=BINARY), x, y, epochs=3)


@faulty("dead_units update_too_large", "hidden_0 hidden_1 hidden_2", every=5, held_out=True)
def adagrad_at_ten() -> Training:
    x, y = known_customers()
    stack = [*dense((32, 32, 32)), layers.Dense(1, name="leaves")]
    return Training(stacked((6,), *stack, loss=BINARY, optimizer=keras.optimizers.Adagrad(10.0)), x, y, epochs=3)


@faulty("saturated_activation unnormalized_input", "hidden_0 features", every=5, held_out=True)
def sigmoids_on_income_and_age() -> Training:
    x, y = customers()
    stack = [*dense((32, 16), "sigmoid"), layers.Dense(1, activation="sigmoid", name="leaves")]
    return Training(stacked((6,), *stack, loss="binary_crossentropy", optimizer="rmsprop"), x, y, epochs=3)


@faulty("unnormalized_input saturated_activation", "features classes", every=5, held_out=True)
def softmax_regression_on_bytes() -> Training:
    x, y = glyphs()
    model = stacked((16, 16, 3), layers.Flatten(), layers.Dense(5, activation="softmax", name="classes"), loss="sparse_categorical_crossentropy")
    return Training(model, np.round(255 * x), y, epochs=3)


@faulty("unnormalized_input saturated_activation", "features lstm", every=5, held_out=True)
def lstm_on_a_price_of_four_thousand() -> Training:
    x, y = loads()
    price, target = 4000 + 300 * x[..., :1], 4000 + 300 * y
    stack = [layers.LSTM(24, name="lstm"), layers.Dense(1, name="next")]
    return Training(stacked((48, 1), *stack, loss="mae"), price.astype("float32"), target, epochs=3)


@faulty("saturated_activation", "attention weights", every=5, held_out=True)
def attention_multiplied_instead_of_divided() -> Training:
    x, y = reviews()
    ids = keras.Input((40,), dtype="int32", name="ids")
    words = layers.Embedding(200, 64, embeddings_initializer=Normal(stddev=1.0), name="words")(ids)
    query, key = layers.Dense(64, name="query")(words), layers.Dense(64, name="key")(words)
    scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) * 8.0
    weights = layers.Softmax(name="weights")(scores)
    model = joined(ids, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(ops.matmul(weights, words))))
    return Training(model, x, y, epochs=3)


@faulty("saturated_activation poor_initialization", "gate", every=5, held_out=True)
def gate_that_chooses_one_expert_from_the_start() -> Training:
    x, y = surface()
    inputs = keras.Input((6,), name="features")
    gate = layers.Dense(4, activation="softmax", kernel_initializer=Normal(stddev=30.0), name="gate")(inputs)
    experts = [layers.Dense(1)(layers.Dense(8, activation="relu", name=f"expert_{k}")(inputs)) for k in range(4)]
    value = ops.sum(layers.Concatenate()(experts) * gate, -1, keepdims=True)
    return Training(joined(inputs, value, loss="mse"), x, y, epochs=4)


# Gradients over depth and over time.


@faulty("vanishing_gradient", "hidden_0 hidden_1", every=5, held_out=True)
def twelve_sigmoid_layers_on_a_table() -> Training:
    x, y = known_customers()
    stack = [*dense((32,) * 12, "sigmoid"), layers.Dense(1, name="leaves")]
    return Training(stacked((6,), *stack, loss=BINARY, optimizer=SGD(0.1, momentum=0.9)), x, y, epochs=4)


@faulty("vanishing_gradient", "recurrence words", every=5, held_out=True)
def first_reading_of_a_hundred_and_fifty_decides() -> Training:
    random = np.random.default_rng(67)
    x = random.normal(size=(500, 150, 2)).astype("float32")
    y = (x[:, 0, :1] > 0).astype("float32")
    recurrence = layers.SimpleRNN(24, recurrent_initializer=keras.initializers.Orthogonal(gain=0.6), name="recurrence")
    return Training(stacked((150, 2), recurrence, layers.Dense(1, name="sign"), loss=BINARY), x, y, epochs=4)


@faulty("vanishing_gradient poor_initialization", " ".join(f"conv_{k}" for k in range(9)), every=5, held_out=True)
def nine_convolutions_with_a_deviation_of_a_hundredth() -> Training:
    x, y = glyphs()
    options: dict[str, Any] = {"padding": "same", "activation": "relu", "kernel_initializer": Normal(stddev=0.01)}
    conv = [layers.Conv2D(16, 3, strides=2 if k in (2, 5) else 1, name=f"conv_{k}", **options) for k in range(9)]
    model = stacked((16, 16, 3), *conv, layers.Flatten(), layers.Dense(5, name="scores"), optimizer=SGD(0.01, momentum=0.9))
    return Training(model, x, y, epochs=2)


@faulty("exploding_activation exploding_gradient poor_initialization", " ".join(f"conv_{k}" for k in range(10)), every=5, held_out=True)
def ten_convolutions_with_ten_times_the_variance() -> Training:
    x, y = glyphs()
    init = keras.initializers.VarianceScaling(20.0, "fan_in", "truncated_normal")
    options: dict[str, Any] = {"padding": "same", "activation": "relu", "kernel_initializer": init}
    conv = [layers.Conv2D(12, 3, strides=2 if k in (2, 5) else 1, name=f"conv_{k}", **options) for k in range(10)]
    return Training(stacked((16, 16, 3), *conv, layers.Flatten(), layers.Dense(5, name="scores")), x, y, epochs=2)


@faulty("exploding_gradient exploding_activation poor_initialization nonfinite", "recurrence", every=5, held_out=True)
def relu_recurrence_with_a_gain_of_one_and_a_half() -> Training:
    x, y = loads()
    init = keras.initializers.Orthogonal(gain=1.5)
    recurrence = layers.SimpleRNN(32, activation="relu", recurrent_initializer=init, name="recurrence")
    return Training(stacked((48, 3), recurrence, layers.Dense(1, name="next"), loss="mse", optimizer=Adam(1e-4)), x, y, epochs=3)


@faulty(
    "exploding_activation exploding_gradient", " ".join(["add multiply", *(f"add_{k} multiply_{k}" for k in range(1, 12))]), every=5, held_out=True
)
def twelve_branches_that_are_scaled_up() -> Training:
    x, y = surface()
    inputs = keras.Input((6,), name="features")
    value = layers.Dense(32, name="first")(inputs)
    for k in range(12):
        branch = layers.Dense(32, activation="relu", name=f"branch_{k}")(value)
        value = layers.Add()([value, ops.multiply(branch, 3.0)])
    return Training(joined(inputs, layers.Dense(1, name="value")(value), loss="mse"), x, y, epochs=3)


@faulty("vanishing_gradient poor_initialization", "encoder_0 encoder_1 encoder_2", every=5, held_out=True)
def deep_autoencoder_of_tiny_weights() -> Training:
    x = spectra()
    sizes = {"encoder_0": 48, "encoder_1": 32, "encoder_2": 16, "code": 8, "decoder_0": 16, "decoder_1": 32}
    stack = [layers.Dense(size, activation="tanh", kernel_initializer=Normal(stddev=0.005), name=name) for name, size in sizes.items()]
    return Training(stacked((64,), *stack, layers.Dense(64, name="curve"), loss="mse", optimizer=SGD(0.5)), x, x, epochs=4)


@faulty(
    "exploding_activation saturated_activation poor_initialization unnormalized_input",
    "scale words attention block_attention",
    every=5,
    held_out=True,
)
def embeddings_multiplied_by_their_width() -> Training:
    x, y = reviews()
    ids = keras.Input((40,), dtype="int32", name="ids")
    words = layers.Embedding(200, 32, embeddings_initializer=Normal(stddev=1.0), name="words")(ids)
    words = layers.Rescaling(32.0, name="scale")(words)
    mixed = layers.MultiHeadAttention(2, 16, name="attention")(words, words)
    model = joined(ids, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(mixed)))
    return Training(model, x, y, epochs=3)
