"""A fifth set of faulty programs, by an author who knew the rules and looked for what they may miss: one fault in the middle of an ordinary model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.fourth_data import LOGITS, Positions, blobs, classifier, encoder_block, padded, plane, regressor, sentences, shapes, waves
from benchmarks.programs.registry import Training, faulty

SGD, Adam, Constant = keras.optimizers.SGD, keras.optimizers.Adam, keras.initializers.Constant
Normal = keras.initializers.RandomNormal


# NaN and Inf.


class Sharpen(layers.Layer):
    """A power of what is negative now and then."""

    def call(self, x: Any) -> Any:
        return ops.power(x, 1.5)


@faulty("nonfinite", "sharpen", every=10, held_out=True)
def power_of_a_negative_number_in_a_convolution() -> Training:
    stack = [layers.Conv2D(8, 3), layers.BatchNormalization(), Sharpen(), layers.ReLU(), layers.GlobalAveragePooling2D()]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def labels_with_a_missing_value() -> Training:
    x, y = plane()
    y[300] = np.nan
    return Training(regressor(layers.Dense(16, activation="relu")), x, y, epochs=2, options={"shuffle": False})


@faulty("nonfinite", "table", every=20, held_out=True)
def column_with_many_missing_values() -> Training:
    x, y = plane()
    x[np.random.default_rng(0).uniform(size=len(x)) < 0.05, 3] = np.nan
    inputs = keras.Input((8,), name="table")
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(16, activation="tanh")(inputs)))
    model.compile("adam", "mse")
    return Training(model, x, y, epochs=3)


class CosineScores(layers.Layer):
    """The length of a word that is padding is 0."""

    def call(self, x: Any) -> Any:
        unit = x / ops.norm(x, axis=-1, keepdims=True)
        return ops.matmul(unit, ops.transpose(unit, (0, 2, 1)))


@faulty("nonfinite", "cosine_scores", every=5, held_out=True)
def cosine_attention_over_padding() -> Training:
    x, y = padded()
    inputs = keras.Input((16,), dtype="int32")
    words = layers.Embedding(50, 16)(inputs)
    words = layers.Multiply()([words, layers.Rescaling(1.0)(ops.cast(ops.expand_dims(inputs > 0, -1), "float32"))])
    mixed = layers.Dot(axes=(2, 1))([CosineScores()(words), words])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(mixed)))
    model.compile("adam", LOGITS)
    return Training(model, x, y, epochs=1)


@faulty("nonfinite", "log_sum", every=1, held_out=True)
def logarithm_of_a_sum_of_exponentials_by_hand() -> Training:
    class LogSum(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.log(ops.sum(ops.exp(x), axis=1))

    model = classifier((24, 2), layers.LSTM(16, return_sequences=True), layers.Rescaling(500.0), LogSum(), classes=2)
    return Training(model, *waves(), epochs=1)


# Units.


@faulty("dead_units", "conv2d_2", every=10, held_out=True)
def third_of_four_convolutions_is_off() -> Training:
    stack: list[Any] = []
    for k in range(4):
        bias = Constant(-8.0) if k == 2 else "zeros"
        stack.append(layers.Conv2D(16, 3, padding="same", activation="relu", bias_initializer=bias, name=f"conv2d_{k}"))
    return Training(classifier((12, 12, 1), *stack, layers.GlobalAveragePooling2D(), classes=3), *shapes(), epochs=2)


@faulty("dead_units", "relu", every=10, held_out=True)
def batch_norm_with_an_offset_below_zero() -> Training:
    stack = [layers.Dense(32), layers.BatchNormalization(beta_initializer=Constant(-6.0)), layers.ReLU(name="relu")]
    return Training(classifier((20,), *stack), *blobs(), epochs=3)


@faulty("dead_units", "lstm", every=10, held_out=True)
def lstm_with_relu_and_negative_bias() -> Training:
    layer = layers.SimpleRNN(16, activation="relu", bias_initializer=Constant(-10.0), name="lstm")
    return Training(classifier((24, 2), layer, classes=2), *waves(), epochs=2)


@faulty("dead_units update_too_large exploding_gradient", "dense dense_1", every=5, held_out=True)
def regression_that_dies_of_its_first_steps() -> Training:
    x, y = plane()
    model = regressor(layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), optimizer=SGD(0.5))
    return Training(model, x, 10 * y + 30, epochs=3)


@faulty("dead_units", "dense", every=20, held_out=True)
def half_and_more_of_the_units_were_pruned_to_nothing() -> Training:
    model = classifier((20,), layers.Dense(50, activation="relu"), layers.Dense(32, activation="relu"))
    kernel, bias = model.layers[0].get_weights()
    kernel[:, :40], bias[:40] = 0, -1
    model.layers[0].set_weights([kernel, bias])
    return Training(model, *blobs(), epochs=3)


@faulty("saturated_activation", "dense_2", every=10, held_out=True)
def third_of_four_tanh_layers_is_flat() -> Training:
    stack = [
        layers.Dense(32, activation="tanh", name=f"dense_{k}", kernel_initializer=Normal(stddev=8.0) if k == 2 else "glorot_uniform")
        for k in range(4)
    ]
    return Training(classifier((20,), *stack), *blobs(), epochs=2)


@faulty("saturated_activation", "sigmoid", every=5, held_out=True)
def gate_of_a_squeeze_and_excite_is_flat() -> Training:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(16, bias_initializer=Constant(12.0))]
    stack += [layers.Activation("sigmoid", name="sigmoid"), layers.Dense(16, activation="relu")]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=2)


@faulty("saturated_activation unnormalized_input", "bidirectional readings", every=5, held_out=True)
def both_directions_on_raw_readings() -> Training:
    x, y = waves()
    inputs = keras.Input((24, 2), name="readings")
    model = keras.Model(inputs, layers.Dense(2)(layers.Bidirectional(layers.LSTM(8), name="bidirectional")(inputs)))
    model.compile("adam", LOGITS)
    return Training(model, 200 + 50 * x, y, epochs=2)


# Over depth.


@faulty("vanishing_gradient", "encoder_0", every=5, held_out=True)
def encoder_behind_ten_sigmoids() -> Training:
    stack = [layers.Conv1D(16, 3, activation="relu", name="encoder_0"), layers.GlobalAveragePooling1D()]
    stack += [layers.Dense(16, activation="sigmoid") for _ in range(10)]
    return Training(classifier((24, 2), *stack, classes=2), *waves(), epochs=2)


@faulty("vanishing_gradient", "dense_0 dense_1", every=10, held_out=True)
def tanh_layers_behind_a_factor_of_a_thousandth() -> Training:
    stack = [layers.Dense(32, activation="tanh", name="dense_0"), layers.Rescaling(1e-4), layers.Dense(32, activation="relu", name="dense_2")]
    return Training(classifier((20,), *stack), *blobs(), epochs=3)


@faulty("exploding_gradient exploding_activation poor_initialization", "simple_rnn_1", every=2, held_out=True)
def second_recurrence_explodes() -> Training:
    wide = keras.initializers.Orthogonal(2.5)
    stack = [layers.SimpleRNN(16, return_sequences=True, name="simple_rnn_0")]
    stack += [layers.SimpleRNN(16, activation="relu", recurrent_initializer=wide, name="simple_rnn_1")]
    return Training(classifier((24, 2), *stack, classes=2), *waves(), epochs=2)


@faulty("exploding_activation poor_initialization exploding_gradient", " ".join(f"conv_{k}" for k in range(6)), every=5, held_out=True)
def convolutions_that_begin_with_a_deviation_of_a_half() -> Training:
    stack = [layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer=Normal(stddev=0.5), name=f"conv_{k}") for k in range(6)]
    return Training(classifier((12, 12, 1), *stack, layers.GlobalAveragePooling2D(), classes=3), *shapes(400), epochs=2)


@faulty("exploding_activation exploding_gradient", "lstm scale", every=5, held_out=True)
def states_times_a_hundred_thousand() -> Training:
    stack = [layers.LSTM(16), layers.Rescaling(1e5, name="scale"), layers.Dense(16, activation="relu")]
    return Training(classifier((24, 2), *stack, classes=2), *waves(), epochs=2)


# Weights.


@faulty("unchanged_weights update_too_small", "conv2d", every=5, held_out=True)
def clipped_to_nothing() -> Training:
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten()]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=SGD(0.01, clipvalue=1e-9)), *shapes(), epochs=2)


@faulty("update_too_small unchanged_weights", "gru scores", every=20, held_out=True)
def decay_that_ends_before_it_begins() -> Training:
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 0.1)
    return Training(classifier((24, 2), layers.GRU(16), classes=2, optimizer=Adam(rate)), *waves(), epochs=8)


@faulty("update_too_large exploding_loss oscillating_loss dead_units", "conv2d dense scores loss", every=5, held_out=True)
def convolution_with_adam_at_a_tenth() -> Training:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(64, activation="relu")]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=Adam(0.3)), *shapes(), epochs=3)


@faulty("missing_gradient", "own_attention/query", every=5, held_out=True)
def stopped_queries_in_an_attention() -> Training:
    class OwnAttention(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.value = layers.Dense(16, name="query"), layers.Dense(16, name="value")

        def call(self, x: Any) -> Any:
            scores = ops.matmul(ops.stop_gradient(self.query(x)), ops.transpose(x, (0, 2, 1)))
            return ops.matmul(ops.softmax(scores / 4), self.value(x))

    inputs = keras.Input((24, 2))
    x = layers.Dense(16)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Add()([x, OwnAttention()(x)]))))
    model.compile("adam", LOGITS)
    return Training(model, *waves(), epochs=2)


@faulty("missing_gradient", "second", every=5, held_out=True)
def branch_that_was_not_joined() -> Training:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = layers.GRU(8, name="first"), layers.GRU(8, name="second"), layers.Dense(2, name="head")

        def call(self, x: Any) -> Any:
            a, b = self.first(x), self.second(x)
            del b
            return self.head(ops.concatenate([a, a], axis=-1))

    model = Two()
    model.compile("adam", LOGITS)
    return Training(model, *waves(), epochs=2)


@faulty("poor_initialization", "dense_3", every=20, held_out=True)
def fourth_layer_of_constants() -> Training:
    stack = [layers.Dense(32, activation="relu", name=f"dense_{k}", kernel_initializer=Constant(0.1) if k == 3 else "he_normal") for k in range(5)]
    return Training(classifier((20,), *stack), *blobs(), epochs=2)


@faulty("poor_initialization", "multi_head_attention", every=10, held_out=True)
def attention_of_a_millionth() -> Training:
    inputs = keras.Input((16,), dtype="int32")
    x = Positions(50, 16, 32)(inputs)
    x = layers.MultiHeadAttention(2, 16, kernel_initializer=Normal(stddev=1e-6))(x, x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    return Training(model, *sentences(), epochs=2)


@faulty("poor_initialization saturated_activation exploding_activation", "lstm", every=10, held_out=True)
def lstm_with_a_deviation_of_five() -> Training:
    layer = layers.LSTM(16, kernel_initializer=Normal(stddev=5.0), recurrent_initializer=Normal(stddev=5.0))
    return Training(classifier((24, 2), layer, classes=2), *waves(), epochs=2)


# Examples and inputs.


@faulty("collapse", "global_norm", every=5, held_out=True)
def pooled_tokens_over_the_batch() -> Training:
    class GlobalNorm(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.mean(x, axis=0, keepdims=True) + 0 * x

    inputs = keras.Input((16,), dtype="int32")
    x = GlobalNorm()(encoder_block(Positions(50, 16, 32)(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    return Training(model, *sentences(), epochs=2)


@faulty("collapse dead_units", "bottleneck", every=10, held_out=True)
def autoencoder_with_a_dead_bottleneck() -> Training:
    x, _ = data.digits()
    stack = [layers.Dense(32, activation="relu"), layers.Dense(8, activation="relu", bias_initializer=Constant(-20.0), name="bottleneck")]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(64, activation="sigmoid")])
    model.compile("adam", "mse")
    return Training(model, x, x, epochs=2)


@faulty("unnormalized_input", "picture", every=5, held_out=True)
def autoencoder_of_bytes() -> Training:
    x, _ = shapes()
    inputs = keras.Input((12, 12, 1), name="picture")
    h = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(h))
    model.compile("adam", "mse")
    return Training(model, 255 * x, x, epochs=2)


@faulty("unnormalized_input", "table", every=10, held_out=True)
def one_column_in_micrometres() -> Training:
    x, y = plane()
    x[:, 2] *= 5e4
    inputs = keras.Input((8,), name="table")
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(32, activation="relu")(inputs)))
    model.compile("adam", "mse")
    return Training(model, x, y, epochs=2)


@faulty("constant_input", "sensor", every=10, held_out=True)
def sensor_that_was_off() -> Training:
    x, y = waves()
    inputs = keras.Input((24, 2), name="sensor")
    model = keras.Model(inputs, layers.Dense(2)(layers.LSTM(8)(inputs)))
    model.compile("adam", LOGITS)
    return Training(model, np.zeros_like(x), y, epochs=2)


# Half precision, losses, moving averages.


@faulty("float16_overflow nonfinite loss_scale_thrash", "scores_by_hand", every=1, held_out=True)
def attention_scores_beyond_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")

    class ScoresByHand(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.softmax(ops.matmul(x * 500, ops.transpose(x, (0, 2, 1)) * 500))

    inputs = keras.Input((24, 2))
    x = layers.Dense(32)(inputs)
    x = layers.Dot(axes=(2, 1))([ScoresByHand()(x), x])
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling1D()(x)))
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, *waves(), epochs=1)


@faulty("float16_underflow vanishing_gradient", "conv2d dense", every=5, held_out=True)
def loss_of_a_millionth_in_pure_float16() -> Training:
    keras.config.set_dtype_policy("float16")
    model = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(3)])
    model.compile(SGD(0.1), LOGITS, loss_weights=[1e-5])
    return Training(model, *shapes(), epochs=2)


@faulty("exploding_loss update_too_large exploding_gradient nonfinite", "loss gru value", every=5, held_out=True)
def forecast_that_diverges() -> Training:
    x, y = data.series()
    return Training(regressor(layers.GRU(16), shape=(30, 1), optimizer=SGD(3.0)), x, 20 * y, epochs=2)


@faulty("oscillating_loss update_too_large", "loss dense scores", every=1, held_out=True)
def two_classes_at_a_rate_of_fifty() -> Training:
    return Training(classifier((20,), layers.Dense(16, activation="tanh"), optimizer=SGD(50.0)), *blobs(), epochs=2)


@faulty("batchnorm_drift", "batch_normalization", every=10, held_out=True)
def trained_on_dark_and_validated_on_light_digits() -> Training:
    x, y = data.images()
    stack = [layers.Conv2D(8, 3), layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.Flatten()]
    model = classifier((8, 8, 1), *stack, classes=10)
    return Training(model, 0.2 * x[:1400], y[:1400], epochs=3, options={"validation_data": (1 - x[1400:], y[1400:])})


@faulty("missing_gradient", "dense", every=5, held_out=True)
def features_detached_in_an_own_loop() -> Training:
    features, head = layers.Dense(32, activation="relu", name="dense"), layers.Dense(4, name="head")
    model = keras.Sequential([keras.Input((20,)), features, layers.Lambda(tf.stop_gradient), head])
    optimizer = Adam(1e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOGITS(y, model(x, training=True))
        weights = model.trainable_variables
        pairs = zip(tape.gradient(loss, weights), weights, strict=True)
        optimizer.apply_gradients([(gradient, weight) for gradient, weight in pairs if gradient is not None])
        return loss

    return Training(model, *blobs(), epochs=2, loop=step)
