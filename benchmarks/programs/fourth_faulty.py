"""A fourth set of faulty programs, written without a look at the rules: values that are no numbers, units that say nothing, gradients over depth."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.fourth_data import LOGITS, blobs, classifier, padded, plane, regressor, sentences, shapes, transformer, waves
from benchmarks.programs.registry import Training, faulty

SGD, Adam, Constant = keras.optimizers.SGD, keras.optimizers.Adam, keras.initializers.Constant
Normal = keras.initializers.RandomNormal


# NaN and Inf.


class Log(layers.Layer):
    """The logarithm of what is zero where a ReLU is off."""

    def call(self, x: Any) -> Any:
        return ops.log(x)


@faulty("nonfinite", "log", every=1, held_out=True)
def log_of_relu_in_a_dense_network() -> Training:
    model = classifier((20,), layers.Dense(32, activation="relu"), Log(), layers.Dense(16, activation="relu"))
    return Training(model, *blobs(), epochs=1)


class ChannelNorm(layers.Layer):
    """Divides by a deviation that is zero."""

    def call(self, x: Any) -> Any:
        return (x - ops.mean(x, (1, 2), keepdims=True)) / ops.std(x, (1, 2), keepdims=True)


@faulty("nonfinite", "channel_norm", every=1, held_out=True)
def convolution_normalized_by_hand() -> Training:
    x, y = shapes()
    x[100:140] = 0
    model = classifier((12, 12, 1), layers.Conv2D(8, 3, activation="relu", use_bias=False), ChannelNorm(), layers.Flatten(), classes=3)
    return Training(model, x, y, epochs=2)


@faulty("nonfinite", "loss dense_1", every=1, held_out=True)
def root_of_a_squared_error_of_zero() -> Training:
    def rmse(y_true: Any, y_pred: Any) -> Any:
        return ops.sqrt(ops.mean(ops.square(y_true - y_pred), -1))

    x, y = plane()
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="relu")])
    model.compile("adam", rmse)
    return Training(model, x, np.maximum(y, 0), epochs=1)


@faulty("nonfinite", "sensor", every=5, held_out=True)
def one_infinite_reading_in_a_series() -> Training:
    x, y = waves()
    x[400, 3, 0] = np.inf
    inputs = keras.Input((24, 2), name="sensor")
    model = keras.Model(inputs, layers.Dense(2)(layers.GRU(16)(inputs)))
    model.compile("adam", LOGITS)
    return Training(model, x, y, epochs=2, options={"shuffle": False})


class MaskedSoftmax(layers.Layer):
    """Minus infinity where there is padding; a row of nothing but padding has no softmax."""

    def call(self, scores: Any, ids: Any) -> Any:
        return ops.softmax(ops.where(ops.expand_dims(ids > 0, -1), scores, -np.inf), axis=1)


@faulty("nonfinite", "masked_softmax", every=1, held_out=True)
def attention_over_an_empty_sentence() -> Training:
    x, y = padded()
    x[::97] = 0
    inputs = keras.Input((16,), dtype="int32")
    embedded = layers.Embedding(50, 16)(inputs)
    shares = MaskedSoftmax()(layers.Dense(1)(embedded), inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Dot(axes=1)([shares, embedded]))))
    model.compile("adam", LOGITS)
    return Training(model, x, y, epochs=1)


class RootMeanSquareNorm(layers.Layer):
    """Without an epsilon."""

    def call(self, x: Any) -> Any:
        return x / ops.sqrt(ops.mean(ops.square(x), -1, keepdims=True))


@faulty("nonfinite", "root_mean_square_norm", every=1, held_out=True)
def transformer_norm_without_epsilon() -> Training:
    inputs = keras.Input((24, 2))
    x = layers.Dense(16, activation="relu", use_bias=False)(inputs)
    x = RootMeanSquareNorm()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    x, y = waves()
    x[:, :4] = 0
    return Training(model, x, y, epochs=1)


@faulty("nonfinite exploding_activation", "exponential", every=1, held_out=True)
def exponential_twice() -> Training:
    stack = [layers.Dense(32), layers.Activation("exponential", name="exponential_first"), layers.Rescaling(40.0)]
    stack += [layers.Activation("exponential", name="exponential")]
    return Training(regressor(*stack), *plane(), epochs=1)


@faulty("nonfinite", "dense_1", every=5, held_out=True)
def checkpoint_with_a_nan() -> Training:
    model = classifier((20,), layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu"))
    kernel, bias = model.layers[1].get_weights()
    kernel[3, 4] = np.nan
    model.layers[1].set_weights([kernel, bias])
    return Training(model, *blobs(), epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def entropy_by_hand_in_an_own_loop() -> Training:
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    optimizer = SGD(1e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            p = model(x, training=True)
            loss = -tf.reduce_mean(tf.reduce_sum(tf.one_hot(y, 3) * tf.math.log(p), -1))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return loss

    x, y = shapes()
    return Training(model, 2000 * x, y, epochs=2, loop=step)


class InverseCount(layers.Layer):
    """One over how often a word stands in the sentence: never, most of the time."""

    def call(self, counts: Any) -> Any:
        return counts * (1 / counts)


@faulty("nonfinite", "inverse_count", every=1, held_out=True)
def one_over_a_count_of_zero() -> Training:
    ids, y = sentences()
    counts = np.stack([np.bincount(row, minlength=50) for row in ids]).astype("float32")
    return Training(classifier((50,), InverseCount(), layers.Dense(16, activation="relu"), classes=2), counts, y, epochs=1)


@faulty("nonfinite", "square_root", every=1, held_out=True)
def square_root_behind_an_lstm() -> Training:
    class SquareRoot(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sqrt(x)

    return Training(classifier((24, 2), layers.LSTM(16), SquareRoot(), classes=2), *waves(), epochs=1)


# Units that are off.


@faulty("dead_units", "conv2d_1", every=5, held_out=True)
def convolution_with_a_bias_of_minus_five() -> Training:
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu", bias_initializer=Constant(-5.0)), layers.Flatten()]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=3)


@faulty("dead_units update_too_large", "dense dense_1", every=10, held_out=True)
def relu_with_adam_at_one() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    return Training(classifier((20,), *stack, optimizer=Adam(1.0)), *blobs(), epochs=4)


@faulty("dead_units", "dense_2", every=10, held_out=True)
def feed_forward_that_is_off() -> Training:
    inputs = keras.Input((24, 2))
    x = layers.Dense(16)(inputs)
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)]))
    y = layers.Dense(16, name="dense_3")(layers.Dense(64, activation="relu", bias_initializer=Constant(-20.0), name="dense_2")(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Add()([x, y]))))
    model.compile("adam", LOGITS)
    return Training(model, *waves(), epochs=2)


@faulty("dead_units", "filters", every=5, held_out=True)
def a_third_of_the_filters_is_off() -> Training:
    bias = np.zeros(24, "float32")
    bias[::3] = -10
    stack = [layers.Conv2D(24, 3, activation="relu", bias_initializer=lambda shape, dtype=None: ops.convert_to_tensor(bias), name="filters")]
    return Training(classifier((12, 12, 1), *stack, layers.GlobalMaxPooling2D(), classes=3), *shapes(), epochs=3)


@faulty("dead_units", "dense", every=10, held_out=True)
def negative_weights_on_positive_words() -> Training:
    down = keras.initializers.RandomUniform(-1.0, 0.0)
    stack = [layers.Embedding(50, 16, embeddings_initializer=keras.initializers.RandomUniform(0.0, 1.0)), layers.GlobalAveragePooling1D()]
    return Training(classifier((16,), *stack, layers.Dense(32, activation="relu", kernel_initializer=down), classes=2), *sentences(), epochs=2)


@faulty("dead_units", "conv1d_1", every=5, held_out=True)
def leftover_minus_sign() -> Training:
    stack = [layers.Conv1D(16, 3, activation="sigmoid"), layers.Rescaling(-8.0)]
    stack += [layers.Conv1D(16, 3, activation="relu", kernel_initializer=keras.initializers.RandomUniform(0, 0.5), name="conv1d_1")]
    return Training(classifier((24, 2), *stack, layers.GlobalAveragePooling1D(), classes=2), *waves(), epochs=3)


# Units that are at their ends.


@faulty("saturated_activation poor_initialization", "dense_1", every=5, held_out=True)
def sigmoid_with_weights_of_ten() -> Training:
    stack = [layers.Dense(32, activation="relu"), layers.Dense(32, activation="sigmoid", kernel_initializer=Normal(stddev=10.0))]
    return Training(classifier((20,), *stack), *blobs(), epochs=3)


@faulty("saturated_activation unnormalized_input", "simple_rnn raw", every=5, held_out=True)
def plain_recurrence_on_thousands() -> Training:
    x, y = waves()
    inputs = keras.Input((24, 2), name="raw")
    model = keras.Model(inputs, layers.Dense(2)(layers.SimpleRNN(16)(inputs)))
    model.compile("adam", LOGITS)
    return Training(model, 1000 * x + 500, y, epochs=2)


@faulty("saturated_activation", "softmax", every=5, held_out=True)
def attention_without_a_scale() -> Training:
    inputs = keras.Input((16,), dtype="int32")
    x = layers.Embedding(50, 64, embeddings_initializer=Normal(stddev=2.0))(inputs)
    shares = layers.Softmax(name="softmax")(layers.Dot(axes=2)([layers.Dense(64)(x), layers.Dense(64)(x)]))
    x = layers.Dot(axes=(2, 1))([shares, x])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, *sentences(), epochs=2)


@faulty("saturated_activation update_too_large", "conv2d dense", every=5, held_out=True)
def tanh_convolution_driven_by_adam() -> Training:
    stack = [layers.Conv2D(16, 3, activation="tanh"), layers.Flatten(), layers.Dense(32, activation="tanh")]
    return Training(classifier((12, 12, 1), *stack, optimizer=Adam(0.5), classes=3), *shapes(), epochs=4)


@faulty("saturated_activation", "dense_1", every=10, held_out=True)
def tanh_on_sums_of_forty() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Rescaling(40.0), layers.Dense(32, activation="tanh", name="dense_1")]
    return Training(regressor(*stack), *plane(), epochs=3)


# Gradients and activations over depth.


@faulty("vanishing_gradient", "dense dense_1", every=5, held_out=True)
def nine_sigmoid_layers() -> Training:
    return Training(classifier((20,), *[layers.Dense(32, activation="sigmoid") for _ in range(9)]), *blobs(), epochs=3)


@faulty("vanishing_gradient", "conv2d conv2d_1", every=10, held_out=True)
def seven_sigmoid_convolutions() -> Training:
    stack = [layers.Conv2D(8, 3, padding="same", activation="sigmoid") for _ in range(7)]
    return Training(classifier((12, 12, 1), *stack, layers.GlobalAveragePooling2D(), classes=3, optimizer=SGD(0.1)), *shapes(), epochs=3)


@faulty("vanishing_gradient poor_initialization", " ".join(f"tanh_{k}" for k in range(12)), every=5, held_out=True)
def twelve_tanh_layers_with_small_weights() -> Training:
    stack = [layers.Dense(64, activation="tanh", kernel_initializer=Normal(stddev=0.02), name=f"tanh_{k}") for k in range(12)]
    return Training(classifier((20,), *stack), *blobs(), epochs=2)


@faulty("vanishing_gradient", "embedding simple_rnn", every=5, held_out=True)
def first_word_of_eighty_decides() -> Training:
    random = np.random.default_rng(0)
    x = random.integers(2, 20, (640, 80)).astype("int32")
    y = random.integers(0, 2, 640)
    x[:, 0] = y
    stack = [layers.Embedding(20, 8), layers.SimpleRNN(16, recurrent_initializer=keras.initializers.Orthogonal(0.5))]
    return Training(classifier((80,), *stack, classes=2), x, y, epochs=3)


@faulty("exploding_activation exploding_gradient poor_initialization", " ".join(f"relu_{k}" for k in range(8)), every=5, held_out=True)
def eight_layers_with_a_deviation_of_one() -> Training:
    stack = [layers.Dense(64, activation="relu", kernel_initializer=Normal(stddev=1.0), name=f"relu_{k}") for k in range(8)]
    return Training(classifier((20,), *stack), *blobs(), epochs=2)


@faulty("exploding_gradient exploding_activation poor_initialization", "simple_rnn", every=2, held_out=True)
def recurrence_doubled_at_every_step() -> Training:
    layer = layers.SimpleRNN(16, activation="linear", recurrent_initializer=keras.initializers.Orthogonal(1.8))
    return Training(classifier((24, 2), layer, classes=2, optimizer=SGD(1e-9)), *waves(), epochs=2)


@faulty(
    "exploding_activation exploding_gradient poor_initialization", " ".join(f"block_{k}" for k in range(10)) + " loss scores", every=5, held_out=True
)
def ten_blocks_that_triple() -> Training:
    inputs = keras.Input((24, 2))
    x = layers.Dense(16)(inputs)
    for k in range(10):
        y = layers.MultiHeadAttention(2, 8)(x, x)
        x = layers.Rescaling(3.0, name=f"block_{k}")(layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(x)))
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, *waves(), epochs=2)


@faulty("exploding_activation", "square", every=5, held_out=True)
def features_to_the_fourth_power() -> Training:
    class Square(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.square(ops.square(100 * x))

    stack = [layers.Conv2D(8, 3, activation="relu"), Square(), layers.Flatten()]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=2)


@faulty("vanishing_gradient poor_initialization", "positions multi_head_attention", every=5, held_out=True)
def transformer_scaled_down_before_its_head() -> Training:
    inputs = keras.Input((16,), dtype="int32")
    x = layers.Embedding(50, 32, name="positions")(inputs)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 16, name="multi_head_attention")(x, x)])
    for k in range(6):
        x = layers.Dense(32, activation="sigmoid", name=f"sigmoid_{k}")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    return Training(model, *sentences(), epochs=2)


@faulty("dead_units", "dense_1", every=10, held_out=True)
def feed_forward_of_a_transformer_is_off() -> Training:
    model = transformer(bias_initializer=Constant(-30.0), blocks=1)
    return Training(model, *sentences(), epochs=2)
