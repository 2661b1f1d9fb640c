"""A seventh set of faulty programs, from the list of faults: no numbers, dead and saturated units, gradients and activations over depth."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import digits, images, raw, series, standardized
from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.seventh_models import (
    Positions,
    Times,
    binary,
    classifier,
    convolutions,
    encoder,
    first_sign,
    hidden,
    mixture,
    regression,
    rows,
    tokens,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant, Uniform = keras.initializers.RandomNormal, keras.initializers.Constant, keras.initializers.RandomUniform


# NaN and Inf.


@faulty("nonfinite", "logarithm", every=1, held_out=True)
def logarithm_of_standardized_wine() -> Training:
    class Logarithm(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.log(x)

    x, y = standardized("wine")
    return Training(classifier((13,), Logarithm(name="logarithm"), *hidden(2, 32), classes=3), x, y, epochs=5)


@faulty("nonfinite", "distance", every=1, held_out=True)
def euclidean_distance_of_twins() -> Training:
    class Distance(layers.Layer):
        def call(self, a: Any, b: Any) -> Any:
            return ops.sqrt(ops.sum((a - b) ** 2, -1, keepdims=True))

    x, y = digits()
    other = np.roll(x, 1, 0)
    other[::50] = x[::50]
    same = np.where(np.arange(len(x)) % 50 == 0, 1, y == np.roll(y, 1)).astype("float32")[:, None]
    left, right = keras.Input((64,), name="left"), keras.Input((64,), name="right")
    tower = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(16)], name="tower")
    outputs = layers.Dense(1, activation="sigmoid", name="output")(Distance(name="distance")(tower(left), tower(right)))
    model = keras.Model([left, right], outputs)
    model.compile("adam", "binary_crossentropy")
    return Training(model, [x, other], same, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def cross_entropy_by_hand() -> Training:
    def cross_entropy(y_true: Any, y_pred: Any) -> Any:
        return -ops.sum(y_true * ops.log(y_pred), -1)

    x, y = images()
    stack = [
        *convolutions(16, 32),
        layers.Flatten(),
        layers.Dense(10, name="scores"),
        Times(5000.0, name="temperature"),
        layers.Softmax(name="classes"),
    ]
    model = keras.Sequential([keras.Input((8, 8, 1), name="features"), *stack])
    model.compile("adam", cross_entropy)
    return Training(model, x, np.eye(10, dtype="float32")[y], epochs=2)


@faulty("nonfinite", "standardize", every=1, held_out=True)
def columns_standardized_in_the_batch_without_an_epsilon() -> Training:
    class Standardize(layers.Layer):
        def call(self, x: Any) -> Any:
            return (x - ops.mean(x, 0)) / ops.std(x, 0)

    x, y = digits()
    return Training(classifier((64,), Standardize(name="standardize"), *hidden(2)), x, y, epochs=2)


@faulty("nonfinite", "features", every=1, held_out=True)
def missing_values_in_the_table() -> Training:
    x, y = standardized("diabetes")
    x = x.copy()
    x[np.random.default_rng(1).random(x.shape) < 0.002] = np.nan
    return Training(regression((10,), *hidden(2, 32)), x, y, epochs=3)


@faulty("nonfinite", "loss", every=1, held_out=True)
def missing_values_in_the_targets() -> Training:
    x, y = series()
    y = y.copy()
    y[300] = np.nan
    return Training(regression((30, 1), layers.LSTM(24, name="lstm")), x, y, epochs=2)


@faulty("nonfinite", "attention", every=1, held_out=True)
def mask_times_minus_infinity() -> Training:
    class Attention(layers.Layer):
        def build(self, shape: Any) -> None:
            self.query, self.key = layers.Dense(16), layers.Dense(16)
            self.query.build(shape)
            self.key.build(shape)

        def call(self, x: Any) -> Any:
            scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1))) / 4.0
            hidden_pairs = ops.triu(ops.ones((24, 24)), 1)
            return ops.matmul(ops.softmax(scores + hidden_pairs * float("-inf")), x)

    x, y = tokens()
    words = layers.Embedding(100, 16, name="words")
    stack = [words, Attention(name="attention"), layers.GlobalAveragePooling1D(), *hidden(1, 32)]
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), *stack, layers.Dense(1, activation="sigmoid", name="output")])
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=2)


@faulty("nonfinite", "exponential", every=1, held_out=True)
def exponential_units_of_raw_measurements() -> Training:
    x, y = raw("breast_cancer")
    return Training(binary((30,), layers.Dense(16, activation="exponential", name="exponential")), x, y.astype("float32")[:, None], epochs=2)


@faulty("nonfinite exploding_activation exploding_gradient poor_initialization exploding_loss", "rnn", every=1, held_out=True)
def rectified_recurrence_with_large_weights() -> Training:
    x, y = series(length=60)
    rnn = layers.SimpleRNN(32, activation="relu", recurrent_initializer=Normal(0, 1.0), name="rnn")
    return Training(regression((60, 1), rnn), x, y, epochs=2)


@faulty("nonfinite exploding_loss exploding_gradient update_too_large exploding_activation", "dense_0 dense_1 output loss", every=1, held_out=True)
def gradient_descent_on_raw_targets() -> Training:
    x, _ = standardized("diabetes")
    y = raw("diabetes")[1].astype("float32")[:, None]
    return Training(regression((10,), *hidden(2), optimizer=SGD(0.1)), x, y, epochs=3)


# Dead units.


@faulty("dead_units", "dense_1", every=5, held_out=True)
def second_layer_with_a_bias_of_minus_five() -> Training:
    x, y = digits()
    stack = [*hidden(1), layers.Dense(64, activation="relu", bias_initializer=Constant(-5.0), name="dense_1")]
    return Training(classifier((64,), *stack), x, y, epochs=4)


@faulty("dead_units", "conv_1", every=5, held_out=True)
def filters_with_a_bias_of_minus_three() -> Training:
    x, y = images()
    dead = layers.Conv2D(32, 3, activation="relu", bias_initializer=Constant(-3.0), name="conv_1")
    return Training(classifier((8, 8, 1), *convolutions(16), dead, layers.Flatten()), x, y, epochs=3)


@faulty("dead_units update_too_large collapse exploding_loss", "dense_0 dense_1 dense_2", every=1, held_out=True)
def relus_killed_by_a_rate_of_one() -> Training:
    x, y = mixture()
    return Training(binary((12,), *hidden(3, 32), optimizer=Adam(1.0)), x, y, epochs=5)


@faulty("dead_units", "up_0", every=5, held_out=True)
def feed_forward_of_an_encoder_is_dead() -> Training:
    x, y = tokens()
    ids = keras.Input((24,), dtype="int32", name="ids")
    value = Positions(name="positions")(layers.Embedding(100, 32, name="words")(ids))
    value = encoder(value, 0, bias_initializer=Constant(-10.0))
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid", name="output")(layers.GlobalAveragePooling1D()(value)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=3)


@faulty("dead_units", "dense_0", every=5, held_out=True)
def sixty_percent_of_the_units_are_dead() -> Training:
    class Split(keras.initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return ops.convert_to_tensor(np.where(np.arange(shape[0]) < 0.6 * shape[0], -4.0, 0.1), dtype)

    x, y = standardized("wine")
    first = layers.Dense(50, activation="relu", bias_initializer=Split(), kernel_initializer=Normal(0, 0.2), name="dense_0")
    return Training(classifier((13,), first, classes=3), x, y, epochs=8)


@faulty("dead_units poor_initialization", "dense_0", every=5, held_out=True)
def negative_weights_on_positive_pixels() -> Training:
    x, y = digits()
    return Training(classifier((64,), *hidden(1, 64, kernel_initializer=Uniform(-0.2, 0.0))), x, y, epochs=4)


@faulty("dead_units", "dense_0", every=5, held_out=True)
def dead_layer_behind_a_gru() -> Training:
    x, y = rows()
    stack = [layers.GRU(32, name="gru"), *hidden(1, 32, bias_initializer=Constant(-6.0))]
    return Training(classifier((8, 8), *stack), x, y, epochs=4)


# Saturation.


@faulty("saturated_activation poor_initialization", "dense_0 dense_1", every=5, held_out=True)
def tanh_with_a_deviation_of_three() -> Training:
    x, y = standardized("breast_cancer")
    return Training(binary((30,), *hidden(2, 32, "tanh", kernel_initializer=Normal(0, 3.0))), x, y.astype("float32")[:, None], epochs=8)


@faulty("saturated_activation unnormalized_input", "dense_0 features", every=5, held_out=True)
def sigmoid_units_on_raw_wine() -> Training:
    x, y = raw("wine")
    return Training(classifier((13,), *hidden(1, 32, "sigmoid"), classes=3, optimizer=SGD(0.01)), x, y, epochs=10)


@faulty("saturated_activation", "attention", every=5, held_out=True)
def attention_scores_times_a_hundred() -> Training:
    class Attention(layers.Layer):
        def build(self, shape: Any) -> None:
            self.query, self.key = layers.Dense(32), layers.Dense(32)
            self.query.build(shape)
            self.key.build(shape)

        def call(self, x: Any) -> Any:
            scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1)))
            return ops.matmul(ops.softmax(scores * 100.0), x)

    x, y = rows()
    stack = [layers.Dense(32, name="project"), layers.LayerNormalization(), Attention(name="attention"), layers.GlobalAveragePooling1D()]
    return Training(classifier((8, 8), *stack), x, y, epochs=4)


@faulty("saturated_activation", "conv_1", every=5, held_out=True)
def sigmoid_filters_with_a_bias_of_twelve() -> Training:
    x, y = images()
    second = layers.Conv2D(16, 3, activation="sigmoid", bias_initializer=Constant(12.0), name="conv_1")
    return Training(classifier((8, 8, 1), *convolutions(16), second, layers.Flatten()), x, y, epochs=4)


@faulty("saturated_activation poor_initialization", "rnn", every=5, held_out=True)
def recurrence_saturated_by_its_input_weights() -> Training:
    x, y = rows()
    rnn = layers.SimpleRNN(32, kernel_initializer=Normal(0, 8.0), name="rnn")
    return Training(classifier((8, 8), rnn), x, y, epochs=4)


@faulty("saturated_activation", "output", every=5, held_out=True)
def sigmoid_output_for_targets_in_the_hundreds() -> Training:
    x, _ = standardized("diabetes")
    y = raw("diabetes")[1].astype("float32")[:, None]
    model = keras.Sequential([keras.Input((10,), name="features"), *hidden(2, 32), layers.Dense(1, activation="sigmoid", name="output")])
    model.compile("adam", "mse")
    return Training(model, x, y, epochs=10)


# Gradients that vanish.


@faulty("vanishing_gradient", "dense_0 dense_1 dense_2", every=5, held_out=True)
def ten_sigmoid_layers() -> Training:
    x, y = digits()
    return Training(classifier((64,), *hidden(10, 32, "sigmoid"), optimizer=SGD(0.1)), x, y, epochs=4)


@faulty("vanishing_gradient poor_initialization collapse", "dense_0 dense_1 dense_2 dense_3", every=5, held_out=True)
def fifteen_tanh_layers_with_small_weights() -> Training:
    x, y = standardized("breast_cancer")
    model = binary((30,), *hidden(15, 32, "tanh", kernel_initializer=Normal(0, 0.05)))
    return Training(model, x, y.astype("float32")[:, None], epochs=6)


@faulty("vanishing_gradient", "conv_0 conv_1 conv_2", every=5, held_out=True)
def eight_sigmoid_convolutions() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), *convolutions(*[12] * 8, activation="sigmoid"), layers.Flatten(), optimizer=SGD(0.05)), x, y, epochs=2)


@faulty("vanishing_gradient", "rnn", every=5, held_out=True)
def sign_of_the_first_of_a_hundred_steps() -> Training:
    x, y = first_sign(100)
    return Training(binary((100, 1), layers.SimpleRNN(24, activation="sigmoid", name="rnn")), x, y, epochs=3)


@faulty("vanishing_gradient poor_initialization collapse", "rnn_0 rnn_1 rnn_2", every=5, held_out=True)
def six_recurrent_layers_of_sigmoids() -> Training:
    x, y = rows()
    stack = [layers.SimpleRNN(24, activation="sigmoid", return_sequences=k < 5, name=f"rnn_{k}") for k in range(6)]
    return Training(classifier((8, 8), *stack, optimizer=SGD(0.1)), x, y, epochs=3)


@faulty("vanishing_gradient", "up_0 down_0 words attention_0 norm_0a norm_0b", every=5, held_out=True)
def encoder_blocks_scaled_down_without_a_residual() -> Training:
    x, y = tokens()
    ids = keras.Input((24,), dtype="int32", name="ids")
    value = layers.Embedding(100, 32, name="words")(ids)
    for k in range(4):
        value = layers.Dense(64, activation="gelu", name=f"up_{k}")(Times(0.1)(value))
        value = layers.Dense(32, name=f"down_{k}")(Times(0.1)(value))
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid", name="output")(layers.GlobalAveragePooling1D()(value)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=3)


# Gradients and activations that explode.


@faulty(
    "exploding_gradient exploding_activation poor_initialization exploding_loss nonfinite",
    " ".join(f"dense_{k}" for k in range(10)),
    every=1,
    held_out=True,
)
def ten_layers_with_a_deviation_of_one() -> Training:
    x, y = digits()
    return Training(classifier((64,), *hidden(10, 64, kernel_initializer=Normal(0, 1.0)), optimizer=SGD(0.01)), x, y, epochs=1)


@faulty("exploding_gradient poor_initialization exploding_activation exploding_loss nonfinite", "rnn", every=1, held_out=True)
def linear_recurrence_that_grows_by_a_third() -> Training:
    x, y = series(length=40)
    rnn = layers.SimpleRNN(16, activation="linear", recurrent_initializer=keras.initializers.Orthogonal(1.35), name="rnn")
    return Training(regression((40, 1), rnn, optimizer=SGD(1e-3)), x, y, epochs=1)


@faulty("exploding_activation", "gain dense_1", every=5, held_out=True)
def gain_of_ten_thousand_between_two_layers() -> Training:
    x, y = standardized("wine")
    return Training(classifier((13,), *hidden(1), Times(1e4, name="gain"), layers.Dense(32, activation="relu", name="dense_1"), classes=3), x, y)


@faulty("exploding_activation exploding_gradient poor_initialization exploding_loss", " ".join(f"conv_{k}" for k in range(8)), every=1, held_out=True)
def eight_convolutions_with_large_filters() -> Training:
    x, y = images()
    stack = convolutions(*[16] * 8, kernel_initializer=Normal(0, 0.6))
    return Training(classifier((8, 8, 1), *stack, layers.GlobalAveragePooling2D(), optimizer=SGD(1e-3)), x, y, epochs=1)


@faulty(
    "exploding_activation exploding_gradient poor_initialization exploding_loss",
    " ".join(f"up_{k} down_{k}" for k in range(8)),
    every=1,
    held_out=True,
)
def residual_blocks_without_a_norm_and_with_large_weights() -> Training:
    x, y = rows()
    inputs = keras.Input((8, 8), name="features")
    value = layers.Dense(32, name="project")(inputs)
    for k in range(8):
        wide = layers.Dense(64, activation="relu", kernel_initializer=Normal(0, 0.5), name=f"up_{k}")(value)
        value = value + layers.Dense(32, kernel_initializer=Normal(0, 0.5), name=f"down_{k}")(wide)
    outputs = layers.Dense(10, activation="softmax", name="output")(layers.GlobalAveragePooling1D()(value))
    model = keras.Model(inputs, outputs)
    model.compile(SGD(1e-3), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=1)
