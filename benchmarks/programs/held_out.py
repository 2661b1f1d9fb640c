"""Programs written after rules and thresholds were fixed, in the style of somebody who doesn't know them: default names, few steps, other
schedules."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam


def sequential(*stack: Any, optimizer: Any = "adam", loss: str = "sparse_categorical_crossentropy") -> keras.Model:
    """A compiled `Sequential`; its layers have the names that Keras gives."""
    model = keras.Sequential(list(stack))
    model.compile(optimizer, loss)
    return model


# Healthy.


@healthy(every=3, held_out=True)
def covertype_like_tanh_sgd() -> Training:
    model = sequential(
        keras.Input((13,)),
        layers.Dense(24, activation="tanh"),
        layers.Dense(24, activation="tanh"),
        layers.Dense(3, activation="softmax"),
        optimizer=SGD(0.05),
    )
    return Training(model, *data.standardized("wine"), batch_size=8, epochs=12)


@healthy(every=10, held_out=True)
def huber_with_steps() -> Training:
    model = sequential(
        keras.Input((10,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(1),
        optimizer=Adam(keras.optimizers.schedules.PiecewiseConstantDecay([60, 120], [3e-3, 3e-4, 3e-5])),
        loss="huber",
    )
    return Training(model, *data.standardized("diabetes"), epochs=14)


@healthy(every=1, held_out=True)
def lenet_average_pool() -> Training:
    model = sequential(
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, activation="tanh", padding="same"),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 3, activation="tanh"),
        layers.Flatten(),
        layers.Dense(32, activation="tanh"),
        layers.Dense(10, activation="softmax"),
        optimizer=SGD(0.1),
    )
    return Training(model, *data.images(), batch_size=48, epochs=2)


@healthy(every=7, held_out=True)
def highway_gates() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    for _ in range(4):
        gate = layers.Dense(32, activation="sigmoid", bias_initializer=keras.initializers.Constant(-2.0))(x)
        x = gate * layers.Dense(32, activation="relu")(x) + (1 - gate) * x
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@healthy(every=4, held_out=True)
def dense_connections() -> Training:
    inputs = x = keras.Input((8, 8, 1))
    for _ in range(4):
        y = layers.Conv2D(8, 3, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.Concatenate()([x, y])
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile(Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, *data.images(), batch_size=64, epochs=4)


@healthy(every=5, held_out=True)
def siamese_distance() -> Training:
    x, y = data.digits()
    order = np.random.default_rng(0).permutation(len(x))
    one, two = keras.Input((64,), name="one"), keras.Input((64,), name="two")
    tower = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(16)], name="tower")
    difference = ops.abs(tower(one) - tower(two))
    model = keras.Model([one, two], layers.Dense(1, activation="sigmoid")(difference))
    model.compile("adam", "binary_crossentropy")
    same = np.where(np.arange(len(x)) % 2, y == y[order], True)
    partner = np.where((np.arange(len(x)) % 2)[:, None], x[order], x[np.array([np.flatnonzero(y == label)[0] for label in y])])
    return Training(model, [x, partner], same.astype("float32"), epochs=4)


@healthy(every=5, held_out=True)
def bidirectional_tagger() -> Training:
    x, _, size = data.characters(16, 700)
    inside = np.cumsum(np.isin(x, [0, 1]), axis=1) % 2
    model = sequential(
        keras.Input((16,), dtype="int32"),
        layers.Embedding(size, 16),
        layers.Bidirectional(layers.GRU(12, return_sequences=True)),
        layers.Dense(1, activation="sigmoid"),
        optimizer=Adam(1e-2),
        loss="binary_crossentropy",
    )
    return Training(model, x, inside[..., None].astype("float32"), epochs=3)


@healthy(every=5, held_out=True)
def cross_attention() -> Training:
    inputs = keras.Input((8, 8))
    tokens = layers.Dense(24)(inputs)
    queries = layers.Dense(24)(ops.mean(inputs, axis=1, keepdims=True))
    read = layers.MultiHeadAttention(3, 8)(queries, tokens)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(layers.LayerNormalization()(read))))
    model.compile(Adam(3e-3), "sparse_categorical_crossentropy")
    x, y = data.images()
    return Training(model, x[..., 0], y, epochs=5)


@healthy(every=6, held_out=True)
def distillation() -> Training:
    x, y = data.digits()
    teacher = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(10)])
    teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    teacher.fit(x, y, epochs=4, verbose=0)
    student = keras.Sequential([keras.Input((64,)), layers.Dense(12, activation="relu"), layers.Dense(10)])

    class Distiller(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.student, self.teacher = student, teacher

        def train_step(self, batch: Any) -> Any:
            images, _ = batch
            target = ops.softmax(self.teacher(images) / 2)
            with tf.GradientTape() as tape:
                loss = ops.mean(keras.losses.categorical_crossentropy(target, self.student(images) / 2, from_logits=True))
            weights = self.student.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = Distiller()
    model.compile("adam")
    return Training(model, x, y, epochs=5)


@healthy(every=8, held_out=True)
def text_convolution() -> Training:
    ids, labels, size = data.lines()
    model = sequential(
        keras.Input((24,), dtype="int32"),
        layers.Embedding(size, 16),
        layers.Conv1D(32, 3, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dropout(0.3),
        layers.Dense(1, activation="sigmoid"),
        loss="binary_crossentropy",
    )
    return Training(model, ids, labels, epochs=4)


@healthy(every=2, held_out=True)
def poisson_counts() -> Training:
    random = np.random.default_rng(3)
    x = random.normal(size=(800, 4)).astype("float32")
    y = random.poisson(np.exp(0.5 * x[:, 0] - 0.3 * x[:, 1] + 1)).astype("float32")
    model = sequential(
        keras.Input((4,)), layers.Dense(16, activation="softplus"), layers.Dense(1, activation="exponential"), optimizer=Adam(5e-3), loss="poisson"
    )
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def imbalanced_with_class_weights() -> Training:
    x, y = data.digits()
    model = sequential(keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")
    return Training(model, x, (y == 3).astype("float32"), epochs=5, options={"class_weight": {0: 1.0, 1: 9.0}})


# Faulty.


@faulty("dead_units", "dense_1", every=4, held_out=True)
def relu_with_a_wrong_sign() -> Training:
    model = sequential(
        keras.Input((30,)),
        layers.Dense(32, activation="relu"),
        layers.Dense(16, activation="relu", kernel_initializer=keras.initializers.RandomUniform(-0.6, -0.1)),
        layers.Dense(1, activation="sigmoid"),
        loss="binary_crossentropy",
    )
    return Training(model, *data.standardized("breast_cancer"), epochs=4)


@faulty("dead_units update_too_large", "conv2d conv2d_1 dense dense_1", every=2, held_out=True)
def killed_by_the_rate() -> Training:
    model = sequential(
        keras.Input((8, 8, 1)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
        optimizer=Adam(0.8),
    )
    return Training(model, *data.images(), epochs=3)


@faulty("saturated_activation", "simple_rnn", every=5, held_out=True)
def rnn_driven_to_its_ends() -> Training:
    x, y = data.series()
    model = sequential(keras.Input((30, 1)), layers.Rescaling(40.0), layers.SimpleRNN(16), layers.Dense(1), loss="mse")
    return Training(model, x, y, epochs=4)


@faulty("vanishing_gradient", "dense", every=10, held_out=True)
def ten_sigmoids_on_tumours() -> Training:
    stack = [layers.Dense(20, activation="sigmoid") for _ in range(10)]
    model = sequential(keras.Input((30,)), *stack, layers.Dense(1, activation="sigmoid"), optimizer=SGD(0.05), loss="binary_crossentropy")
    return Training(model, *data.standardized("breast_cancer"), epochs=8)


@faulty("exploding_gradient exploding_activation poor_initialization", "simple_rnn", every=1, held_out=True)
def relu_rnn_through_time() -> Training:
    x, y = data.series()
    rnn = layers.SimpleRNN(24, activation="relu", recurrent_initializer=keras.initializers.Identity(gain=2.2))
    return Training(sequential(keras.Input((30, 1)), rnn, layers.Dense(1), optimizer=SGD(1e-4), loss="mse"), x, y, epochs=1)


@faulty("exploding_activation", "lambda", every=5, held_out=True)
def squared_twice() -> Training:
    model = sequential(
        keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Lambda(lambda z: (10 * z) ** 4), layers.Dense(10, activation="softmax")
    )
    return Training(model, *data.digits(), epochs=3)


@faulty("unchanged_weights missing_gradient", "head", every=5, held_out=True)
def forgotten_in_the_optimizer() -> Training:
    class Forgetful(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = layers.Dense(32, activation="relu", name="body"), layers.Dense(10, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.body(x))

        def train_step(self, batch: Any) -> Any:
            x, y = batch
            with tf.GradientTape() as tape:
                loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, self(x, training=True), from_logits=True))
            weights = self.body.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = Forgetful()
    model.compile("adam")
    return Training(model, *data.digits(), epochs=4)


@faulty("update_too_small", "dense dense_1 conv1d", every=5, held_out=True)
def rate_of_a_typo() -> Training:
    model = sequential(
        keras.Input((30, 1)),
        layers.Conv1D(16, 5, activation="relu"),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
        optimizer=Adam(1e-7),
        loss="mse",
    )
    return Training(model, *data.series(), epochs=4)


@faulty("poor_initialization", "dense_1", every=5, held_out=True)
def far_too_wide() -> Training:
    model = sequential(
        keras.Input((13,)),
        layers.Dense(32, activation="relu"),
        layers.Dense(32, activation="relu", kernel_initializer=keras.initializers.RandomNormal(stddev=2.0)),
        layers.Dense(3, activation="softmax"),
    )
    return Training(model, *data.standardized("wine"), batch_size=16, epochs=8)


@faulty("collapse", "reduce", every=5, held_out=True)
def pooled_over_examples() -> Training:
    class Reduce(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.broadcast_to(ops.max(x, axis=(0, 1), keepdims=True), ops.shape(x))

    inputs = keras.Input((8, 8))
    x = Reduce(name="reduce")(layers.GRU(16, return_sequences=True)(inputs))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=3)


@faulty("unnormalized_input", "raw", every=5, held_out=True)
def thousands_in_a_column() -> Training:
    x, y = data.standardized("iris")
    x = x.copy()
    x[:, 2] = 1000 * x[:, 2] + 5000
    model = sequential(keras.Input((4,), name="raw"), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    return Training(model, x, y, batch_size=16, epochs=10)


@faulty("nonfinite", "divide", every=1, held_out=True)
def zero_over_zero() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = ops.divide(x, ops.sum(x * 0, axis=-1, keepdims=True))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=1)


@faulty("nonfinite", "sqrt", every=1, held_out=True)
def root_of_nothing() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = layers.Dense(10, activation="softmax")(ops.sqrt(x))
    model = keras.Model(inputs, x)
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def loss_of_a_logarithm() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(10)])
    model.compile("adam", lambda y, p: -ops.mean(ops.log(ops.sum(p * ops.one_hot(ops.cast(y[:, 0], "int32"), 10), axis=-1))))
    return Training(model, data.digits()[0], data.digits()[1][:, None], epochs=1)


@faulty("missing_gradient", "hidden", every=5, held_out=True)
def thresholded() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, name="hidden")(inputs)
    x = ops.cast(x > 0, "float32")
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=3)


@faulty("oscillating_loss update_too_large exploding_loss exploding_gradient", "loss dense dense_1", every=1, held_out=True)
def momentum_gone_wild() -> Training:
    model = sequential(keras.Input((10,)), layers.Dense(16, activation="tanh"), layers.Dense(1), optimizer=SGD(0.9, momentum=0.99), loss="mse")
    return Training(model, *data.standardized("diabetes"), epochs=6)
