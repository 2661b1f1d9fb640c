"""An eighth set of faulty programs, as people post them: numbers that aren't, dead and saturated units, depth, starts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import bag_of_words, digits, images, raw, series
from benchmarks.programs.eighth_models import (
    Of,
    Own,
    WithPositions,
    adding,
    bytes_of_digits,
    convs,
    diabetes,
    fc,
    graph,
    net,
    progress,
    recall,
    sigmoid,
    softmax,
    standard_weather,
    transformer_block,
    tumours,
    weather,
    word_lists,
)
from benchmarks.programs.registry import Training, faulty

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant


# NaN and Inf.


@faulty("nonfinite", "log_counts", every=1, held_out=True)
def logarithm_of_word_counts() -> Training:
    x, y = bag_of_words()
    return Training(net((x.shape[1],), Of(ops.log, name="log_counts"), *fc(32), sigmoid(), loss="binary_crossentropy"), x, y[:, None], epochs=1)


@faulty("nonfinite", "unit_length", every=1, held_out=True)
def empty_bags_divided_by_their_length() -> Training:
    x, y = bag_of_words()
    x[::40] = 0
    unit = Of(lambda x: x / ops.norm(x, axis=-1, keepdims=True), name="unit_length")
    return Training(net((x.shape[1],), unit, *fc(32), sigmoid(), loss="binary_crossentropy"), x, y[:, None], epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def deviation_from_a_relu_in_a_gaussian_likelihood() -> Training:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        mean, deviation = y_pred[:, :1], ops.relu(y_pred[:, 1:])
        return ops.log(deviation) + 0.5 * ((y_true - mean) / deviation) ** 2

    x, y = diabetes()
    return Training(net((10,), *fc(32, 32), layers.Dense(2, name="moments"), loss=likelihood), x, y, epochs=3)


@faulty("nonfinite", "by_hand", every=1, held_out=True)
def softmax_by_hand_of_raw_wine() -> Training:
    by_hand = Of(lambda x: ops.exp(x) / ops.sum(ops.exp(x), -1, keepdims=True), name="by_hand")
    x, y = raw("wine")
    return Training(net((13,), layers.Dense(3, name="scores"), by_hand), x, y, batch_size=16, epochs=3)


@faulty("nonfinite", "deviation", every=1, held_out=True)
def deviation_over_time_of_padding() -> Training:
    x, y = standard_weather()
    x[::20] = 0
    stack = [layers.GRU(16, return_sequences=True, name="gru"), Of(lambda h: ops.std(h, 1), name="deviation"), layers.Dense(1, name="next")]
    return Training(net((24, 2), *stack, loss="mse"), x, y, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def masked_loss_of_rows_without_targets() -> Training:
    def masked(y_true: Any, y_pred: Any) -> Any:
        known = ops.cast(y_true != 0, "float32")
        return ops.sum(known * (y_true - y_pred) ** 2, -1) / ops.sum(known, -1)

    x, y = standard_weather()
    y = np.repeat(y, 4, -1) * (np.random.default_rng(1).random((len(y), 4)) < 0.3)
    return Training(net((24, 2), layers.LSTM(16, name="lstm"), layers.Dense(4, name="next"), loss=masked), x, y.astype("float32"), epochs=2)


@faulty("nonfinite", "gem", every=1, held_out=True)
def generalized_mean_of_negative_features() -> Training:
    class GeM(layers.Layer):
        def build(self, shape: Any) -> None:
            self.p = self.add_weight(shape=(), initializer=Constant(3.0), name="p")

        def call(self, x: Any) -> Any:
            return ops.power(ops.mean(ops.power(x, self.p), (1, 2)), 1 / self.p)

    x, y = images()
    stack = [*convs(16), layers.Conv2D(32, 3, name="features"), GeM(name="gem"), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=2)


@faulty("nonfinite", "instance_norm", every=1, held_out=True)
def instance_normalization_of_an_empty_channel() -> Training:
    def normalized(x: Any) -> Any:
        return (x - ops.mean(x, (1, 2), keepdims=True)) / ops.sqrt(ops.var(x, (1, 2), keepdims=True))

    x, y = images()
    x = x.copy()
    x[::100] = 0
    stack = [layers.Conv2D(16, 3, activation="relu", name="conv1"), Of(normalized, name="instance_norm"), layers.Flatten(), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def poisson_of_a_linear_output() -> Training:
    def poisson(y_true: Any, y_pred: Any) -> Any:
        return y_pred - y_true * ops.log(y_pred)

    x, y = diabetes()
    return Training(net((10,), *fc(32), layers.Dense(1, name="rate"), loss=poisson), x, np.round(np.exp(y)), epochs=3)


@faulty("nonfinite", "loss", every=1, held_out=True)
def mixture_density_of_far_targets() -> Training:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        weights, means = ops.softmax(y_pred[:, :3]), y_pred[:, 3:]
        return -ops.log(ops.sum(weights * ops.exp(-0.5 * (y_true - means) ** 2), -1))

    x, y = progress()
    return Training(net((10,), *fc(32), layers.Dense(6, name="mixture"), loss=likelihood), x, y, epochs=3)


@faulty("nonfinite exploding_loss exploding_gradient update_too_large unnormalized_input", "inputs predictions loss", every=1, held_out=True)
def linear_regression_of_raw_wine_by_gradient_descent() -> Training:
    x, y = raw("wine")
    return Training(
        net((13,), layers.Dense(1, name="predictions"), loss="mse", optimizer=SGD(0.01)), x, y[:, None].astype("float32"), batch_size=16, epochs=5
    )


@faulty("nonfinite exploding_activation", "partition", every=1, held_out=True)
def energy_model_with_a_plain_exponential() -> Training:
    class Partition(layers.Layer):
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(shape[-1], 10), initializer=Normal(stddev=4.0), name="w")

        def call(self, x: Any) -> Any:
            return ops.exp(ops.matmul(x, self.w))

    x, y = digits()
    return Training(net((64,), Partition(name="partition"), softmax()), 16 * x, y, epochs=2)


# Dead units.


@faulty("dead_units update_too_large collapse", "fc1 fc2 fc3 fc4", every=1, held_out=True)
def adam_with_a_tenth_kills_four_layers() -> Training:
    return Training(net((64,), *fc(64, 64, 64, 64), softmax(), optimizer=Adam(0.3)), *digits(), epochs=3)


@faulty("dead_units collapse", "log_price", every=5, held_out=True)
def relu_at_the_output_for_negative_targets() -> Training:
    x, y = diabetes()
    out = layers.Dense(1, activation="relu", name="log_price")
    return Training(net((10,), *fc(64, 32), out, loss="mse", optimizer=Adam(3e-3)), x, y - 6.0, epochs=10)


@faulty("dead_units", "thresholded", every=5, held_out=True)
def threshold_out_of_reach() -> Training:
    stack = [layers.Dense(64, name="fc1"), layers.ReLU(threshold=8.0, name="thresholded"), layers.Dense(32, activation="relu", name="fc2")]
    return Training(net((64,), *stack, softmax()), *digits(), epochs=4)


@faulty("dead_units", "ffn1", every=10, held_out=True)
def position_wise_layer_with_biases_of_minus_six() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = WithPositions(300, 20, 32, name="embedded")(ids)
    h = layers.LayerNormalization(name="norm")(h + layers.MultiHeadAttention(2, 16, name="attention")(h, h))
    wide = layers.Dense(64, activation="relu", bias_initializer=Constant(-6.0), name="ffn1")(h)
    h = layers.Add(name="sum")([h, layers.Dense(32, name="ffn2")(wide)])
    out = sigmoid()(layers.GlobalMaxPooling1D()(h))
    return Training(graph(ids, out, "binary_crossentropy"), x, y, epochs=6)


# Saturation.


@faulty("saturated_activation unnormalized_input", "inputs fc1", every=5, held_out=True)
def sigmoids_of_raw_tumours() -> Training:
    x, y = raw("breast_cancer")
    stack = [*fc(32, 16, activation="sigmoid"), sigmoid()]
    return Training(net((30,), *stack, loss="binary_crossentropy"), x, y.astype("float32")[:, None], epochs=10)


@faulty("saturated_activation poor_initialization", "actor fc2", every=5, held_out=True)
def policy_with_wide_initial_weights() -> Training:
    x, y = diabetes()
    stack = [*fc(64), layers.Dense(64, activation="tanh", kernel_initializer=Normal(stddev=3.0), name="fc2"), layers.Dense(1, name="value")]
    return Training(net((10,), *stack, loss="mse", optimizer=SGD(1e-3)), x, y, epochs=10)


@faulty("unnormalized_input saturated_activation", "inputs lstm", every=10, held_out=True)
def lstm_of_kelvin_and_hectopascal() -> Training:
    x, y = weather()
    return Training(net((24, 2), layers.LSTM(32, name="lstm"), layers.Dense(1, name="next"), loss="mse"), x, y, epochs=6)


@faulty("saturated_activation poor_initialization", "attention", every=5, held_out=True)
def attention_without_its_scale() -> Training:
    class Attention(layers.Layer):
        def build(self, shape: Any) -> None:
            make = {"shape": (shape[-1], 64), "initializer": Normal(stddev=1.0)}
            self.query, self.key = self.add_weight(name="query", **make), self.add_weight(name="key", **make)

        def call(self, x: Any) -> Any:
            scores = ops.matmul(ops.matmul(x, self.query), ops.transpose(ops.matmul(x, self.key), (0, 2, 1)))
            return ops.matmul(ops.softmax(scores), x)

    x, y = images()
    stack = [layers.Dense(32, name="project"), layers.LayerNormalization(name="norm"), Attention(name="attention"), layers.GlobalAveragePooling1D()]
    return Training(net((8, 8), *stack, softmax()), x[..., 0], y, epochs=5)


@faulty("saturated_activation", "gate", every=5, held_out=True)
def highway_whose_gate_never_lets_through() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, activation="relu", name="fc1")(inputs)
    gate = layers.Dense(64, activation="sigmoid", bias_initializer=Constant(-30.0), name="gate")(h)
    h = gate * layers.Dense(64, activation="relu", name="fc2")(h) + (1 - gate) * h
    return Training(graph(inputs, softmax()(h)), x, y, epochs=5)


@faulty("saturated_activation collapse output_mismatch missing_gradient vanishing_gradient unchanged_weights", "predictions", every=5, held_out=True)
def softmax_of_a_single_unit() -> Training:
    x, y = tumours()
    return Training(net((30,), *fc(32, 16), layers.Dense(1, activation="softmax", name="predictions"), loss="binary_crossentropy"), x, y, epochs=8)


# Gradients and values over depth.


@faulty("vanishing_gradient", "fc1 fc2", every=10, held_out=True)
def eleven_sigmoid_layers() -> Training:
    return Training(net((64,), *fc(*[64] * 11, activation="sigmoid"), softmax()), *digits(), epochs=6)


@faulty("vanishing_gradient", "rnn", every=10, held_out=True)
def plain_recurrence_over_150_steps() -> Training:
    x, y = recall(150)
    return Training(net((150, 1), layers.SimpleRNN(32, name="rnn"), sigmoid(), loss="binary_crossentropy"), x, y, epochs=4)


@faulty("poor_initialization vanishing_gradient collapse", "conv1 conv2 conv3 conv4 conv5 conv6 conv7 conv8", every=5, held_out=True)
def convolutions_of_normal_001() -> Training:
    x, y = images()
    stack = convs(*[16] * 8, activation="tanh", kernel_initializer=Normal(stddev=0.01))
    return Training(net((8, 8, 1), *stack, layers.GlobalAveragePooling2D(), softmax()), x, y, epochs=3)


@faulty("vanishing_gradient", "detail", every=5, held_out=True)
def branch_that_is_added_a_millionth() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    detail = layers.Dense(32, activation="tanh", name="detail")(inputs)
    main = layers.Dense(32, activation="tanh", name="main")(inputs)
    return Training(graph(inputs, softmax()(main + 1e-6 * detail)), x, y, epochs=5)


@faulty("vanishing_gradient", "encode1 encode2", every=5, held_out=True)
def deep_sigmoid_autoencoder() -> Training:
    x, _ = digits()
    sizes = (48, 32, 24, 16, 8, 16, 24, 32, 48)
    stack = [layers.Dense(n, activation="sigmoid", name=f"encode{k + 1}") for k, n in enumerate(sizes)]
    return Training(net((64,), *stack, layers.Dense(64, activation="sigmoid", name="picture"), loss="mse", optimizer=SGD(0.5)), x, x, epochs=5)


@faulty(
    "poor_initialization exploding_activation exploding_gradient exploding_loss nonfinite",
    " ".join(f"fc{k}" for k in range(1, 16)),
    every=1,
    held_out=True,
)
def fifteen_layers_of_normal_030() -> Training:
    return Training(net((64,), *fc(*[128] * 15, kernel_initializer=Normal(stddev=0.3)), softmax()), *digits(), epochs=2)


@faulty("exploding_activation exploding_gradient", " ".join(f"sum{k}" for k in range(8, 24)), every=1, held_out=True)
def residual_sums_of_sums() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, name="stem")(inputs)
    for k in range(24):
        h = layers.Add(name=f"sum{k}")([h, layers.Dense(64, activation="relu", kernel_initializer="he_normal", name=f"block{k}")(h)])
    return Training(graph(inputs, softmax()(h)), x, y, epochs=2)


@faulty("exploding_gradient exploding_activation poor_initialization nonfinite exploding_loss", "rnn", every=1, held_out=True)
def linear_recurrence_that_grows() -> Training:
    x, y = series(length=40)
    rnn = layers.SimpleRNN(24, activation="linear", recurrent_initializer=keras.initializers.Orthogonal(gain=1.6), name="rnn")
    return Training(net((40, 1), rnn, layers.Dense(1, name="next"), loss="mse"), x, y, epochs=2)


@faulty("poor_initialization exploding_activation update_too_small", "words embedded", every=5, held_out=True)
def embeddings_drawn_with_deviation_100() -> Training:
    x, y = word_lists()
    words = layers.Embedding(300, 16, embeddings_initializer=Normal(stddev=100.0), name="words")
    return Training(net((20,), words, layers.GlobalAveragePooling1D(), *fc(32), sigmoid(), loss="binary_crossentropy", dtype="int32"), x, y, epochs=5)


@faulty("exploding_activation nonfinite exploding_loss", "running", every=1, held_out=True)
def running_total_that_is_never_reset() -> Training:
    class Running(layers.Layer):
        def build(self, shape: Any) -> None:
            self.total = self.add_weight(shape=shape[1:], initializer="ones", trainable=False, name="total")

        def call(self, x: Any) -> Any:
            self.total.assign(self.total * 1.2 + ops.mean(x, 0))
            return x * self.total

    return Training(net((64,), *fc(64), Running(name="running"), softmax()), *digits(), epochs=3)


@faulty("exploding_activation", "sum3 mix3", every=1, held_out=True)
def graph_network_that_sums_a_hundred_neighbours() -> Training:
    random = np.random.default_rng(4)
    x = random.normal(size=(400, 100, 4)).astype("float32")
    y = (x.mean((1, 2)) > 0).astype("float32")[:, None]
    inputs = h = keras.Input((100, 4), name="inputs")
    for k in range(4):
        everyone = ops.sum(h, 1, keepdims=True)
        h = layers.Add(name=f"sum{k}")([h, everyone + 0 * h])
        h = layers.Dense(16, activation="relu", name=f"mix{k}")(h)
    out = sigmoid()(layers.GlobalAveragePooling1D()(h))
    return Training(graph(inputs, out, "binary_crossentropy", optimizer=Adam(1e-4)), x, y, epochs=4)


# Starts.


@faulty("poor_initialization", "fc2", every=5, held_out=True)
def hidden_kernel_of_zeros() -> Training:
    stack = [*fc(64), layers.Dense(64, activation="relu", kernel_initializer="zeros", name="fc2"), softmax()]
    return Training(net((64,), *stack), *digits(), epochs=4)


@faulty("poor_initialization", "conv2", every=10, held_out=True)
def all_filters_alike() -> Training:
    x, y = images()
    second = layers.Conv2D(16, 3, activation="relu", kernel_initializer=Constant(0.02), name="conv2")
    return Training(net((8, 8, 1), *convs(8), second, layers.Flatten(), softmax()), x, y, epochs=4)


@faulty("poor_initialization exploding_activation", "conv1 conv2", every=5, held_out=True)
def convolutions_of_normal_1() -> Training:
    x, y = images()
    stack = convs(16, 32, kernel_initializer=Normal(stddev=1.0))
    return Training(net((8, 8, 1), *stack, layers.GlobalAveragePooling2D(), softmax()), x, y, epochs=4)


@faulty("poor_initialization collapse constant_input", "words", every=5, held_out=True)
def pretrained_words_that_were_not_found() -> Training:
    x, y = word_lists()
    words = layers.Embedding(300, 16, weights=[np.zeros((300, 16), "float32")], trainable=False, name="words")
    return Training(net((20,), words, layers.LSTM(16, name="lstm"), sigmoid(), loss="binary_crossentropy", dtype="int32"), x, y, epochs=4)


@faulty("poor_initialization saturated_activation exploding_gradient", "lstm", every=10, held_out=True)
def lstm_with_uniform_weights_to_five() -> Training:
    x, y = adding()
    wide = keras.initializers.RandomUniform(-5, 5)
    return Training(
        net((30, 2), layers.LSTM(32, kernel_initializer=wide, recurrent_initializer=wide, name="lstm"), layers.Dense(1, name="sum"), loss="mse"),
        x,
        y,
        epochs=4,
    )


# Collapse.


@faulty("collapse", "encoder projection", every=10, held_out=True)
def twins_without_a_stop_gradient() -> Training:
    class Twins(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(16)], name="encoder")

        def call(self, x: Any) -> Any:
            return self.encoder(x)

        def objective(self, x: Any, y: Any) -> Any:
            a, b = self(x + keras.random.normal(ops.shape(x)) * 0.1), self(x + keras.random.normal(ops.shape(x)) * 0.1)
            return ops.mean(ops.square(a - b))

    model = Twins()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, digits()[0], digits()[1], epochs=8)


@faulty("collapse", "pool", every=5, held_out=True)
def mean_over_the_batch_and_not_over_time() -> Training:
    x, y = word_lists()
    words = layers.Embedding(300, 16, name="words")
    stack = [words, Of(lambda v: ops.broadcast_to(ops.mean(v, (0, 1)), (ops.shape(v)[0], 16)), name="pool"), *fc(16), sigmoid()]
    return Training(net((20,), *stack, loss="binary_crossentropy", dtype="int32"), x, y, epochs=4)


@faulty("collapse", "norm", every=10, held_out=True)
def batch_normalization_of_single_patients() -> Training:
    x, y = diabetes()
    stack = [layers.Dense(32, name="fc1"), layers.BatchNormalization(name="norm"), layers.ReLU(name="relu"), layers.Dense(1, name="value")]
    return Training(net((10,), *stack, loss="mse"), x[:200], y[:200], batch_size=1, epochs=1)


@faulty("collapse vanishing_gradient unchanged_weights", "block2 block3 block4 block5 block6 block7 pooled", every=10, held_out=True)
def attention_without_a_residual_path() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = WithPositions(300, 20, 32, name="embedded")(ids)
    for k in range(8):
        h = layers.MultiHeadAttention(2, 16, name=f"block{k}")(h, h)
    out = sigmoid()(layers.GlobalAveragePooling1D(name="pooled")(h))
    return Training(graph(ids, out, "binary_crossentropy"), x, y, epochs=4)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def pixels_to_255_into_a_convolution() -> Training:
    x, y = bytes_of_digits()
    return Training(net((8, 8, 1), *convs(16, 32), layers.Flatten(), softmax()), x, y, epochs=4)


@faulty(
    "saturated_activation update_too_large collapse exploding_activation dead_units oscillating_loss",
    "block_norm1 block_norm2 block_ffn1 block_ffn2 block_attention embedded predictions",
    every=5,
    held_out=True,
)
def transformer_with_adam_of_a_fifth() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = transformer_block(WithPositions(300, 20, 32, name="embedded")(ids), "block")
    out = sigmoid()(layers.GlobalAveragePooling1D()(h))
    return Training(graph(ids, out, "binary_crossentropy", Adam(0.2)), x, y, epochs=4)
