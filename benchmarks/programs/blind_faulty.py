"""Faulty programs written blind: from the list of faults, before their author had read the code of any rule.

Short runs, default names, one fault each, as somebody would write who wants to know whether the findings can be trusted.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DEEP = "dense dense_1 dense_2 dense_3 dense_4 dense_5 dense_6 dense_7 dense_8"


def classifier(width: int, *stack: Any, optimizer: Any = "adam", classes: int = 10) -> keras.Model:
    """A stack of layers and a softmax."""
    model = keras.Sequential([keras.Input((width,)), *stack, layers.Dense(classes, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def pictures_classifier(*stack: Any, optimizer: Any = "adam", **compile_arguments: Any) -> keras.Model:
    """Layers on 8×8 pictures, and a softmax that stays in float32."""
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack, layers.Flatten(), layers.Dense(10, activation="softmax", dtype="float32")])
    model.compile(optimizer, "sparse_categorical_crossentropy", **compile_arguments)
    return model


def regressor(width: int, *stack: Any, optimizer: Any = "adam") -> keras.Model:
    """A stack of layers and one number."""
    model = keras.Sequential([keras.Input((width,)), *stack, layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


class OneCycle(keras.callbacks.Callback):
    """Up to the largest rate in the first third, then down to nothing."""

    def __init__(self, largest: float, steps: int) -> None:
        super().__init__()
        self.largest, self.steps, self.step = largest, steps, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        share = self.step / self.steps
        self.model.optimizer.learning_rate = self.largest * max(min(3 * share, 1.5 * (1 - share)), 1e-5)
        self.step += 1


# NaN and Inf.


class LogFeatures(layers.Layer):
    """Forgets that a pixel can be 0."""

    def call(self, x: Any) -> Any:
        return tf.math.log(x)


@faulty("nonfinite", "log_features", every=1, held_out=True)
def logarithm_of_pixels() -> Training:
    return Training(classifier(64, LogFeatures(), layers.Dense(32, activation="relu")), *data.digits(), epochs=1)


class EuclideanDistance(layers.Layer):
    """The root's derivative at 0 is infinite."""

    def call(self, one: Any, two: Any) -> Any:
        return ops.sqrt(ops.sum(ops.square(one - two), axis=-1, keepdims=True))


@faulty("nonfinite", "euclidean_distance", every=1, held_out=True)
def siamese_of_equal_pairs() -> Training:
    x, y = data.digits()
    order = np.random.default_rng(0).permutation(len(x))
    order[::9] = np.arange(len(x))[::9]
    tower = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(8)], name="tower")
    one, two = keras.Input((64,)), keras.Input((64,))
    distance = EuclideanDistance()(tower(one), tower(two))
    model = keras.Model([one, two], layers.Dense(1, activation="sigmoid")(distance))
    model.compile("adam", "binary_crossentropy")
    return Training(model, [x, x[order]], (y == y[order]).astype("float32"), epochs=1)


class StandardizeRows(layers.Layer):
    """Divides each row by its own deviation, which can be 0."""

    def call(self, x: Any) -> Any:
        mean = ops.mean(x, axis=-1, keepdims=True)
        return (x - mean) / ops.std(x, axis=-1, keepdims=True)


@faulty("nonfinite", "standardize_rows", every=1, held_out=True)
def rows_without_deviation() -> Training:
    x, y = data.standardized("wine")
    x = x.copy()
    x[100] = 0.0
    return Training(classifier(13, StandardizeRows(), layers.Dense(16, activation="relu"), classes=3), x, y, batch_size=16, epochs=4)


class NaiveSoftmax(layers.Layer):
    """Without the maximum taken off first."""

    def call(self, x: Any) -> Any:
        e = tf.exp(x / 0.001)
        return e / tf.reduce_sum(e, axis=-1, keepdims=True)


@faulty("nonfinite", "naive_softmax", every=1, held_out=True)
def attention_that_overflows() -> Training:
    inputs = keras.Input((8, 8))
    x = layers.Dense(16)(inputs)
    scores = NaiveSoftmax()(ops.squeeze(layers.Dense(1)(x), -1))
    x = ops.sum(x * ops.expand_dims(scores, -1), axis=1)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=1)


class NearItsStart(layers.Dense):
    """A penalty on the distance from the first weights: the norm at 0 has no derivative."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.start = tf.constant(self.kernel.numpy())

    def call(self, x: Any) -> Any:
        self.add_loss(0.01 * tf.norm(self.kernel - self.start))
        return super().call(x)


@faulty("nonfinite", "near_its_start", every=1, held_out=True)
def norm_at_zero() -> Training:
    return Training(classifier(64, NearItsStart(32, activation="relu")), *data.digits(), epochs=1)


class PowerMean(layers.Layer):
    """x ** p: the gradient with regard to p is log(x)."""

    def build(self, shape: Any) -> None:
        self.p = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.5), name="p")

    def call(self, x: Any) -> Any:
        return ops.power(ops.relu(x), self.p)


@faulty("nonfinite", "power_mean", every=10, held_out=True)
def power_of_nothing_backward() -> Training:
    model = pictures_classifier(layers.Conv2D(8, 3, activation="relu"), PowerMean(), layers.AveragePooling2D(2))
    return Training(model, *data.images(), epochs=1)


@faulty("nonfinite", "input_layer", every=1, held_out=True)
def missing_values_in_the_table() -> Training:
    x, y = data.standardized("breast_cancer")
    x = x.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.01] = np.nan
    return Training(classifier(30, layers.Dense(16, activation="relu"), classes=2), x, y, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def cross_entropy_by_hand() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(10, activation="relu")])
    model.compile("adam", lambda y, p: -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(p), axis=-1)))
    x, y = data.digits()
    return Training(model, x, keras.utils.to_categorical(y, 10), epochs=1)


# Dead, saturated, collapsed.


@faulty("dead_units", "dense_1", every=1, held_out=True)
def bias_of_minus_ten() -> Training:
    bias = keras.initializers.Constant(-10.0)
    model = classifier(64, layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu", bias_initializer=bias))
    return Training(model, *data.digits(), epochs=1)


@faulty("dead_units", "re_lu", every=10, held_out=True)
def relu_layer_after_a_negative_convolution() -> Training:
    bias = keras.initializers.Constant(-6.0)
    stack = [layers.Conv2D(16, 3, bias_initializer=bias), layers.ReLU(), layers.MaxPooling2D(2)]
    return Training(pictures_classifier(*stack), *data.images(), epochs=2)


@faulty("dead_units update_too_large", "dense dense_1 dense_2", every=1, held_out=True)
def killed_by_a_rate_of_ten() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    return Training(classifier(64, *stack, optimizer=SGD(10.0)), *data.digits(), epochs=1)


@faulty("saturated_activation poor_initialization", "dense_1", every=1, held_out=True)
def tanh_with_wide_weights() -> Training:
    wide = keras.initializers.RandomNormal(stddev=5.0)
    stack = [layers.Dense(32, activation="tanh"), layers.Dense(32, activation="tanh", kernel_initializer=wide)]
    return Training(classifier(64, *stack), *data.digits(), epochs=1)


@faulty("saturated_activation", "dense", every=5, held_out=True)
def sigmoid_on_raw_measurements() -> Training:
    return Training(classifier(30, layers.Dense(24, activation="sigmoid"), classes=2), *data.raw("breast_cancer"), epochs=5)


@faulty("saturated_activation", "activation", every=5, held_out=True)
def sigmoid_layer_driven_by_a_factor() -> Training:
    stack = [layers.Conv2D(8, 3), layers.Rescaling(200.0), layers.Activation("sigmoid"), layers.MaxPooling2D(2)]
    return Training(pictures_classifier(*stack), *data.images(), epochs=2)


@faulty("collapse", "batch_average", every=1, held_out=True)
def averaged_over_the_wrong_axis() -> Training:
    class BatchAverage(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.zeros_like(x) + ops.mean(x, axis=0, keepdims=True)

    stack = [layers.Dense(32, activation="relu"), BatchAverage(), layers.Dense(16, activation="relu")]
    return Training(classifier(64, *stack), *data.digits(), epochs=1)


@faulty("collapse", "encoder dense_1 dense_2 dense_3", every=5, held_out=True)
def self_supervised_collapse() -> Training:
    class Alike(keras.Model):
        """Pulls two views together and nothing apart."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(16)], name="encoder")
            self.noise = keras.random.SeedGenerator(1)

        def train_step(self, x: Any) -> Any:
            views = [x + 0.2 * keras.random.normal(ops.shape(x), seed=self.noise) for _ in range(2)]
            with tf.GradientTape() as tape:
                loss = ops.mean(ops.square(self.encoder(views[0]) - self.encoder(views[1])))
            weights = self.encoder.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = Alike()
    model.compile(Adam(1e-2))
    return Training(model, data.digits()[0], epochs=6)


# Gradients.


@faulty("vanishing_gradient", "dense", every=1, held_out=True)
def eight_sigmoids() -> Training:
    stack = [layers.Dense(32, activation="sigmoid") for _ in range(8)]
    return Training(classifier(64, *stack), *data.digits(), epochs=1)


@faulty("vanishing_gradient", "conv1d", every=10, held_out=True)
def sigmoid_convolutions_on_waves() -> Training:
    stack = [layers.Conv1D(8, 3, activation="sigmoid", padding="same") for _ in range(10)]
    model = keras.Sequential([keras.Input((30, 1)), *stack, layers.Flatten(), layers.Dense(1)])
    model.compile(SGD(0.01), "mse")
    return Training(model, *data.series(), epochs=3)


@faulty("vanishing_gradient poor_initialization", "dense dense_1 dense_2 dense_3", every=5, held_out=True)
def small_weights_in_a_deep_tanh() -> Training:
    small = keras.initializers.RandomNormal(stddev=0.01)
    stack = [layers.Dense(64, activation="tanh", kernel_initializer=small) for _ in range(7)]
    return Training(classifier(64, *stack, optimizer=SGD(0.01)), *data.digits(), epochs=2)


@faulty("exploding_gradient exploding_activation poor_initialization", DEEP, every=1, held_out=True)
def deep_and_linear() -> Training:
    wide = keras.initializers.RandomNormal(stddev=1.0)
    stack = [layers.Dense(64, kernel_initializer=wide) for _ in range(8)]
    return Training(regressor(10, *stack, optimizer=SGD(1e-3)), *data.standardized("diabetes"), epochs=2)


@faulty("exploding_gradient poor_initialization", "simple_rnn", every=1, held_out=True)
def recurrent_weights_of_three() -> Training:
    rnn = layers.SimpleRNN(32, activation="linear", recurrent_initializer=keras.initializers.Orthogonal(gain=1.8))
    model = keras.Sequential([keras.Input((30, 1)), rnn, layers.Dense(1)])
    model.compile(SGD(1e-3), "mse")
    return Training(model, *data.series(), epochs=1)


@faulty("exploding_activation", "amplify", every=5, held_out=True)
def multiplied_by_a_thousand() -> Training:
    class Amplify(layers.Layer):
        def call(self, x: Any) -> Any:
            return 10_000.0 * x

    stack = [layers.Dense(32, activation="relu"), Amplify(), layers.Dense(32, activation="relu")]
    return Training(classifier(64, *stack, optimizer=SGD(1e-2)), *data.digits(), epochs=2)


@faulty("missing_gradient", "embedding", every=1, held_out=True)
def stopped_behind_the_embedding() -> Training:
    ids, labels, size = data.lines()
    inputs = keras.Input((24,), dtype="int32")
    x = ops.stop_gradient(layers.Embedding(size, 16)(inputs))
    outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    return Training(model, ids, labels, epochs=2)


@faulty("missing_gradient", "dense", every=1, held_out=True)
def rounded_in_the_middle() -> Training:
    class Round(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.cast(tf.cast(4 * x, tf.int32), tf.float32)

    return Training(classifier(64, layers.Dense(32, activation="relu"), Round()), *data.digits(), epochs=1)


@faulty("missing_gradient", "side", every=1, held_out=True)
def head_without_a_loss() -> Training:
    class TwoHeads(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head, self.side = layers.Dense(32, activation="relu"), layers.Dense(10, name="head"), layers.Dense(4, name="side")

        def call(self, x: Any) -> Any:
            x = self.body(x)
            self.side(x)
            return self.head(x)

    model = TwoHeads()
    model.compile("adam", LOGITS)
    return Training(model, *data.digits(), epochs=1)


# Weights and updates.


@faulty("unchanged_weights missing_gradient", "backbone", every=1, held_out=True)
def loop_that_trains_the_head_only() -> Training:
    backbone = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu")], name="backbone")
    head = layers.Dense(10, name="head")
    inputs = keras.Input((64,))
    model = keras.Model(inputs, head(backbone(inputs)))
    optimizer = Adam(1e-2)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOGITS(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    return Training(model, *data.digits(), epochs=1, loop=step)


@faulty("unchanged_weights", "dense dense_1", every=10, held_out=True)
def rate_of_zero() -> Training:
    return Training(classifier(64, layers.Dense(32, activation="relu"), optimizer=SGD(0.0)), *data.digits(), epochs=1)


@faulty("unchanged_weights poor_initialization", "dense dense_1", every=5, held_out=True)
def all_zeros() -> Training:
    stack = [layers.Dense(24, activation="relu", kernel_initializer="zeros") for _ in range(2)]
    return Training(classifier(13, *stack, classes=3), *data.standardized("wine"), batch_size=16, epochs=5)


@faulty("update_too_large", "dense dense_1", every=1, held_out=True)
def adam_with_a_rate_of_ten() -> Training:
    return Training(
        classifier(30, layers.Dense(32, activation="tanh"), classes=2, optimizer=Adam(10.0)), *data.standardized("breast_cancer"), epochs=2
    )


@faulty("update_too_small", "conv2d conv2d_1 dense", every=5, held_out=True)
def rate_of_a_billionth() -> Training:
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu")]
    return Training(pictures_classifier(*stack, optimizer=Adam(1e-9)), *data.images(), epochs=1)


@faulty("poor_initialization", "conv2d_1", every=1, held_out=True)
def convolution_with_a_deviation_of_five() -> Training:
    wide = keras.initializers.RandomNormal(stddev=5.0)
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu", kernel_initializer=wide)]
    return Training(pictures_classifier(*stack), *data.images(), epochs=1)
