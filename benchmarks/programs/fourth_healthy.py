"""A fourth set of healthy programs, written without a look at the rules: what short scripts train, each with something that may look like a fault."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.fourth_data import LOGITS, blobs, classifier, encoder_block, padded, plane, regressor, sentences, shapes, transformer, waves
from benchmarks.programs.registry import Training, healthy

SGD, Adam, AdamW, RMSprop = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW, keras.optimizers.RMSprop


def validated(model: keras.Model, x: Any, y: Any, **arguments: Any) -> Training:
    """With a fifth of the examples kept for validation."""
    kept = len(x) // 5
    return Training(model, x[kept:], y[kept:], options={"validation_data": (x[:kept], y[:kept])}, **arguments)


# Dense networks.


@healthy(every=10, held_out=True)
def blobs_with_dropout_of_a_half() -> Training:
    stack: list[Any] = []
    for _ in range(2):
        stack += [layers.Dense(64, activation="relu"), layers.Dropout(0.5)]
    return validated(classifier((20,), *stack), *blobs(), epochs=5)


@healthy(every=1, held_out=True)
def twenty_steps_on_blobs() -> Training:
    x, y = blobs()
    return Training(classifier((20,), layers.Dense(32, activation="relu")), x[:640], y[:640], epochs=1)


@healthy(every=5, held_out=True)
def batches_of_four() -> Training:
    return Training(classifier((20,), layers.Dense(32, activation="relu"), optimizer=SGD(0.01, momentum=0.9)), *blobs(300), batch_size=4, epochs=2)


@healthy(every=20, held_out=True)
def wide_relu_layers_that_are_sparse() -> Training:
    shy = keras.initializers.Constant(-0.7)
    stack = [layers.Dense(256, activation="relu", bias_initializer=shy), layers.Dense(128, activation="relu")]
    return Training(classifier((20,), *stack), *blobs(), epochs=5)


@healthy(every=10, held_out=True)
def easy_blobs_until_the_softmax_is_sure() -> Training:
    model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(4, activation="softmax")])
    model.compile(Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, *blobs(spread=0.4), epochs=8)


@healthy(every=10, held_out=True)
def logistic_regression_that_separates() -> Training:
    x, y = blobs(classes=2, spread=0.5)
    model = keras.Sequential([keras.Input((20,)), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(1e-2), "binary_crossentropy")
    return Training(model, x, y.astype("float32"), epochs=10)


@healthy(every=5, held_out=True)
def linear_regression_on_a_plane() -> Training:
    return Training(regressor(optimizer=SGD(0.05)), *plane(), epochs=4)


@healthy(every=5, held_out=True)
def regression_with_decay_of_weights() -> Training:
    stack = [layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)), layers.Dense(32, activation="relu")]
    return validated(regressor(*stack, optimizer=AdamW(3e-3, weight_decay=0.05)), *plane(), epochs=5)


@healthy(every=5, held_out=True)
def steps_of_a_warmup_are_tiny_at_first() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(0.0, 200, warmup_target=3e-3, warmup_steps=60)
    stack = [layers.Dense(64, activation="gelu"), layers.Dense(64, activation="gelu")]
    return Training(classifier((20,), *stack, optimizer=Adam(rate)), *blobs(), epochs=6)


@healthy(every=2, held_out=True)
def gradients_clipped_to_a_norm_of_one() -> Training:
    stack = [layers.Dense(64, activation="tanh"), layers.Dense(64, activation="tanh")]
    return Training(regressor(*stack, optimizer=SGD(0.1, momentum=0.9, clipnorm=1.0)), *plane(), epochs=3)


@healthy(every=5, held_out=True)
def gradient_descent_with_a_rate_of_a_half() -> Training:
    return Training(classifier((20,), layers.Dense(32, activation="tanh"), optimizer=SGD(0.5)), *blobs(), epochs=4)


@healthy(every=10, held_out=True)
def one_of_twenty_is_positive() -> Training:
    x, y = blobs(2000, classes=20)
    model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, (y == 0).astype("float32"), epochs=5)


@healthy(every=5, held_out=True)
def one_hot_table() -> Training:
    random = np.random.default_rng(0)
    columns = [np.eye(size, dtype="float32")[random.integers(0, size, 1000)] for size in (3, 7, 12, 40)]
    x = np.concatenate(columns, 1)
    y = (x @ random.normal(size=x.shape[1]) > 0).astype("int32")
    return Training(classifier((62,), layers.Dense(32, activation="relu"), classes=2), x, y, epochs=4)


@healthy(every=5, held_out=True)
def binary_answers_of_a_form() -> Training:
    random = np.random.default_rng(0)
    x = (random.uniform(size=(1000, 30)) < random.uniform(0.02, 0.6, 30)).astype("float32")
    y = (x[:, :10].sum(1) > x[:, 10:20].sum(1)).astype("int32")
    return Training(classifier((30,), layers.Dense(32, activation="relu"), classes=2), x, y, epochs=4)


@healthy(every=10, held_out=True)
def labels_by_chance() -> Training:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(1000, 16)).astype("float32"), random.integers(0, 3, 1000)
    return Training(classifier((16,), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"), classes=3), x, y, epochs=3)


@healthy(every=10, held_out=True)
def random_table_in_zero_to_one() -> Training:
    x = np.random.default_rng(0).uniform(size=(1000, 10)).astype("float32")
    return Training(regressor(layers.Dense(32, activation="relu"), shape=(10,)), x, x.sum(1, keepdims=True), epochs=4)


@healthy(every=10, held_out=True)
def frozen_layer_of_random_features() -> Training:
    stack = [layers.Dense(200, activation="relu", trainable=False), layers.Dense(32, activation="relu")]
    return Training(classifier((20,), *stack), *blobs(), epochs=4)


@healthy(every=10, held_out=True)
def batch_norm_before_every_relu() -> Training:
    stack: list[Any] = []
    for _ in range(3):
        stack += [layers.Dense(64, use_bias=False), layers.BatchNormalization(momentum=0.9), layers.ReLU()]
    return validated(classifier((20,), *stack, optimizer=Adam(1e-2)), *blobs(), epochs=6)


@healthy(every=10, held_out=True)
def batch_norm_of_batches_of_eight() -> Training:
    stack = [layers.Dense(32), layers.BatchNormalization(momentum=0.95), layers.ReLU()]
    return validated(classifier((20,), *stack), *blobs(), batch_size=8, epochs=3)


@healthy(every=5, held_out=True)
def ten_residual_blocks() -> Training:
    inputs = keras.Input((20,))
    x = layers.Dense(32)(inputs)
    for _ in range(10):
        y = layers.Dense(32, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    model = keras.Model(inputs, layers.Dense(4)(layers.LayerNormalization()(x)))
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, *blobs(), epochs=3)


@healthy(every=5, held_out=True)
def iris_with_full_batches() -> Training:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(Adam(2e-2), "sparse_categorical_crossentropy")
    return Training(model, *data.standardized("iris"), batch_size=150, epochs=80)


@healthy(every=10, held_out=True)
def exclusive_or() -> Training:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(0.05), "binary_crossentropy")
    return Training(model, x, np.array([0, 1, 1, 0], "float32"), batch_size=4, epochs=200)


@healthy(every=5, held_out=True)
def rmsprop_and_leaky_units() -> Training:
    stack = [layers.Dense(64), layers.LeakyReLU(0.1), layers.Dense(32, activation="elu")]
    return validated(regressor(*stack, optimizer=RMSprop(1e-3)), *plane(), epochs=4)


@healthy(every=5, held_out=True)
def quality_from_normalized_wine() -> Training:
    x, y = data.raw("wine")
    normalize = layers.Normalization()
    normalize.adapt(x)
    model = keras.Sequential([keras.Input((13,)), normalize, layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(Adam(1e-2), "sparse_categorical_crossentropy")
    return Training(model, x, y, batch_size=16, epochs=10)


@healthy(every=5, held_out=True)
def mixed_float16_on_blobs() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(4, dtype="float32")]
    model = keras.Sequential([keras.Input((20,)), *stack])
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, *blobs(), epochs=4)


@healthy(every=1, held_out=True)
def scale_that_backs_off_twice() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((20,)), layers.Dense(64, activation="relu"), layers.Dense(4, dtype="float32")])
    model.compile(keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**18), LOGITS)
    return Training(model, 5 * blobs()[0], blobs()[1], epochs=3)


@healthy(every=10, held_out=True)
def own_loop_with_a_tape() -> Training:
    model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(4)])
    optimizer = Adam(3e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOGITS(y, model(x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return loss

    return Training(model, *blobs(), epochs=4, loop=step)


@healthy(every=10, held_out=True)
def bottleneck_of_two_units() -> Training:
    x, _ = blobs()
    stack = [layers.Dense(16, activation="relu"), layers.Dense(2), layers.Dense(16, activation="relu"), layers.Dense(20)]
    model = keras.Sequential([keras.Input((20,)), *stack])
    model.compile(Adam(5e-3), "mse")
    return Training(model, x, x, epochs=5)


# Pictures.


@healthy(every=5, held_out=True)
def small_convolution_on_shapes() -> Training:
    stack: list[Any] = []
    for filters in (8, 16):
        stack += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    return validated(classifier((12, 12, 1), *stack, layers.Flatten(), layers.Dense(32, activation="relu"), classes=3), *shapes(), epochs=5)


@healthy(every=5, held_out=True)
def bytes_rescaled_and_augmented() -> Training:
    x, y = shapes()
    stack = [layers.Rescaling(1 / 255), layers.RandomFlip(), layers.Conv2D(8, 3, activation="relu"), layers.GlobalMaxPooling2D()]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=Adam(5e-3)), np.round(255 * x), y, epochs=4)


@healthy(every=5, held_out=True)
def residual_convolutions_with_batch_norm() -> Training:
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(3):
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Conv2D(16, 3, padding="same")(x)))
        x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization(momentum=0.9)(layers.Conv2D(16, 3, padding="same")(y))]))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    model.compile(SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return validated(model, *shapes(), epochs=5)


@healthy(every=10, held_out=True)
def convolutional_autoencoder() -> Training:
    x, _ = shapes()
    stack = [layers.Conv2D(8, 3, 2, padding="same", activation="relu"), layers.Conv2D(16, 3, 2, padding="same", activation="relu")]
    stack += [layers.Conv2DTranspose(8, 3, 2, padding="same", activation="relu"), layers.Conv2DTranspose(8, 3, 2, padding="same", activation="relu")]
    model = keras.Sequential([keras.Input((12, 12, 1)), *stack, layers.Conv2D(1, 3, padding="same", activation="sigmoid")])
    model.compile(Adam(3e-3), "mse")
    return Training(model, x, x, epochs=5)


@healthy(every=5, held_out=True)
def lenet_with_tanh() -> Training:
    stack = [layers.Conv2D(6, 5, activation="tanh"), layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(32, activation="tanh")]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=SGD(0.1)), *shapes(), epochs=5)


@healthy(every=5, held_out=True)
def digits_as_black_and_white() -> Training:
    x, y = data.images()
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dropout(0.3)]
    return validated(classifier((8, 8, 1), *stack, classes=10, optimizer=Adam(3e-3)), (x > 0.5).astype("float32"), y, epochs=3)


@healthy(every=10, held_out=True)
def tuned_after_the_base_was_frozen() -> Training:
    base = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(16, 3, activation="relu"), layers.GlobalMaxPooling2D()], name="base")
    first = keras.Sequential([base, layers.Dense(3)])
    first.compile(Adam(1e-2), LOGITS)
    x, y = shapes()
    first.fit(x, y, epochs=3, verbose=0)
    base.trainable = False
    return Training(classifier((12, 12, 1), base, layers.Dense(16, activation="relu"), classes=2), x, (y > 0).astype("int32"), epochs=3)


@healthy(every=5, held_out=True)
def every_second_epoch_a_smaller_rate() -> Training:
    rate = keras.optimizers.schedules.ExponentialDecay(5e-3, 50, 0.5, staircase=True)
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.BatchNormalization(momentum=0.9), layers.GlobalAveragePooling2D()]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer=Adam(rate)), *shapes(), epochs=6)


# Sequences.


@healthy(every=5, held_out=True)
def lstm_on_waves() -> Training:
    return validated(classifier((24, 2), layers.LSTM(24), classes=2, optimizer=Adam(5e-3)), *waves(), epochs=5)


@healthy(every=5, held_out=True)
def masked_sentences_in_a_gru() -> Training:
    stack = [layers.Embedding(50, 16, mask_zero=True), layers.Bidirectional(layers.GRU(16))]
    return Training(classifier((16,), *stack, classes=2, optimizer=Adam(3e-3)), *padded(), epochs=4)


@healthy(every=5, held_out=True)
def most_words_never_come() -> Training:
    stack = [layers.Embedding(5000, 16), layers.GlobalAveragePooling1D(), layers.Dense(16, activation="relu")]
    return Training(classifier((16,), *stack, classes=2, optimizer=Adam(1e-2)), *sentences(), epochs=5)


@healthy(every=5, held_out=True)
def next_value_of_a_wave() -> Training:
    x, y = data.series()
    model = regressor(layers.SimpleRNN(24), shape=(30, 1), optimizer=Adam(2e-3))
    return Training(model, x, y, epochs=4)


@healthy(every=5, held_out=True)
def audio_in_minus_one_to_one() -> Training:
    x, y = waves(length=64)
    stack = [layers.Conv1D(16, 9, 2, activation="relu"), layers.Conv1D(16, 5, 2, activation="relu"), layers.GlobalAveragePooling1D()]
    return validated(classifier((64, 2), *stack, classes=2, optimizer=Adam(5e-3)), x, y, epochs=4)


@healthy(every=5, held_out=True)
def small_transformer_on_sentences() -> Training:
    return validated(transformer(Adam(1e-3)), *sentences(), epochs=5)


@healthy(every=5, held_out=True)
def transformer_with_warmup_and_clipping() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(1e-6, 150, warmup_target=2e-3, warmup_steps=40)
    return Training(transformer(AdamW(rate, weight_decay=0.01, clipnorm=1.0), blocks=3), *sentences(), epochs=5)


@healthy(every=10, held_out=True)
def patches_of_shapes() -> Training:
    inputs = keras.Input((12, 12, 1))
    x = layers.Reshape((9, 32))(layers.Conv2D(32, 4, 4)(inputs))
    for _ in range(2):
        x = encoder_block(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))))
    model.compile(Adam(2e-3), LOGITS)
    return Training(model, *shapes(), epochs=4)


@healthy(every=5, held_out=True)
def next_character_of_code() -> Training:
    x, y, words = data.characters(24, 600)
    model = keras.Sequential(
        [keras.Input((24,), dtype="int32"), layers.Embedding(words, 24), layers.GRU(48, return_sequences=True), layers.Dense(words)]
    )
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, x, y, epochs=3)


# Models that make something.


@healthy(every=10, held_out=True)
def variational_autoencoder_of_digits() -> Training:
    class Sampling(layers.Layer):
        def call(self, mean: Any, log_variance: Any) -> Any:
            self.add_loss(-0.5 * 1e-2 * ops.mean(ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), -1)))
            return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))

    x, _ = data.digits()
    inputs = keras.Input((64,))
    h = layers.Dense(64, activation="relu")(inputs)
    z = Sampling()(layers.Dense(8)(h), layers.Dense(8)(h))
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(layers.Dense(64, activation="relu")(z)))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, x, epochs=5)


@healthy(every=5, held_out=True)
def gan_on_a_gaussian() -> Training:
    bce = keras.losses.BinaryCrossentropy(from_logits=True)

    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(2)], name="generator")
            stack = [layers.Dense(32), layers.LeakyReLU(0.2), layers.Dense(1)]
            self.discriminator = keras.Sequential([keras.Input((2,)), *stack], name="discriminator")
            self.second = Adam(1e-3, beta_1=0.5)

        def train_step(self, real: Any) -> Any:
            n = ops.shape(real)[0]
            with tf.GradientTape() as tape:
                fake = self.discriminator(self.generator(keras.random.normal((n, 8))))
                true = self.discriminator(real)
                d_loss = bce(ops.ones_like(true), true) + bce(ops.zeros_like(fake), fake)
            weights = self.discriminator.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            with tf.GradientTape() as tape:
                fake = self.discriminator(self.generator(keras.random.normal((n, 8))))
                g_loss = bce(ops.ones_like(fake), fake)
            weights = self.generator.trainable_variables
            self.second.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            return {"d_loss": d_loss, "g_loss": g_loss}

    model = Gan()
    model.compile(Adam(1e-3, beta_1=0.5))
    return Training(model, np.random.default_rng(0).normal((1, -1), size=(1000, 2)).astype("float32"), epochs=4)


@healthy(every=5, held_out=True)
def two_inputs_and_two_outputs() -> Training:
    x, y = blobs()
    ids = np.random.default_rng(0).integers(0, 10, (len(x), 1)).astype("int32")
    table, kind = keras.Input((20,), name="table"), keras.Input((1,), dtype="int32", name="kind")
    h = layers.Concatenate()([layers.Dense(32, activation="relu")(table), layers.Flatten()(layers.Embedding(10, 4)(kind))])
    outputs = {"label": layers.Dense(4, activation="softmax", name="label")(h), "amount": layers.Dense(1, name="amount")(h)}
    model = keras.Model({"table": table, "kind": kind}, outputs)
    model.compile("adam", {"label": "sparse_categorical_crossentropy", "amount": "mse"}, loss_weights={"label": 1.0, "amount": 0.3})
    amounts = (x[:, :1] + 0.3 * (ids - 4.5)).astype("float32")
    return Training(model, {"table": x, "kind": ids}, {"label": y, "amount": amounts}, epochs=4)
