"""Healthy programs written blind, before their author had read the code of any rule: what people train every day on tables and pictures."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.blind_faulty import LOGITS, SGD, Adam, OneCycle, classifier, pictures_classifier, regressor
from benchmarks.programs.registry import Training, healthy

# Dense.


@healthy(every=1, held_out=True)
def sixty_steps_of_relu() -> Training:
    x, y = data.digits()
    stack = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    return Training(classifier(64, *stack, optimizer=Adam(3e-3)), x[:960], y[:960], epochs=2)


@healthy(every=10, held_out=True)
def few_captures_of_gelu() -> Training:
    stack = [layers.Dense(64, activation="gelu"), layers.LayerNormalization(), layers.Dense(64, activation="gelu")]
    return Training(classifier(64, *stack), *data.digits(), epochs=1)


@healthy(every=1, held_out=True)
def big_batches() -> Training:
    stack = [layers.Dense(128, activation="silu"), layers.Dense(64, activation="silu")]
    return Training(classifier(64, *stack, optimizer=Adam(5e-3)), *data.digits(), batch_size=600, epochs=15)


@healthy(every=10, held_out=True)
def one_example_at_a_time() -> Training:
    return Training(
        classifier(4, layers.Dense(16, activation="relu"), classes=3, optimizer=SGD(0.02)), *data.standardized("iris"), batch_size=1, epochs=4
    )


@healthy(every=2, held_out=True)
def selu_with_alpha_dropout() -> Training:
    stack: list[Any] = []
    for _ in range(6):
        stack += [layers.Dense(48, activation="selu", kernel_initializer="lecun_normal"), layers.AlphaDropout(0.05)]
    return Training(classifier(64, *stack, optimizer=SGD(0.02)), *data.digits(), epochs=6)


@healthy(every=5, held_out=True)
def heavy_dropout() -> Training:
    stack = [
        layers.Dropout(0.2),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.7),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
    ]
    return Training(classifier(64, *stack), *data.digits(), epochs=5)


@healthy(every=5, held_out=True)
def house_prices() -> Training:
    random = np.random.default_rng(5)
    x, y = data.standardized("diabetes")
    prices = (250_000 + 80_000 * y + 5_000 * random.normal(size=y.shape)).astype("float32")
    model = regressor(10, layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), optimizer=Adam(0.05))
    return Training(model, x, prices, batch_size=32, epochs=40)


@healthy(every=5, held_out=True)
def raw_columns_normalized_by_adapt() -> Training:
    x, y = data.raw("wine")
    normalize = layers.Normalization()
    normalize.adapt(x)
    return Training(classifier(13, normalize, layers.Dense(24, activation="relu"), classes=3, optimizer=Adam(5e-3)), x, y, batch_size=16, epochs=8)


@healthy(every=3, held_out=True)
def rare_class() -> Training:
    x, y = data.digits()
    keep = (y != 7) | (np.arange(len(y)) % 6 == 0)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile("adam", keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True))
    return Training(model, x[keep], (y[keep] == 7).astype("float32"), epochs=6)


@healthy(every=5, held_out=True)
def wide_and_deep_with_adagrad() -> Training:
    words, labels = data.bag_of_words()
    inputs = keras.Input((words.shape[1],))
    deep = layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Concatenate()([inputs, deep])))
    model.compile(keras.optimizers.Adagrad(0.05), "binary_crossentropy")
    return Training(model, words, labels, epochs=4)


@healthy(every=5, held_out=True)
def one_hot_characters() -> Training:
    x, y, size = data.characters(8, 1200)
    hot = keras.utils.to_categorical(x, size).reshape(len(x), -1).astype("float32")
    return Training(classifier(8 * size, layers.Dense(64, activation="relu"), classes=size), hot, y[:, -1], epochs=5)


@healthy(every=4, held_out=True)
def moving_average_of_weights() -> Training:
    optimizer = Adam(2e-3, use_ema=True, ema_overwrite_frequency=50)
    return Training(classifier(64, layers.Dense(64, activation="relu"), optimizer=optimizer), *data.digits(), epochs=4)


@healthy(every=1, held_out=True)
def one_cycle_of_moderate_rates() -> Training:
    model = classifier(64, layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), optimizer=SGD(0.01, momentum=0.9))
    return Training(model, *data.digits(), epochs=3, more_callbacks=(OneCycle(0.05, 171),))


@healthy(every=10, held_out=True)
def signs_as_updates() -> Training:
    return Training(classifier(64, layers.Dense(64, activation="relu"), optimizer=keras.optimizers.Lion(1e-3)), *data.digits(), epochs=4)


@healthy(every=5, held_out=True)
def adafactor_with_gelu() -> Training:
    optimizer = keras.optimizers.Adafactor(0.02, weight_decay=1e-3)
    stack = [layers.Dense(64, activation="gelu"), layers.Dense(32, activation="gelu")]
    return Training(classifier(64, *stack, optimizer=optimizer), *data.digits(), epochs=5)


@healthy(every=5, held_out=True)
def sine_activations() -> Training:
    def uniform(scale: float) -> Any:
        return keras.initializers.RandomUniform(-scale, scale)

    stack = [layers.Dense(64, activation=ops.sin, kernel_initializer=uniform(8.0))]
    stack += [layers.Dense(64, activation=ops.sin, kernel_initializer=uniform(0.3)) for _ in range(2)]
    return Training(regressor(1, *stack, optimizer=Adam(1e-3)), *data.sine(512, -1.0, 1.0), epochs=12)


@healthy(every=5, held_out=True)
def mixture_of_experts() -> Training:
    inputs = keras.Input((64,))
    gate = layers.Dense(4, activation="softmax")(inputs)
    experts = ops.stack([layers.Dense(32, activation="relu")(inputs) for _ in range(4)], axis=1)
    mixed = ops.sum(experts * ops.expand_dims(gate, -1), axis=1)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(mixed))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@healthy(every=5, held_out=True)
def low_rank_fine_tuning() -> Training:
    class LowRank(layers.Layer):
        """A frozen dense layer and a trainable detour that begins at zero."""

        def __init__(self, dense: Any) -> None:
            super().__init__()
            dense.trainable = False
            self.dense, self.down = dense, layers.Dense(4, use_bias=False)
            self.up = layers.Dense(dense.units, use_bias=False, kernel_initializer="zeros")

        def call(self, x: Any) -> Any:
            return ops.relu(self.dense(x) + self.up(self.down(x)))

    x, y = data.digits()
    base = layers.Dense(64)
    first = keras.Sequential([keras.Input((64,)), base, layers.ReLU(), layers.Dense(5)])
    first.compile("adam", LOGITS)
    first.fit(x[y < 5], y[y < 5], epochs=5, verbose=0)
    model = keras.Sequential([keras.Input((64,)), LowRank(base), layers.Dense(5, activation="softmax")])
    model.compile(Adam(1e-2), "sparse_categorical_crossentropy")
    return Training(model, x[y >= 5], y[y >= 5] - 5, epochs=6)


# Pictures.


def pretrained_base() -> keras.Model:
    """A small convolutional network with batch normalization that knows the digits 0 to 4."""
    x, y = data.images()
    base = keras.Sequential([keras.Input((8, 8, 1))], name="base")
    for filters in (16, 32):
        base.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        base.add(layers.BatchNormalization(momentum=0.9))
        base.add(layers.ReLU())
    base.add(layers.GlobalAveragePooling2D())
    model = keras.Sequential([base, layers.Dense(5)])
    model.compile(Adam(5e-3), LOGITS)
    model.fit(x[y < 5], y[y < 5], epochs=6, verbose=0)
    return base


@healthy(every=5, held_out=True)
def transfer_with_a_frozen_base() -> Training:
    x, y = data.images()
    base = pretrained_base()
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(base(inputs, training=False)))
    model.compile(Adam(2e-2), "sparse_categorical_crossentropy")
    return Training(model, x[y >= 5], y[y >= 5] - 5, epochs=6)


@healthy(every=5, held_out=True)
def fine_tuned_after_thawing() -> Training:
    x, y = data.images()
    base = pretrained_base()
    base.trainable = False
    model = keras.Sequential([keras.Input((8, 8, 1)), base, layers.Dense(5, activation="softmax")])
    model.compile(Adam(2e-2), "sparse_categorical_crossentropy")

    def thaw(model: keras.Model) -> dict[str, Any]:
        base.trainable = True
        model.compile(Adam(1e-4), "sparse_categorical_crossentropy")
        return {"epochs": 3}

    return Training(model, x[y >= 5], y[y >= 5] - 5, epochs=3, again=(thaw,))


@healthy(every=1, held_out=True)
def convolutions_in_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.BatchNormalization(), layers.Conv2D(32, 3, activation="relu")]
    return Training(pictures_classifier(*stack), *data.images(), batch_size=64, epochs=2)


@healthy(every=5, held_out=True)
def residual_with_batchnorm_validated() -> Training:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    for _ in range(3):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", use_bias=False)(x)))
        y = layers.BatchNormalization(gamma_initializer="zeros")(layers.Conv2D(16, 3, padding="same", use_bias=False)(y))
        x = layers.ReLU()(x + y)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    model.compile(SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    x_all, y_all = data.images()
    return Training(model, x_all[:1500], y_all[:1500], epochs=5, options={"validation_data": (x_all[1500:], y_all[1500:])})


@healthy(every=5, held_out=True)
def batchnorm_with_default_momentum_in_a_short_run() -> Training:
    x, y = data.images()
    stack = [layers.Conv2D(16, 3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(16, 3), layers.BatchNormalization(), layers.ReLU()]
    options = {"validation_data": (x[1400:], y[1400:])}
    return Training(pictures_classifier(*stack, optimizer=Adam(3e-3)), x[:1400], y[:1400], batch_size=64, epochs=2, options=options)


@healthy(every=5, held_out=True)
def u_net_of_foreground() -> Training:
    x, _ = data.images()
    noisy = x + 0.2 * np.random.default_rng(2).normal(size=x.shape).astype("float32")
    inputs = keras.Input((8, 8, 1))
    down = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    deep = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(down))
    up = layers.Conv2DTranspose(16, 2, strides=2, activation="relu")(deep)
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(layers.Concatenate()([down, up]))
    model = keras.Model(inputs, outputs)
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, noisy, (x > 0.4).astype("float32"), epochs=3)


@healthy(every=5, held_out=True)
def autoencoder_of_black_and_white() -> Training:
    x = (data.images()[0] > 0.5).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x, x, epochs=8)


@healthy(every=5, held_out=True)
def convolutional_gan() -> Training:
    from benchmarks.programs.generative import Gan

    generator = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(4 * 4 * 16, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((4, 4, 16)),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model = Gan(generator, discriminator)
    model.compile(2e-4)
    return Training(model, data.images()[0] * 2 - 1, batch_size=64, epochs=6)


@healthy(every=5, held_out=True)
def masked_pictures_without_labels() -> Training:
    x = data.images()[0][..., 0]
    hidden = np.random.default_rng(4).random((len(x), 8, 1)) < 0.3
    inputs = keras.Input((8, 8))
    y = layers.Dense(32)(inputs)
    y = y + layers.MultiHeadAttention(4, 8)(layers.LayerNormalization()(y), layers.LayerNormalization()(y))
    y = y + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(y)))
    model = keras.Model(inputs, layers.Dense(8)(y))
    model.compile(Adam(3e-3), "mse")
    return Training(model, np.where(hidden, 0, x).astype("float32"), x, epochs=4)


@healthy(every=5, held_out=True)
def two_views_with_stopped_gradients() -> Training:
    class SimSiam(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            stack = [layers.Dense(64, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.Dense(32, use_bias=False)]
            self.encoder = keras.Sequential([keras.Input((64,)), *stack, layers.BatchNormalization(scale=False, center=False)], name="encoder")
            self.predictor = keras.Sequential([keras.Input((32,)), layers.Dense(16, activation="relu"), layers.Dense(32)], name="predictor")
            self.noise = keras.random.SeedGenerator(1)

        def train_step(self, x: Any) -> Any:
            views = [x + 0.3 * keras.random.normal(ops.shape(x), seed=self.noise) for _ in range(2)]
            with tf.GradientTape() as tape:
                z = [self.encoder(view, training=True) for view in views]
                p = [self.predictor(one, training=True) for one in z]
                loss = keras.losses.cosine_similarity(p[0], ops.stop_gradient(z[1])) + keras.losses.cosine_similarity(p[1], ops.stop_gradient(z[0]))
                loss = ops.mean(loss) / 2
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = SimSiam()
    model.compile(SGD(0.05, momentum=0.9))
    return Training(model, data.digits()[0], batch_size=64, epochs=6)
