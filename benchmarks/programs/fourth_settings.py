"""A fourth set of faulty programs, written without a look at the rules: weights, rates, inputs, precision, losses and moving averages."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.fourth_data import LOGITS, blobs, classifier, plane, regressor, sentences, shapes, transformer, waves
from benchmarks.programs.registry import Training, faulty

SGD, Adam, RMSprop = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.RMSprop
Normal = keras.initializers.RandomNormal


# Weights that do not learn, or learn too little or too much.


@faulty("unchanged_weights", "conv2d dense scores", every=5, held_out=True)
def convolutions_at_a_rate_of_zero() -> Training:
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(16, activation="relu")]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=SGD(0.0)), *shapes(), epochs=2)


@faulty("update_too_small unchanged_weights", "positions multi_head_attention dense dense_1 scores", every=5, held_out=True)
def transformer_at_a_trillionth() -> Training:
    return Training(transformer(Adam(1e-12)), *sentences(), epochs=2)


@faulty("update_too_small", "dense dense_1 value", every=10, held_out=True)
def regression_at_a_millionth() -> Training:
    model = regressor(layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu"), optimizer=SGD(1e-6))
    return Training(model, *plane(), epochs=4)


@faulty("update_too_large", "gru embedding", every=5, held_out=True)
def gru_with_rmsprop_at_one() -> Training:
    stack = [layers.Embedding(50, 16), layers.GRU(16)]
    return Training(classifier((16,), *stack, classes=2, optimizer=RMSprop(1.0)), *sentences(), epochs=2)


@faulty("update_too_large oscillating_loss exploding_loss", "positions multi_head_attention dense dense_1 scores loss", every=5, held_out=True)
def transformer_at_a_rate_of_one() -> Training:
    return Training(transformer(Adam(1.0)), *sentences(), epochs=3)


@faulty("unchanged_weights missing_gradient", "encoder", every=5, held_out=True)
def optimizer_that_got_the_head_only() -> Training:
    class Halves(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = layers.Dense(32, activation="relu", name="encoder"), layers.Dense(4, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.encoder(x))

        def train_step(self, batch: Any) -> Any:
            x, y = batch
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            weights = self.head.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    model = Halves()
    model.compile("adam", LOGITS)
    return Training(model, *blobs(), epochs=2)


@faulty("missing_gradient", "conv2d", every=5, held_out=True)
def features_stopped_before_the_head() -> Training:
    class Features(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.stop_gradient(x)

    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), Features(), layers.Dense(16, activation="relu")]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=2)


@faulty("missing_gradient", "lstm", every=1, held_out=True)
def states_turned_into_signs() -> Training:
    class Sign(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.cast(x > 0, "float32")

    return Training(classifier((24, 2), layers.LSTM(16), Sign(), layers.Dense(16, activation="relu"), classes=2), *waves(), epochs=1)


@faulty("missing_gradient", "extra", every=5, held_out=True)
def layer_that_is_called_for_nothing() -> Training:
    class Branches(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.extra, self.head = layers.Dense(32, "relu", name="body"), layers.Dense(8, name="extra"), layers.Dense(4, name="head")

        def call(self, x: Any) -> Any:
            x = self.body(x)
            self.extra(x)
            return self.head(x)

    model = Branches()
    model.compile("adam", LOGITS)
    return Training(model, *blobs(), epochs=2)


@faulty("missing_gradient", "positions", every=5, held_out=True)
def most_likely_word_is_passed_on() -> Training:
    inputs = keras.Input((16,), dtype="int32")
    x = layers.Embedding(50, 16, name="positions")(inputs)

    class Pick(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.one_hot(ops.argmax(x, -1), 16)

    x = Pick()(x)
    x = layers.MultiHeadAttention(2, 8)(x, x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    return Training(model, *sentences(), epochs=1)


# Initial weights.


@faulty("poor_initialization unchanged_weights", "dense dense_1", every=5, held_out=True)
def dense_layers_of_zeros() -> Training:
    stack = [layers.Dense(32, activation="tanh", kernel_initializer="zeros") for _ in range(2)]
    return Training(classifier((20,), *stack), *blobs(), epochs=2)


@faulty("poor_initialization", "conv2d_1", every=5, held_out=True)
def second_convolution_of_ones() -> Training:
    stack = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.Conv2D(8, 3, activation="relu", kernel_initializer="ones"),
        layers.GlobalAveragePooling2D(),
    ]
    return Training(classifier((12, 12, 1), *stack, classes=3), *shapes(), epochs=2)


@faulty("poor_initialization", "dense_1", every=10, held_out=True)
def deviation_of_a_ten_thousandth() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu", kernel_initializer=Normal(stddev=1e-4))]
    return Training(regressor(*stack), *plane(), epochs=2)


@faulty("poor_initialization", "gru", every=5, held_out=True)
def gru_with_equal_weights() -> Training:
    half = keras.initializers.Constant(0.5)
    return Training(classifier((24, 2), layers.GRU(16, kernel_initializer=half, recurrent_initializer=half), classes=2), *waves(), epochs=2)


@faulty("poor_initialization saturated_activation", "multi_head_attention", every=5, held_out=True)
def attention_with_a_deviation_of_three() -> Training:
    inputs = keras.Input((24, 2))
    x = layers.LayerNormalization()(layers.Dense(32)(inputs))
    x = layers.Add()([x, layers.MultiHeadAttention(2, 16, kernel_initializer=Normal(stddev=3.0))(x, x)])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", LOGITS)
    return Training(model, *waves(), epochs=2)


# Equal activations, and inputs.


@faulty("collapse", "batch_mean", every=5, held_out=True)
def mean_over_the_batch_in_a_network() -> Training:
    class BatchMean(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.zeros_like(x) + ops.mean(x, axis=0, keepdims=True)

    return Training(classifier((24, 2), layers.LSTM(16), BatchMean(), classes=2), *waves(), epochs=2)


@faulty("constant_input", "picture", every=5, held_out=True)
def pictures_that_were_not_read() -> Training:
    x, y = shapes()
    inputs = keras.Input((12, 12, 1), name="picture")
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Conv2D(8, 3, activation="relu")(inputs))))
    model.compile("adam", LOGITS)
    return Training(model, np.full_like(x, 0.5), y, epochs=2)


@faulty("constant_input", "table", every=10, held_out=True)
def table_of_the_first_row() -> Training:
    x, y = plane()
    inputs = keras.Input((8,), name="table")
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(16, activation="relu")(inputs)))
    model.compile("adam", "mse")
    return Training(model, np.repeat(x[:1], len(x), 0), y, epochs=2)


@faulty("unnormalized_input", "picture", every=5, held_out=True)
def bytes_in_a_small_convolution() -> Training:
    x, y = shapes(channels=3)
    inputs = keras.Input((12, 12, 3), name="picture")
    x_1 = layers.MaxPooling2D()(layers.Conv2D(16, 3, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x_1)))
    model.compile("adam", LOGITS)
    return Training(model, np.round(255 * x), y, epochs=2)


@faulty("unnormalized_input", "table", every=10, held_out=True)
def income_beside_age() -> Training:
    random = np.random.default_rng(0)
    age, income, children = random.uniform(18, 80, 1000), random.lognormal(10.5, 0.5, 1000), random.poisson(1.5, 1000)
    x = np.stack([age, income, children], 1).astype("float32")
    y = (income * (age > 30) > 35_000).astype("float32")
    inputs = keras.Input((3,), name="table")
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dense(16, activation="relu")(inputs)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=3)


@faulty("unnormalized_input saturated_activation", "pressure gru", every=5, held_out=True)
def pressure_in_hectopascal() -> Training:
    x, y = waves()
    inputs = keras.Input((24, 2), name="pressure")
    model = keras.Model(inputs, layers.Dense(2)(layers.GRU(16)(inputs)))
    model.compile("adam", LOGITS)
    return Training(model, 1013 + 10 * x, y, epochs=2)


# Half precision.


@faulty("float16_overflow nonfinite loss_scale_thrash", "dense", every=1, held_out=True)
def large_features_in_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = blobs()
    model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(4, dtype="float32")])
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, 60_000 * x.clip(-1, 1), y, epochs=1)


@faulty("float16_overflow nonfinite loss_scale_thrash", "square", every=1, held_out=True)
def squares_of_convolutions_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")

    class Square(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.square(x * 300)

    stack = [layers.Conv2D(8, 3), Square(), layers.GlobalAveragePooling2D(), layers.Dense(3, dtype="float32")]
    model = keras.Sequential([keras.Input((12, 12, 1)), *stack])
    model.compile(Adam(1e-3), LOGITS)
    x, y = shapes()
    return Training(model, x * 3, y, epochs=1)


@faulty("float16_underflow vanishing_gradient", "lstm", every=2, held_out=True)
def small_loss_weight_in_float16() -> Training:
    keras.config.set_dtype_policy("float16")
    model = keras.Sequential([keras.Input((24, 2)), layers.LSTM(16), layers.Dense(2)])
    model.compile(SGD(0.1), LOGITS, loss_weights=[1e-6])
    return Training(model, *waves(), epochs=1)


@faulty("loss_scale_thrash", "loss_scale_optimizer loss", every=1, held_out=True)
def loss_scale_that_grows_too_soon() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(4, dtype="float32")])
    model.compile(keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**24, dynamic_growth_steps=1), LOGITS)
    return Training(model, *blobs(), epochs=3)


@faulty("unchanged_weights update_too_small", "dense dense_1", every=5, held_out=True)
def bfloat16_loses_small_steps() -> Training:
    keras.config.set_dtype_policy("bfloat16")
    model = classifier((20,), layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu"), optimizer=SGD(1e-4))
    return Training(model, *blobs(), epochs=2)


# Losses.


@faulty("exploding_loss update_too_large nonfinite exploding_gradient", "loss dense value", every=1, held_out=True)
def descent_on_a_plane_at_a_rate_of_five() -> Training:
    return Training(regressor(layers.Dense(32, activation="relu"), optimizer=SGD(5.0)), *plane(), epochs=1)


@faulty("exploding_loss exploding_activation", "loss scores", every=5, held_out=True)
def loss_with_the_wrong_sign() -> Training:
    def minus(y_true: Any, y_pred: Any) -> Any:
        return -keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

    model = classifier((12, 12, 1), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), classes=3, optimizer=Adam(1e-2))
    model.compile(Adam(1e-2), minus)
    return Training(model, *shapes(), epochs=4)


@faulty("oscillating_loss update_too_large exploding_loss", "loss dense dense_1 value", every=1, held_out=True)
def momentum_beyond_what_is_stable() -> Training:
    stack = [layers.Dense(32, activation="tanh"), layers.Dense(32, activation="tanh")]
    return Training(regressor(*stack, optimizer=SGD(0.6, momentum=0.9)), *plane(), epochs=3)


@faulty("oscillating_loss update_too_large exploding_loss", "loss lstm scores", every=1, held_out=True)
def lstm_at_a_rate_of_thirty() -> Training:
    return Training(classifier((24, 2), layers.LSTM(16), classes=2, optimizer=SGD(30.0)), *waves(), epochs=4)


# Moving averages.


def normalized_convolution(**options: Any) -> keras.Model:
    """Convolution, batch normalization, scores."""
    stack = [layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(**options), layers.ReLU(), layers.Flatten()]
    return classifier((12, 12, 1), *stack, classes=3)


@faulty("batchnorm_drift", "batch_normalization", every=5, held_out=True)
def momentum_of_four_nines() -> Training:
    x, y = shapes()
    return Training(normalized_convolution(momentum=0.9999), x[:600], y[:600], epochs=4, options={"validation_data": (x[600:], y[600:])})


@faulty("batchnorm_drift", "batch_normalization", every=10, held_out=True)
def validated_on_brighter_pictures() -> Training:
    x, y = shapes()
    return Training(normalized_convolution(momentum=0.8), x[:600], y[:600], epochs=4, options={"validation_data": (3 * x[600:] + 1, y[600:])})


@faulty("batchnorm_drift", "batch_normalization", every=5, held_out=True)
def validated_in_other_units() -> Training:
    x, y = blobs()
    model = classifier((20,), layers.Dense(32), layers.BatchNormalization(momentum=0.9), layers.ReLU())
    return Training(model, x[:800], y[:800], epochs=4, options={"validation_data": (10 * x[800:], y[800:])})
