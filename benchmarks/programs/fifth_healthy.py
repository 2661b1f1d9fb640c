"""A fifth set of healthy programs, by an author who knew the rules and looked for what may trip them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.fourth_data import LOGITS, blobs, classifier, encoder_block, padded, plane, regressor, sentences, shapes, waves
from benchmarks.programs.registry import Training, healthy

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
Constant = keras.initializers.Constant


# Regression.


@healthy(every=5, held_out=True)
def temperatures_around_thirty() -> Training:
    x, y = plane()
    return Training(regressor(layers.Dense(32, activation="relu"), optimizer=Adam(1e-2)), x, 10 * y + 30, epochs=6)


@healthy(every=20, held_out=True)
def linear_regression_of_percentages() -> Training:
    x, y = plane()
    return Training(regressor(optimizer=SGD(0.05)), x, 15 * y + 50, epochs=5)


@healthy(every=10, held_out=True)
def mostly_noise_until_nothing_moves() -> Training:
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 6)).astype("float32")
    y = (0.3 * x[:, :1] + random.normal(size=(256, 1))).astype("float32")
    return Training(regressor(optimizer=SGD(0.3), shape=(6,)), x, y, batch_size=256, epochs=200)


@healthy(every=5, held_out=True)
def counts_by_poisson() -> Training:
    x, _ = plane()
    y = np.random.default_rng(0).poisson(np.exp(0.5 * x[:, :1] + 1)).astype("float32")
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="exponential")])
    model.compile(Adam(5e-3), "poisson")
    return Training(model, x, y, epochs=4)


@healthy(every=10, held_out=True)
def sixteen_examples_by_heart() -> Training:
    x, y = blobs(16)
    return Training(classifier((20,), layers.Dense(64, activation="relu"), optimizer=Adam(1e-2)), x, y, batch_size=16, epochs=200)


@healthy(every=5, held_out=True)
def sine_by_sines() -> Training:
    x, y = data.sine()
    wide = keras.initializers.RandomUniform(-10.0, 10.0)
    stack = [layers.Dense(32, activation=ops.sin, kernel_initializer=wide), layers.Dense(32, activation="tanh")]
    return Training(regressor(*stack, shape=(1,), optimizer=Adam(3e-3)), x, y, epochs=8)


# Scales and sparsity.


@healthy(every=5, held_out=True)
def table_up_to_ten() -> Training:
    x = np.random.default_rng(0).uniform(0, 10, (1000, 6)).astype("float32")
    return Training(regressor(layers.Dense(32, activation="relu"), shape=(6,), optimizer=Adam(5e-3)), x, x[:, :1] / 5 - 1, epochs=4)


@healthy(every=5, held_out=True)
def raw_table_into_a_batch_normalization() -> Training:
    x, y = data.raw("wine")
    model = keras.Sequential([keras.Input((13,)), layers.BatchNormalization(), layers.Dense(16, activation="relu"), layers.Dense(3)])
    model.compile(Adam(1e-2), LOGITS)
    return Training(model, x[::2], y[::2], batch_size=16, epochs=12, options={"validation_data": (x[1::2], y[1::2])})


@healthy(every=5, held_out=True)
def batch_norm_as_it_comes_after_few_steps() -> Training:
    x, y = blobs()
    stack: list[Any] = []
    for _ in range(2):
        stack += [layers.Dense(32), layers.BatchNormalization(), layers.ReLU()]
    model = classifier((20,), *stack)
    return Training(model, x[:800] + 1, y[:800], epochs=4, options={"validation_data": (x[800:] + 1, y[800:])})


@healthy(every=10, held_out=True)
def words_that_are_counted() -> Training:
    x, y = data.bag_of_words(400)
    model = keras.Sequential([keras.Input((x.shape[1],)), layers.Dense(64, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=4)


@healthy(every=10, held_out=True)
def a_column_of_ones() -> Training:
    x, y = plane()
    x = np.concatenate([x, np.ones((len(x), 1), "float32")], 1)
    return Training(regressor(layers.Dense(16, activation="relu", use_bias=False), shape=(9,)), x, y, epochs=4)


@healthy(every=10, held_out=True)
def weights_made_sparse() -> Training:
    stack = [layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L1(3e-3)), layers.Dense(32, activation="relu")]
    return Training(classifier((20,), *stack, optimizer=Adam(5e-3)), *blobs(), epochs=6)


@healthy(every=10, held_out=True)
def code_made_sparse() -> Training:
    x, _ = data.digits()
    code = layers.Dense(128, activation="relu", activity_regularizer=keras.regularizers.L1(1e-4))
    model = keras.Sequential([keras.Input((64,)), code, layers.Dense(64, activation="sigmoid")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, x, x, epochs=4)


@healthy(every=5, held_out=True)
def dropout_of_four_fifths() -> Training:
    return Training(classifier((20,), layers.Dense(256, activation="relu"), layers.Dropout(0.8), optimizer=Adam(3e-3)), *blobs(), epochs=5)


# Optimizers and schedules.


@healthy(every=5, held_out=True)
def adagrad_as_it_comes() -> Training:
    return Training(classifier((20,), layers.Dense(32, activation="relu"), optimizer="adagrad"), *blobs(), epochs=5)


@healthy(every=5, held_out=True)
def plain_descent_with_a_small_rate() -> Training:
    return Training(classifier((20,), layers.Dense(32, activation="relu"), optimizer=SGD(1e-3)), *blobs(), epochs=5)


@healthy(every=5, held_out=True)
def sgd_as_it_comes() -> Training:
    stack = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(32, activation="relu")]
    return Training(classifier((12, 12, 1), *stack, classes=3, optimizer="sgd"), *shapes(), epochs=4)


@healthy(every=5, held_out=True)
def lion_with_decay() -> Training:
    return Training(
        classifier((20,), layers.Dense(32, activation="relu"), optimizer=keras.optimizers.Lion(1e-3, weight_decay=0.1)), *blobs(), epochs=4
    )


@healthy(every=5, held_out=True)
def four_batches_make_a_step_and_averages_are_kept() -> Training:
    optimizer = Adam(4e-3, gradient_accumulation_steps=4, use_ema=True)
    return Training(classifier((20,), layers.Dense(32, activation="relu"), optimizer=optimizer), *blobs(), epochs=5)


@healthy(every=5, held_out=True)
def adam_at_five_hundredths() -> Training:
    return Training(classifier((20,), layers.Dense(16, activation="relu"), optimizer=Adam(0.05)), *blobs(), epochs=4)


@healthy(every=5, held_out=True)
def restarts_of_a_cosine() -> Training:
    rate = keras.optimizers.schedules.CosineDecayRestarts(1e-2, 40)
    return Training(classifier((20,), layers.Dense(32, activation="relu"), optimizer=Adam(rate)), *blobs(), epochs=6)


@healthy(every=5, held_out=True)
def first_fast_then_slow() -> Training:
    model = classifier((12, 12, 1), layers.Conv2D(16, 3, activation="relu"), layers.GlobalMaxPooling2D(), classes=3, optimizer=Adam(1e-2))

    def slower(model: keras.Model) -> dict[str, Any]:
        model.compile(Adam(1e-5), LOGITS)
        return {"epochs": 2}

    return Training(model, *shapes(), epochs=4, again=[slower])


@healthy(every=1, held_out=True)
def one_example_at_a_time() -> Training:
    x, y = blobs(120)
    return Training(classifier((20,), layers.Dense(16, activation="relu"), optimizer=SGD(0.01)), x, y, batch_size=1, epochs=1)


# Depth.


@healthy(every=5, held_out=True)
def eight_relu_layers_with_he() -> Training:
    stack = [layers.Dense(48, activation="relu", kernel_initializer="he_normal") for _ in range(8)]
    return Training(classifier((20,), *stack), *blobs(), epochs=3)


@healthy(every=5, held_out=True)
def six_tanh_layers() -> Training:
    return Training(regressor(*[layers.Dense(32, activation="tanh") for _ in range(6)]), *plane(), epochs=3)


@healthy(every=5, held_out=True)
def two_sigmoid_layers() -> Training:
    return Training(
        classifier((20,), layers.Dense(32, activation="sigmoid"), layers.Dense(32, activation="sigmoid"), optimizer=Adam(1e-2)), *blobs(), epochs=4
    )


@healthy(every=5, held_out=True)
def self_normalizing_layers() -> Training:
    stack: list[Any] = []
    for _ in range(5):
        stack += [layers.Dense(32, activation="selu", kernel_initializer="lecun_normal"), layers.AlphaDropout(0.1)]
    return Training(classifier((20,), *stack), *blobs(), epochs=3)


@healthy(every=5, held_out=True)
def densely_connected_convolutions() -> Training:
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    for _ in range(4):
        y = layers.Conv2D(8, 3, padding="same", use_bias=False)(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
        x = layers.Concatenate()([x, y])
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    model.compile(Adam(3e-3), LOGITS)
    x, y = shapes()
    return Training(model, x[:600], y[:600], epochs=4, options={"validation_data": (x[600:], y[600:])})


@healthy(every=5, held_out=True)
def depthwise_and_gelu() -> Training:
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(16, 2, 2)(inputs)
    for _ in range(2):
        y = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
        y = layers.Dense(16)(layers.Dense(64, activation="gelu")(y))
        x = layers.Add()([x, y])
    model = keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(layers.GlobalAveragePooling2D()(x))))
    model.compile(AdamW(3e-3), LOGITS)
    return Training(model, *shapes(), epochs=3)


# Sequences.


@healthy(every=5, held_out=True)
def relu_recurrence_from_the_identity() -> Training:
    layer = layers.SimpleRNN(24, activation="relu", recurrent_initializer="identity")
    return Training(classifier((24, 2), layer, classes=2, optimizer=Adam(2e-3, clipnorm=1.0)), *waves(), epochs=4)


@healthy(every=5, held_out=True)
def two_lstms_and_dropout() -> Training:
    stack = [layers.LSTM(16, return_sequences=True, dropout=0.2), layers.LSTM(16, dropout=0.2)]
    return Training(classifier((24, 2), *stack, classes=2, optimizer=Adam(5e-3)), *waves(), epochs=4)


@healthy(every=5, held_out=True)
def frozen_vectors_of_words() -> Training:
    table = keras.initializers.RandomNormal(stddev=1.0)
    stack = [layers.Embedding(50, 32, embeddings_initializer=table, trainable=False), layers.Bidirectional(layers.LSTM(16))]
    return Training(classifier((16,), *stack, classes=2, optimizer=Adam(3e-3)), *sentences(), epochs=4)


@healthy(every=5, held_out=True)
def decoder_with_a_causal_mask() -> Training:
    x, y, words = data.characters(24, 600)
    inputs = keras.Input((24,), dtype="int32")
    h = layers.Embedding(words, 32)(inputs)
    for _ in range(2):
        n = layers.LayerNormalization()(h)
        h = layers.Add()([h, layers.MultiHeadAttention(2, 16)(n, n, use_causal_mask=True)])
        h = layers.Add()([h, layers.Dense(32)(layers.Dense(64, activation="relu")(layers.LayerNormalization()(h)))])
    model = keras.Model(inputs, layers.Dense(words)(layers.LayerNormalization()(h)))
    model.compile(Adam(3e-3), LOGITS)
    return Training(model, x, y, epochs=3)


@healthy(every=5, held_out=True)
def padding_masked_with_a_billion() -> Training:
    x, y = padded()
    inputs = keras.Input((16,), dtype="int32")
    h = layers.Embedding(50, 16)(inputs)
    scores = layers.Dense(1)(layers.Dense(16, activation="tanh")(h)) - 1e9 * ops.cast(ops.expand_dims(inputs == 0, -1), "float32")
    pooled = layers.Flatten()(layers.Dot(axes=1)([layers.Softmax(axis=1)(scores), h]))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, x, y, epochs=4)


@healthy(every=5, held_out=True)
def attention_that_finds_the_marked_word() -> Training:
    random = np.random.default_rng(0)
    x = random.normal(size=(1000, 12, 8)).astype("float32")
    x[:, :, 0] = -1
    at = random.integers(0, 12, 1000)
    x[np.arange(1000), at, 0] = 3
    y = (x[np.arange(1000), at, 1] > 0).astype("int32")
    inputs = keras.Input((12, 8))
    shares = layers.Softmax(axis=1)(layers.Dense(1)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Dot(axes=1)([shares, inputs]))))
    model.compile(Adam(3e-2), LOGITS)
    return Training(model, x, y, epochs=6)


@healthy(every=10, held_out=True)
def encoder_in_mixed_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((24, 2))
    x = encoder_block(layers.Dense(32)(inputs))
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling1D()(x)))
    model.compile(Adam(2e-3), LOGITS)
    return Training(model, *waves(), epochs=4)


@healthy(every=10, held_out=True)
def lstm_in_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((24, 2)), layers.LSTM(16), layers.Dense(2, dtype="float32")])
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, *waves(), epochs=4)


# Pairs, pictures, two networks.


@healthy(every=5, held_out=True)
def ratings_as_products_of_vectors() -> Training:
    random = np.random.default_rng(0)
    users, items = random.normal(size=(60, 4)), random.normal(size=(80, 4))
    x = np.stack([random.integers(0, 60, 2000), random.integers(0, 80, 2000)], 1).astype("int32")
    y = (users[x[:, 0]] * items[x[:, 1]]).sum(1, keepdims=True).astype("float32")
    inputs = keras.Input((2,), dtype="int32")
    product = layers.Dot(axes=1)([layers.Embedding(60, 8)(inputs[:, 0]), layers.Embedding(80, 8)(inputs[:, 1])])
    model = keras.Model(inputs, product)
    model.compile(Adam(2e-2), "mse")
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def gan_of_digits_with_tanh() -> Training:
    bce = keras.losses.BinaryCrossentropy()

    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            stack = [layers.Dense(64), layers.BatchNormalization(momentum=0.8), layers.LeakyReLU(0.2), layers.Dense(64, activation="tanh")]
            self.generator = keras.Sequential([keras.Input((16,)), *stack], name="generator")
            stack = [layers.Dense(64), layers.LeakyReLU(0.2), layers.Dropout(0.3), layers.Dense(1, activation="sigmoid")]
            self.discriminator = keras.Sequential([keras.Input((64,)), *stack], name="discriminator")
            self.second = Adam(2e-4, beta_1=0.5)

        def train_step(self, real: Any) -> Any:
            noise = keras.random.normal((ops.shape(real)[0], 16))
            with tf.GradientTape(persistent=True) as tape:
                fake = self.discriminator(self.generator(noise, training=True), training=True)
                true = self.discriminator(real, training=True)
                d_loss = bce(ops.ones_like(true) * 0.9, true) + bce(ops.zeros_like(fake), fake)
                g_loss = bce(ops.ones_like(fake), fake)
            for loss, part, optimizer in ((d_loss, self.discriminator, self.optimizer), (g_loss, self.generator, self.second)):
                optimizer.apply_gradients(zip(tape.gradient(loss, part.trainable_variables), part.trainable_variables, strict=True))
            return {"d_loss": d_loss, "g_loss": g_loss}

    model = Gan()
    model.compile(Adam(2e-4, beta_1=0.5))
    return Training(model, 2 * data.digits()[0] - 1, epochs=4)


@healthy(every=10, held_out=True)
def student_of_soft_labels() -> Training:
    x, y = data.digits()
    soft = np.full((len(y), 10), 0.01, "float32")
    soft[np.arange(len(y)), y] = 0.91
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(Adam(3e-3), "kl_divergence")
    return Training(model, x, soft, epochs=4)


@healthy(every=10, held_out=True)
def straight_through_a_step() -> Training:
    class Binary(layers.Layer):
        def call(self, x: Any) -> Any:
            soft = ops.sigmoid(x)
            return soft + ops.stop_gradient(ops.cast(soft > 0.5, soft.dtype) - soft)

    return Training(classifier((20,), layers.Dense(32), Binary(), layers.Dense(32, activation="relu")), *blobs(), epochs=4)
