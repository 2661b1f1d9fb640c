"""More faulty programs written blind: wrong data, rates, precision, statistics of batch normalization, and first weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.blind_faulty import SGD, Adam, OneCycle, classifier, pictures_classifier, regressor
from benchmarks.programs.registry import Training, faulty

# Input.


@faulty("constant_input", "input_layer", every=1, held_out=True)
def divided_as_integers() -> Training:
    x, y = data.images()
    integers = (x * 255).astype("int32") // 256
    return Training(pictures_classifier(layers.Conv2D(8, 3, activation="relu")), integers.astype("float32"), y, epochs=1)


@faulty("constant_input", "weather", every=5, held_out=True)
def one_input_is_never_filled() -> Training:
    x, y = data.standardized("diabetes")
    one, two = keras.Input((10,), name="patient"), keras.Input((6,), name="weather")
    merged = layers.Concatenate()([layers.Dense(16, activation="relu")(one), layers.Dense(8, activation="relu")(two)])
    model = keras.Model([one, two], layers.Dense(1)(merged))
    model.compile(Adam(1e-2), "mse")
    return Training(model, [x, np.ones((len(x), 6), "float32")], y, epochs=4)


@faulty("unnormalized_input", "input_layer", every=1, held_out=True)
def pixels_up_to_255() -> Training:
    x, y = data.images()
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(16, 3, activation="relu")]
    return Training(pictures_classifier(*stack), np.round(x * 255).astype("float32"), y, epochs=1)


@faulty("unnormalized_input", "input_layer", every=5, held_out=True)
def wine_as_it_comes() -> Training:
    stack = [layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu")]
    return Training(classifier(13, *stack, classes=3), *data.raw("wine"), batch_size=8, epochs=5)


@faulty("unnormalized_input", "input_layer", every=5, held_out=True)
def prices_in_an_lstm() -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1)), layers.LSTM(16), layers.Dense(1)])
    model.compile(Adam(1e-2), "mse")
    return Training(model, 1000 + 200 * x, y, epochs=2)


# The loss.


@faulty("exploding_loss nonfinite", "loss dense dense_1", every=1, held_out=True)
def regression_that_diverges() -> Training:
    return Training(regressor(10, layers.Dense(16), optimizer=SGD(0.5)), *data.standardized("diabetes"), epochs=1)


@faulty("exploding_loss update_too_large", "loss dense", every=1, held_out=True)
def linear_regression_that_diverges_slowly() -> Training:
    return Training(regressor(10, optimizer=SGD(0.28)), *data.standardized("diabetes"), batch_size=442, epochs=80)


@faulty("exploding_loss", "loss", every=1, held_out=True)
def gradient_ascent() -> Training:
    model = regressor(10, layers.Dense(16, activation="relu"), optimizer=Adam(1e-2))
    x, y = data.standardized("diabetes")

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(model(x)[:, 0] - y))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply([-gradient for gradient in gradients], model.trainable_variables)
        return loss

    return Training(model, x, y, epochs=10, loop=step)


@faulty("oscillating_loss update_too_large", "loss dense", every=1, held_out=True)
def perceptron_with_a_rate_of_a_hundred() -> Training:
    return Training(classifier(13, classes=3, optimizer=SGD(100.0)), *data.standardized("wine"), batch_size=8, epochs=4)


@faulty("oscillating_loss update_too_large dead_units", "loss conv2d conv2d_1 dense", every=1, held_out=True)
def convolutions_with_a_rate_of_a_tenth() -> Training:
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu")]
    return Training(pictures_classifier(*stack, optimizer=Adam(0.3)), *data.images(), epochs=1)


# Precision.


@faulty("float16_overflow nonfinite", "wide_scores", every=1, held_out=True)
def scores_beyond_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")

    class WideScores(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sum(ops.square(x * 300.0), axis=(1, 2))

    inputs = keras.Input((8, 8, 1))
    x = WideScores()(layers.Conv2D(16, 3, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", dtype="float32")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.images(), epochs=1)


@faulty("float16_overflow nonfinite", "dense_1", every=1, held_out=True)
def dense_sums_beyond_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    ones = keras.initializers.Constant(1.0)
    stack = [layers.Rescaling(2000.0), layers.Dense(64, activation="relu", kernel_initializer=ones), layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(1, dtype="float32")])
    model.compile("adam", "mae")
    x, y = data.digits()
    return Training(model, x, y.astype("float32"), epochs=1)


@faulty("float16_underflow", "conv2d conv2d_1 dense", every=1, held_out=True)
def tiny_loss_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = pictures_classifier(
        layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(8, 3, activation="relu"), auto_scale_loss=False, loss_weights=[1e-4]
    )
    return Training(model, *data.images(), epochs=1)


@faulty("float16_underflow", "dense dense_1", every=1, held_out=True)
def mean_over_many_outputs_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(128, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(64, dtype="float32")]
    )
    model.compile(SGD(0.1), "mse", auto_scale_loss=False)
    return Training(model, data.digits()[0], 0.01 * data.digits()[0], batch_size=256, epochs=8)


@faulty("loss_scale_thrash nonfinite", "root loss_scale_optimizer loss_scale_optimizer/dynamic_scale dynamic_scale loss", every=1, held_out=True)
def scale_that_never_settles() -> Training:
    keras.config.set_dtype_policy("mixed_float16")

    class Root(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.sqrt(ops.relu(x))

    stack = [layers.Conv2D(8, 3, activation="relu"), Root()]
    return Training(pictures_classifier(*stack), *data.images(), epochs=1)


# Batch normalization.


def normalized(momentum: float = 0.9) -> keras.Model:
    """Two convolutions, each with batch normalization."""
    stack: list[Any] = []
    for filters in (8, 16):
        stack += [layers.Conv2D(filters, 3), layers.BatchNormalization(momentum=momentum), layers.ReLU()]
    return pictures_classifier(*stack)


@faulty("batchnorm_drift", "batch_normalization batch_normalization_1", every=5, held_out=True)
def validated_on_unscaled_pictures() -> Training:
    x, y = data.images()
    validation = (x[1400:] * 16, y[1400:])
    return Training(normalized(), x[:1400], y[:1400], epochs=3, options={"validation_data": validation})


@faulty("batchnorm_drift", "batch_normalization batch_normalization_1", every=5, held_out=True)
def momentum_of_nearly_one() -> Training:
    x, y = data.images()
    return Training(normalized(0.9999), x[:1400], y[:1400], epochs=4, options={"validation_data": (x[1400:], y[1400:])})


@faulty("batchnorm_drift", "batch_normalization batch_normalization_1", every=5, held_out=True)
def validated_on_darkened_pictures() -> Training:
    x, y = data.images()
    return Training(normalized(), x[:1400], y[:1400], epochs=3, options={"validation_data": (0.1 * x[1400:], y[1400:])})


@faulty("batchnorm_drift", "batch_normalization", every=10, held_out=True)
def batches_sorted_by_class() -> Training:
    x, y = data.standardized("breast_cancer")
    order = np.argsort(y, kind="stable")
    model = classifier(30, layers.Dense(24), layers.BatchNormalization(momentum=0.5), layers.ReLU(), classes=2)
    options = {"shuffle": False, "validation_data": (x, y)}
    return Training(model, x[order], y[order], batch_size=32, epochs=6, options=options)


# Weights.


@faulty("poor_initialization", "lstm", every=5, held_out=True)
def lstm_of_constants() -> Training:
    constant = keras.initializers.Constant(0.1)
    lstm = layers.LSTM(16, kernel_initializer=constant, recurrent_initializer=constant)
    model = keras.Sequential([keras.Input((8, 8)), lstm, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=2)


@faulty("poor_initialization", "multi_head_attention", every=5, held_out=True)
def attention_of_zeros() -> Training:
    inputs = keras.Input((8, 8))
    x = layers.Dense(16)(inputs)
    x = x + layers.MultiHeadAttention(2, 8, kernel_initializer="zeros")(x, x)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=2)


# Written as healthy programs; training showed that they are ill, and how.


@faulty("nonfinite", "dense", every=5, held_out=True)
def adafactor_where_rows_and_columns_are_zero() -> Training:
    """Keras' Adafactor divides 0 by 0 for a pixel that is always black and a unit that is always off."""
    optimizer = keras.optimizers.Adafactor(0.02, weight_decay=1e-3)
    stack = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    return Training(classifier(64, *stack, optimizer=optimizer), *data.digits(), epochs=5)


@faulty("vanishing_gradient", "dense dense_1", every=5, held_out=True)
def ftrl_forgets_initial_weights() -> Training:
    """FTRL begins at 0 whatever the initial weights are, so two layers of a deep branch never get a gradient."""
    words, labels = data.bag_of_words()
    inputs = keras.Input((words.shape[1],))
    deep = layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Concatenate()([inputs, deep])))
    model.compile(keras.optimizers.Ftrl(0.1), "binary_crossentropy")
    return Training(model, words, labels, epochs=4)


@faulty("dead_units", "dense", every=1, held_out=True)
def one_cycle_with_too_high_a_peak() -> Training:
    """The loss rises fourfold at the peak and comes down again; four fifths of the first layer stay dead."""
    model = classifier(64, layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), optimizer=SGD(0.01, momentum=0.9))
    return Training(model, *data.digits(), epochs=3, more_callbacks=(OneCycle(0.3, 171),))
