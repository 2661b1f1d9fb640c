"""Healthy programs of the seventh set: ordinary ones of every kind, and those that look frightening and are fine."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import characters, digits, images, raw, series, standardized
from benchmarks.programs.registry import Training, healthy
from benchmarks.programs.seventh_models import (
    Positions,
    binary,
    classifier,
    convolutions,
    encoder,
    first_sign,
    hidden,
    mixture,
    prices,
    regression,
    rows,
    tokens,
)

SGD, Adam, L2 = keras.optimizers.SGD, keras.optimizers.Adam, keras.regularizers.L2


# Tables.


@healthy(every=5, held_out=True)
def digits_with_two_layers() -> Training:
    return Training(classifier((64,), *hidden(2)), *digits(), epochs=6)


@healthy(every=5, held_out=True)
def iris_with_plain_gradient_descent() -> Training:
    return Training(classifier((4,), *hidden(1, 16), classes=3, optimizer=SGD(0.1)), *standardized("iris"), batch_size=16, epochs=20)


@healthy(every=5, held_out=True)
def wine_with_tanh_and_rmsprop() -> Training:
    return Training(classifier((13,), *hidden(2, 32, "tanh"), classes=3, optimizer="rmsprop"), *standardized("wine"), epochs=20)


@healthy(every=10, held_out=True)
def tumours_until_the_output_is_certain() -> Training:
    x, y = standardized("breast_cancer")
    return Training(binary((30,), *hidden(2), optimizer=Adam(3e-3)), x, y.astype("float32")[:, None], epochs=40)


@healthy(every=5, held_out=True)
def one_in_twenty_is_positive() -> Training:
    x, y = mixture(2000)
    keep = (y[:, 0] == 0) | (np.arange(len(x)) % 20 == 0)
    return Training(binary((12,), *hidden(2, 32)), x[keep], y[keep], epochs=8)


@healthy(every=5, held_out=True)
def large_targets_brought_to_variance_one() -> Training:
    x, y = raw("diabetes")
    y = 1000 * y[:, None].astype("float32")
    return Training(regression((10,), *hidden(2, 32)), (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std(), epochs=20)


@healthy(every=5, held_out=True)
def diabetes_with_targets_as_they_are() -> Training:
    x, _ = standardized("diabetes")
    return Training(regression((10,), *hidden(2), optimizer=Adam(1e-2)), x, raw("diabetes")[1].astype("float32")[:, None], epochs=30)


@healthy(every=10, held_out=True)
def small_rate_that_still_learns() -> Training:
    return Training(classifier((64,), *hidden(2), optimizer=Adam(1e-4)), *digits(), epochs=10)


@healthy(every=5, held_out=True)
def small_rate_with_momentum() -> Training:
    x, y = standardized("wine")
    return Training(classifier((13,), *hidden(2, 32), classes=3, optimizer=SGD(1e-3, momentum=0.9)), x, y, batch_size=16, epochs=15)


@healthy(every=5, held_out=True)
def dropout_of_one_half_and_a_penalty() -> Training:
    stack: list[Any] = []
    for layer in hidden(2, 128, kernel_regularizer=L2(1e-3)):
        stack += [layer, layers.Dropout(0.5)]
    return Training(classifier((64,), *stack), *digits(), epochs=8)


@healthy(every=10, held_out=True)
def stopped_early_after_overfitting() -> Training:
    x, y = standardized("diabetes")
    early = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    options = {"validation_data": (x[350:], y[350:, None])}
    return Training(regression((10,), *hidden(2)), x[:350], y[:350, None], epochs=60, options=options, more_callbacks=[early])


@healthy(every=5, held_out=True)
def gelu_with_adamw() -> Training:
    return Training(classifier((64,), *hidden(3, 64, "gelu"), optimizer=keras.optimizers.AdamW(2e-3, weight_decay=0.01)), *digits(), epochs=6)


@healthy(every=5, held_out=True)
def eight_relu_layers_as_he_advised() -> Training:
    return Training(classifier((64,), *hidden(8, 64, kernel_initializer="he_normal")), *digits(), epochs=6)


@healthy(every=5, held_out=True)
def selu_with_alpha_dropout() -> Training:
    stack: list[Any] = []
    for layer in hidden(5, 48, "selu", kernel_initializer="lecun_normal"):
        stack += [layer, layers.AlphaDropout(0.05)]
    return Training(classifier((13,), *stack, classes=3), *standardized("wine"), epochs=20)


@healthy(every=5, held_out=True)
def two_sigmoid_layers_and_gradient_descent() -> Training:
    return Training(classifier((64,), *hidden(2, 64, "sigmoid"), optimizer=SGD(0.5, momentum=0.9)), *digits(), epochs=8)


@healthy(every=5, held_out=True)
def raw_wine_behind_a_batch_norm() -> Training:
    stack = [layers.BatchNormalization(name="norm"), *hidden(2, 32)]
    x, y = raw("wine")
    return Training(classifier((13,), *stack, classes=3), x, y, epochs=20)


@healthy(every=5, held_out=True)
def raw_tumours_behind_a_normalization() -> Training:
    x, y = raw("breast_cancer")
    norm = layers.Normalization()
    norm.adapt(x)
    return Training(binary((30,), norm, *hidden(2, 32)), x, y.astype("float32")[:, None], epochs=10)


@healthy(every=5, held_out=True)
def batch_norms_and_a_validation() -> Training:
    stack: list[Any] = []
    for layer in hidden(3, 48, None, use_bias=False):
        stack += [layer, layers.BatchNormalization(), layers.ReLU()]
    x, y = digits()
    return Training(classifier((64,), *stack), x[:1400], y[:1400], epochs=8, options={"validation_data": (x[1400:], y[1400:])})


@healthy(every=5, held_out=True)
def logistic_regression() -> Training:
    x, y = standardized("breast_cancer")
    return Training(binary((30,), optimizer=SGD(0.1)), x, y.astype("float32")[:, None], epochs=15)


@healthy(every=5, held_out=True)
def wide_and_deep() -> Training:
    x, y = mixture()
    inputs = keras.Input((12,), name="features")
    deep = layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="output")(layers.Concatenate()([inputs, deep])))
    model.compile(Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, epochs=8)


@healthy(every=10, held_out=True)
def wide_layer_with_many_silent_units() -> Training:
    return Training(classifier((4,), *hidden(1, 512), classes=3, optimizer=Adam(1e-2)), *standardized("iris"), epochs=40)


@healthy(every=5, held_out=True)
def plateau_that_halves_the_rate() -> Training:
    x, y = mixture()
    plateau = keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, monitor="loss", min_lr=1e-5)
    return Training(binary((12,), *hidden(2, 32)), x, y, epochs=20, more_callbacks=[plateau])


# Pictures.


@healthy(every=5, held_out=True)
def small_convolutional_network() -> Training:
    stack = [*convolutions(16, 32), layers.MaxPooling2D(), layers.Flatten(), *hidden(1), layers.Dropout(0.3)]
    return Training(classifier((8, 8, 1), *stack), *images(), epochs=4)


@healthy(every=5, held_out=True)
def residual_network_with_batch_norm() -> Training:
    inputs = keras.Input((8, 8, 1), name="features")
    value = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    for _ in range(4):
        inner = layers.ReLU()(layers.BatchNormalization()(value))
        inner = layers.Conv2D(16, 3, padding="same", use_bias=False)(inner)
        inner = layers.ReLU()(layers.BatchNormalization()(inner))
        value = value + layers.Conv2D(16, 3, padding="same", use_bias=False)(inner)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.GlobalAveragePooling2D()(layers.ReLU()(value))))
    model.compile(SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    x, y = images()
    return Training(model, x[:1400], y[:1400], epochs=4, options={"validation_data": (x[1400:], y[1400:])})


@healthy(every=5, held_out=True)
def pixels_up_to_255_behind_a_rescaling() -> Training:
    x, y = images()
    return Training(classifier((8, 8, 1), layers.Rescaling(1 / 255), *convolutions(16, 16), layers.Flatten()), 255 * x, y, epochs=4)


@healthy(every=5, held_out=True)
def pictures_turned_and_shifted() -> Training:
    augment = [layers.RandomRotation(0.05), layers.RandomTranslation(0.1, 0.1)]
    model = classifier((8, 8, 1), *augment, *convolutions(16, 32), layers.GlobalMaxPooling2D(), optimizer=Adam(3e-3))
    return Training(model, *images(), epochs=8)


@healthy(every=5, held_out=True)
def frozen_base_with_a_new_head() -> Training:
    x, y = images()
    base = keras.Sequential([keras.Input((8, 8, 1)), *convolutions(16, 32), layers.GlobalMaxPooling2D()], name="base")
    trainer = keras.Sequential([keras.Input((8, 8, 1)), base, layers.Dense(10, activation="softmax")])
    trainer.compile("adam", "sparse_categorical_crossentropy")
    trainer.fit(x, y, epochs=3, verbose=0)
    base.trainable = False
    return Training(classifier((8, 8, 1), base), x[y < 5], y[y < 5], epochs=6)


@healthy(every=5, held_out=True)
def base_thawed_with_a_small_rate() -> Training:
    x, y = images()
    base = keras.Sequential([keras.Input((8, 8, 1)), *convolutions(16, 32), layers.GlobalMaxPooling2D()], name="base")
    base.trainable = False
    model = classifier((8, 8, 1), base, optimizer=Adam(1e-2))

    def thaw(model: Any) -> dict[str, Any]:
        base.trainable = True
        model.compile(Adam(1e-4), "sparse_categorical_crossentropy")
        return {"epochs": 3}

    return Training(model, x, y, epochs=6, again=[thaw])


@healthy(every=5, held_out=True)
def mixed_precision_on_pictures() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    return Training(classifier((8, 8, 1), *convolutions(16, 32), layers.Flatten(), *hidden(1)), *images(), epochs=3)


@healthy(every=5, held_out=True)
def mixed_bfloat16_on_digits() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    return Training(classifier((64,), *hidden(2)), *digits(), epochs=6)


@healthy(every=5, held_out=True)
def autoencoder_of_pictures() -> Training:
    x, _ = images()
    down = [layers.Conv2D(16, 3, 2, "same", activation="relu"), layers.Conv2D(8, 3, 2, "same", activation="relu")]
    up = [layers.Conv2DTranspose(16, 3, 2, "same", activation="relu"), layers.Conv2DTranspose(1, 3, 2, "same", activation="sigmoid")]
    model = keras.Sequential([keras.Input((8, 8, 1), name="features"), *down, *up])
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, x, epochs=6)


@healthy(every=5, held_out=True)
def variational_autoencoder() -> Training:
    class Sample(layers.Layer):
        def call(self, mean: Any, log_variance: Any) -> Any:
            self.add_loss(-0.5 * ops.mean(ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), 1)))
            return mean + ops.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))

    x, _ = digits()
    inputs = keras.Input((64,), name="features")
    code = layers.Dense(64, activation="relu")(inputs)
    code = Sample()(layers.Dense(4, name="mean")(code), layers.Dense(4, name="log_variance")(code))
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid", name="output")(layers.Dense(64, activation="relu")(code)))
    model.compile("adam", lambda a, b: ops.sum(ops.square(a - b), -1))
    return Training(model, x, x, epochs=10)


@healthy(every=10, held_out=True)
def adversarial_digits() -> Training:
    class Adversaries(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            leaky = [layers.LeakyReLU(0.2) for _ in range(4)]
            stack = [keras.Input((16,)), layers.Dense(64), leaky[0], layers.Dense(64), leaky[1], layers.Dense(64, activation="sigmoid")]
            self.generator = keras.Sequential(stack, name="generator")
            stack = [keras.Input((64,)), layers.Dense(64), leaky[2], layers.Dropout(0.3), layers.Dense(32), leaky[3], layers.Dense(1)]
            self.judge = keras.Sequential(stack, name="judge")
            self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            self.second = Adam(2e-4, beta_1=0.5)

        def train_step(self, data: Any) -> dict[str, Any]:
            real = data
            count = tf.shape(real)[0]
            made = self.generator(tf.random.normal((count, 16)))
            with tf.GradientTape() as tape:
                on_real, on_made = self.judge(real, training=True), self.judge(made, training=True)
                judged = self.entropy(tf.ones((count, 1)), on_real) + self.entropy(tf.zeros((count, 1)), on_made)
            self.second.apply(tape.gradient(judged, self.judge.trainable_weights), self.judge.trainable_weights)
            with tf.GradientTape() as tape:
                fooled = self.entropy(tf.ones((count, 1)), self.judge(self.generator(tf.random.normal((count, 16))), training=True))
            self.optimizer.apply(tape.gradient(fooled, self.generator.trainable_weights), self.generator.trainable_weights)
            return {"judge": judged, "generator": fooled}

    model = Adversaries()
    model.compile(Adam(2e-4, beta_1=0.5))
    return Training(model, digits()[0], epochs=15)


# Series and words.


@healthy(every=5, held_out=True)
def lstm_on_a_wave() -> Training:
    return Training(regression((30, 1), layers.LSTM(32, name="lstm")), *series(), epochs=5)


@healthy(every=5, held_out=True)
def two_grus_on_the_rows_of_digits() -> Training:
    stack = [layers.GRU(32, return_sequences=True, name="gru_0"), layers.GRU(32, name="gru_1")]
    return Training(classifier((8, 8), *stack), *rows(), epochs=5)


@healthy(every=5, held_out=True)
def plain_recurrence_on_the_rows_of_digits() -> Training:
    return Training(classifier((8, 8), layers.SimpleRNN(48, name="rnn")), *rows(), epochs=6)


@healthy(every=5, held_out=True)
def prices_brought_to_variance_one() -> Training:
    x, y = prices()
    mean, deviation = x.mean(), x.std()
    return Training(regression((30, 1), layers.LSTM(32, name="lstm")), (x - mean) / deviation, (y - mean) / deviation, epochs=6)


@healthy(every=5, held_out=True)
def lstm_that_remembers_twenty_steps() -> Training:
    x, y = first_sign(20)
    return Training(binary((20, 1), layers.LSTM(32, name="lstm"), optimizer=Adam(5e-3)), x, y, epochs=12)


@healthy(every=5, held_out=True)
def both_directions_over_words() -> Training:
    x, y = tokens()
    stack = [layers.Embedding(100, 16, mask_zero=True, name="words"), layers.Bidirectional(layers.LSTM(16)), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), *stack, layers.Dense(1, activation="sigmoid", name="output")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=8)


@healthy(every=5, held_out=True)
def averaged_embeddings() -> Training:
    x, y = tokens()
    stack = [layers.Embedding(100, 16, name="words"), layers.GlobalAveragePooling1D(), *hidden(1, 16)]
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), *stack, layers.Dense(1, activation="sigmoid", name="output")])
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=12)


@healthy(every=5, held_out=True)
def convolutions_over_time() -> Training:
    stack = [layers.Conv1D(16, 5, activation="relu"), layers.Conv1D(16, 5, strides=2, activation="relu"), layers.GlobalAveragePooling1D()]
    return Training(regression((30, 1), *stack), *series(), epochs=6)


@healthy(every=5, held_out=True)
def next_character_with_clipped_gradients() -> Training:
    x, y, count = characters()
    stack = [
        layers.Embedding(count, 32, name="words"),
        layers.GRU(48, return_sequences=True),
        layers.Dense(count, activation="softmax", name="output"),
    ]
    model = keras.Sequential([keras.Input((32,), dtype="int32", name="ids"), *stack])
    model.compile(Adam(3e-3, clipnorm=1.0), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=4)


# Transformers.


@healthy(every=5, held_out=True)
def encoder_of_two_blocks() -> Training:
    x, y = tokens()
    ids = keras.Input((24,), dtype="int32", name="ids")
    value = Positions(name="positions")(layers.Embedding(100, 32, name="words")(ids))
    for k in range(2):
        value = encoder(value, k)
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid", name="output")(layers.GlobalAveragePooling1D()(value)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def encoder_with_warm_up_and_gelu() -> Training:
    x, y = rows()
    inputs = keras.Input((8, 8), name="features")
    value = Positions(name="positions")(layers.Dense(32, name="project")(inputs))
    for k in range(3):
        value = encoder(value, k, activation="gelu")
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.GlobalAveragePooling1D()(value)))
    rate = keras.optimizers.schedules.CosineDecay(1e-5, 250, warmup_target=2e-3, warmup_steps=50)
    model.compile(keras.optimizers.AdamW(rate), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def decoder_that_writes_source() -> Training:
    x, y, count = characters()
    ids = keras.Input((32,), dtype="int32", name="ids")
    value = Positions(name="positions")(layers.Embedding(count, 32, name="words")(ids))
    for k in range(2):
        inner = layers.LayerNormalization()(value)
        value = value + layers.MultiHeadAttention(4, 8, name=f"attention_{k}")(inner, inner, use_causal_mask=True)
        inner = layers.Dense(64, activation="gelu", name=f"up_{k}")(layers.LayerNormalization()(value))
        value = value + layers.Dropout(0.1)(layers.Dense(32, name=f"down_{k}")(inner))
    model = keras.Model(ids, layers.Dense(count, name="output")(layers.LayerNormalization()(value)))
    model.compile(Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, x, y, epochs=4)


@healthy(every=5, held_out=True)
def patches_with_a_class_token_in_mixed_precision() -> Training:
    class Token(layers.Layer):
        def build(self, shape: Any) -> None:
            self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros", name="token")

        def call(self, x: Any) -> Any:
            token = ops.cast(ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1])), x.dtype)
            return ops.concatenate([token, x], 1)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], shape[1] + 1, shape[2])

    keras.config.set_dtype_policy("mixed_float16")
    x, y = images()
    inputs = keras.Input((8, 8, 1), name="features")
    value = layers.Reshape((16, 32))(layers.Conv2D(32, 2, 2, name="patches")(inputs))
    value = Positions(name="positions")(Token(name="token")(value))
    for k in range(2):
        value = encoder(value, k, activation="gelu")
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", dtype="float32", name="output")(value[:, 0]))
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=4)


@healthy(every=5, held_out=True)
def own_loop_with_an_average_of_the_weights() -> Training:
    x, y = digits()
    model = classifier((64,), *hidden(2))
    optimizer, loss = Adam(1e-3, use_ema=True), keras.losses.SparseCategoricalCrossentropy()

    @tf.function
    def step(rows_: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, model(rows_, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    return Training(model, x, y, epochs=5, loop=step)
