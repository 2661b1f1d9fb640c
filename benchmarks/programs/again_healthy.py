"""A second set of healthy programs, written when the first blind set had been mended: what might be taken for a fault, and is none."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.blind_faulty import LOGITS, SGD, Adam, classifier, pictures_classifier, regressor
from benchmarks.programs.registry import Training, healthy


@healthy(every=1, held_out=True)
def thirty_slow_steps() -> Training:
    x, y = data.digits()
    return Training(classifier(64, layers.Dense(64, activation="relu"), optimizer=SGD(0.01)), x[:960], y[:960], epochs=1)


@healthy(every=10, held_out=True)
def ten_layers_of_tanh() -> Training:
    stack = [layers.Dense(48, activation="tanh") for _ in range(10)]
    return Training(classifier(64, *stack), *data.digits(), epochs=3)


@healthy(every=5, held_out=True)
def eight_layers_of_relu_on_flowers() -> Training:
    stack = [layers.Dense(32, activation="relu") for _ in range(8)]
    return Training(classifier(4, *stack, classes=3, optimizer=Adam(3e-3)), *data.standardized("iris"), batch_size=16, epochs=8)


@healthy(every=5, held_out=True)
def absolute_error_of_raw_targets() -> Training:
    model = regressor(10, layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"), optimizer=Adam(1e-2))
    model.compile(Adam(1e-2), "mae")
    return Training(model, data.standardized("diabetes")[0], data.raw("diabetes")[1].astype("float32"), epochs=12)


@healthy(every=5, held_out=True)
def many_labels_of_which_few_are_set() -> Training:
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(40, activation="sigmoid")])
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x, np.eye(40, dtype="float32")[4 * y + np.arange(len(y)) % 4], epochs=6)


@healthy(every=5, held_out=True)
def hinge_with_a_tanh_output() -> Training:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(24, activation="relu"), layers.Dense(1, activation="tanh")])
    model.compile(Adam(5e-3), "squared_hinge")
    return Training(model, *data.standardized("breast_cancer"), epochs=10)


@healthy(every=5, held_out=True)
def parametric_relu_and_mish() -> Training:
    stack = [layers.Dense(48), layers.PReLU(), layers.Dense(48, activation="mish"), layers.Dense(32, activation="softplus")]
    return Training(classifier(64, *stack), *data.digits(), epochs=4)


@healthy(every=5, held_out=True)
def sparse_autoencoder() -> Training:
    inputs = keras.Input((64,))
    code = layers.Dense(96, activation="relu", activity_regularizer=keras.regularizers.L1(1e-4))(inputs)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(code))
    model.compile(Adam(2e-3), "mse")
    return Training(model, data.digits()[0], data.digits()[0], epochs=10)


@healthy(every=5, held_out=True)
def factors_of_users_and_films() -> Training:
    random = np.random.default_rng(7)
    taste, film = random.normal(size=(60, 3)), random.normal(size=(90, 3))
    users, films = random.integers(0, 60, 3000), random.integers(0, 90, 3000)
    one, two = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    product = layers.Dot(axes=-1)([layers.Embedding(60, 8)(one), layers.Embedding(90, 8)(two)])
    model = keras.Model([one, two], product + layers.Flatten()(layers.Embedding(90, 1)(two)))
    model.compile(Adam(2e-2), "mse")
    return Training(model, [users, films], (taste[users] * film[films]).sum(-1).astype("float32"), epochs=4)


@healthy(every=5, held_out=True)
def neighbours_of_characters() -> Training:
    """Skip-gram with negative sampling."""
    pieces, _, size = data.characters(3, 2000)
    random = np.random.default_rng(1)
    center = np.concatenate([pieces[:, 1], pieces[:, 1]])
    context = np.concatenate([pieces[:, 2], random.permutation(pieces[:, 2])])
    label = np.concatenate([np.ones(len(pieces)), np.zeros(len(pieces))]).astype("float32")
    one, two = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    score = layers.Dot(axes=-1)([layers.Embedding(size, 12, name="center")(one), layers.Embedding(size, 12, name="context")(two)])
    model = keras.Model([one, two], layers.Activation("sigmoid")(score))
    model.compile(Adam(2e-2), "binary_crossentropy")
    return Training(model, [center, context], label, epochs=5)


@healthy(every=5, held_out=True)
def triplets_on_a_sphere() -> Training:
    x, y = data.digits()
    random = np.random.default_rng(3)
    same = np.array([random.choice(np.flatnonzero(y == label)) for label in y])
    other = np.array([random.choice(np.flatnonzero(y != label)) for label in y])
    tower = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(16), layers.UnitNormalization()], name="tower")
    inputs = [keras.Input((64,)) for _ in range(3)]
    a, p, n = (tower(one) for one in inputs)
    model = keras.Model(inputs, ops.sum(ops.square(a - p), -1) - ops.sum(ops.square(a - n), -1))
    model.compile(Adam(2e-3), lambda _, gap: ops.mean(ops.relu(gap + 0.5)))
    return Training(model, [x, x[same], x[other]], np.zeros(len(x), "float32"), epochs=5)


@healthy(every=5, held_out=True)
def pictures_augmented_in_the_model() -> Training:
    stack = [layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.05), layers.Conv2D(16, 3), layers.BatchNormalization(momentum=0.9)]
    stack += [layers.ReLU(), layers.Conv2D(32, 3, activation="relu"), layers.Dropout(0.3)]
    x, y = data.images()
    return Training(
        pictures_classifier(*stack, optimizer=Adam(3e-3)), x[:1400], y[:1400], epochs=5, options={"validation_data": (x[1400:], y[1400:])}
    )


@healthy(every=5, held_out=True)
def small_batches_with_batch_normalization() -> Training:
    x, y = data.standardized("wine")
    model = classifier(13, layers.Dense(24), layers.BatchNormalization(momentum=0.9), layers.ReLU(), classes=3)
    return Training(model, x[::2], y[::2], batch_size=8, epochs=10, options={"validation_data": (x[1::2], y[1::2])})


@healthy(every=5, held_out=True)
def long_run_with_batch_normalization() -> Training:
    x, y = data.images()
    stack = [layers.Conv2D(16, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(2)]
    stack += [layers.Conv2D(32, 2, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    return Training(
        pictures_classifier(*stack, optimizer=Adam(1e-3)), x[:1400], y[:1400], epochs=14, options={"validation_data": (x[1400:], y[1400:])}
    )


@healthy(every=5, held_out=True)
def class_token_and_positions() -> Training:
    class WithToken(layers.Layer):
        def build(self, shape: Any) -> None:
            self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros", name="token")
            self.position = self.add_weight(
                shape=(1, shape[1] + 1, shape[-1]), initializer=keras.initializers.RandomNormal(stddev=0.02), name="position"
            )

        def call(self, x: Any) -> Any:
            token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
            return ops.concatenate([token, x], axis=1) + self.position

    inputs = keras.Input((8, 8))
    x = WithToken()(layers.Dense(32)(inputs))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, 8)(y, y)
        x = x + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x)))
    model = keras.Model(inputs, layers.Dense(10)(layers.LayerNormalization()(x)[:, 0]))
    model.compile(keras.optimizers.AdamW(2e-3), LOGITS)
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=4)


@healthy(every=5, held_out=True)
def two_masked_lstms() -> Training:
    ids, labels, size = data.lines()
    model = keras.Sequential([keras.Input((24,), dtype="int32"), layers.Embedding(size, 16, mask_zero=True)])
    model.add(layers.Bidirectional(layers.LSTM(16, return_sequences=True)))
    model.add(layers.LSTM(16, dropout=0.2, recurrent_dropout=0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(Adam(1e-2), "binary_crossentropy")
    return Training(model, ids, labels, epochs=3)


@healthy(every=5, held_out=True)
def simple_recurrent_rows() -> Training:
    images, labels = data.images()
    model = keras.Sequential([keras.Input((8, 8)), layers.SimpleRNN(32, return_sequences=True), layers.SimpleRNN(32), layers.Dense(10, "softmax")])
    model.compile(Adam(3e-3), "sparse_categorical_crossentropy")
    return Training(model, images[..., 0], labels, epochs=5)


@healthy(every=5, held_out=True)
def pictures_over_time() -> Training:
    images, labels = data.images()
    moving = np.stack([np.roll(images, shift, axis=2) for shift in range(3)], axis=1)
    model = keras.Sequential([keras.Input((3, 8, 8, 1)), layers.ConvLSTM2D(8, 3), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile(Adam(5e-3), "sparse_categorical_crossentropy")
    return Training(model, moving[:960], labels[:960], epochs=3)


class Penalized(keras.Model):
    """A Wasserstein GAN whose critic's gradient is penalized: a tape inside a tape."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.Sequential(
            [keras.Input((8,)), layers.Dense(48), layers.LeakyReLU(), layers.Dense(64, activation="tanh")], name="generator"
        )
        self.critic = keras.Sequential([keras.Input((64,)), layers.Dense(48), layers.LeakyReLU(), layers.Dense(1)], name="critic")
        self.other = Adam(5e-4, beta_1=0.5)

    def train_step(self, real: Any) -> Any:
        noise = tf.random.normal((tf.shape(real)[0], 8))
        with tf.GradientTape() as tape:
            fake = self.generator(noise)
            mixed = real + tf.random.uniform((tf.shape(real)[0], 1)) * (fake - real)
            with tf.GradientTape() as inner:
                inner.watch(mixed)
                score = self.critic(mixed)
            slope = tf.sqrt(tf.reduce_sum(tf.square(inner.gradient(score, mixed)), axis=-1) + 1e-12)
            loss = tf.reduce_mean(self.critic(fake)) - tf.reduce_mean(self.critic(real)) + 10 * tf.reduce_mean(tf.square(slope - 1))
        weights = self.critic.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        with tf.GradientTape() as tape:
            loss_g = -tf.reduce_mean(self.critic(self.generator(noise)))
        weights = self.generator.trainable_weights
        self.other.apply(tape.gradient(loss_g, weights), weights)
        return {"critic": loss, "generator": loss_g}


@healthy(every=5, held_out=True)
def wasserstein_with_a_penalty() -> Training:
    model = Penalized()
    model.compile(Adam(5e-4, beta_1=0.5))
    return Training(model, data.digits()[0] * 2 - 1, epochs=5)


@healthy(every=5, held_out=True)
def perceptual_loss() -> Training:
    x, y = data.digits()
    judge = keras.Sequential([keras.Input((64,)), layers.Dense(48, activation="relu"), layers.Dense(10)], name="judge")
    judge.compile("adam", LOGITS)
    judge.fit(x, y, epochs=4, verbose=0)
    painter = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(64, activation="sigmoid")], name="painter")
    optimizer = Adam(3e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            painted = painter(x)
            loss = tf.reduce_mean(tf.square(judge(painted) - judge(x))) + tf.reduce_mean(tf.square(painted - x))
        optimizer.apply(tape.gradient(loss, painter.trainable_variables), painter.trainable_variables)
        return loss

    return Training(painter, x, y, epochs=4, loop=step)


@healthy(every=3, held_out=True)
def four_steps_in_one_call() -> Training:
    model = classifier(64, layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"))
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy", steps_per_execution=4)
    return Training(model, *data.digits(), epochs=4)


@healthy(every=5, held_out=True)
def tied_weights() -> Training:
    class Tied(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 24), name="kernel")

        def call(self, x: Any) -> Any:
            return ops.matmul(ops.tanh(ops.matmul(x, self.kernel)), ops.transpose(self.kernel))

    model = keras.Sequential([keras.Input((64,)), Tied()])
    model.compile(Adam(3e-3), "mse")
    return Training(model, data.digits()[0], data.digits()[0], epochs=6)


@healthy(every=5, held_out=True)
def quantized_in_the_middle() -> Training:
    """A straight-through estimator: rounding forward, identity backward."""

    class Rounded(layers.Layer):
        def call(self, x: Any) -> Any:
            return x + ops.stop_gradient(ops.round(x) - x)

    return Training(classifier(64, layers.Dense(32, activation="sigmoid"), Rounded(), layers.Dense(32, activation="relu")), *data.digits(), epochs=5)


@healthy(every=5, held_out=True)
def columns_near_the_edge_of_normal() -> Training:
    """Raw flowers and raw petals: a root mean square of 4 and columns of different spread."""
    return Training(classifier(4, layers.Dense(24, activation="tanh"), classes=3, optimizer=Adam(1e-2)), *data.raw("iris"), batch_size=10, epochs=10)


@healthy(every=5, held_out=True)
def confident_after_long_training() -> Training:
    x, y = data.standardized("breast_cancer")
    return Training(classifier(30, layers.Dense(32, activation="relu"), classes=2, optimizer=Adam(1e-2)), x, y, epochs=30)
