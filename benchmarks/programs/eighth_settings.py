"""Faulty programs of the eighth set: what isn't trained, rates and clipping, inputs, 16 bits, losses, modes, adversaries."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import characters, digits, images, raw, series, standardized
from benchmarks.programs.eighth_models import (
    Of,
    Own,
    Vae,
    WithPositions,
    bytes_of_digits,
    convs,
    diabetes,
    fc,
    graph,
    net,
    progress,
    sigmoid,
    softmax,
    standard_weather,
    transformer_block,
    tumours,
    weather,
    word_lists,
)
from benchmarks.programs.registry import Training, faulty

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW


# What isn't trained.


@faulty("unchanged_weights", "head", every=5, held_out=True)
def own_step_that_leaves_out_the_head() -> Training:
    class Partly(Own):
        def __init__(self) -> None:
            super().__init__()
            self.body = layers.Dense(64, activation="relu", name="body")
            self.head = layers.Dense(10, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.body(x))

        def trained(self) -> list[Any]:
            return list(self.body.trainable_variables)

        def objective(self, x: Any, y: Any) -> Any:
            return ops.mean(keras.losses.sparse_categorical_crossentropy(y, self(x), from_logits=True))

    model = Partly()
    model.compile(optimizer="adam")
    return Training(model, *digits(), epochs=4)


@faulty("unchanged_weights update_too_small", "conv1 conv2 predictions", every=10, held_out=True)
def schedule_that_halves_at_every_step() -> Training:
    x, y = images()
    rate = keras.optimizers.schedules.ExponentialDecay(1e-2, decay_steps=1, decay_rate=0.5)
    return Training(net((8, 8, 1), *convs(8, 16), layers.Flatten(), softmax(), optimizer=SGD(rate)), x, y, epochs=5)


@faulty("missing_gradient", "fc1", every=5, held_out=True)
def rounded_codes() -> Training:
    stack = [layers.Dense(32, activation="sigmoid", name="fc1"), Of(ops.round, name="rounded"), layers.Dense(32, activation="relu", name="fc2")]
    return Training(net((64,), *stack, softmax()), *digits(), epochs=4)


@faulty("missing_gradient", "scores", every=5, held_out=True)
def largest_position_fed_to_a_table() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    chosen = Of(lambda v: ops.argmax(v, -1), name="chosen")(layers.Dense(20, name="scores")(inputs))
    h = layers.Embedding(20, 16, name="table")(chosen)
    return Training(graph(inputs, softmax()(h)), x, y, epochs=4)


@faulty("missing_gradient unchanged_weights", "encoder", every=5, held_out=True)
def encoder_behind_a_stop_gradient() -> Training:
    class Stopped(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.Dense(32, activation="relu", name="encoder")
            self.head = layers.Dense(10, activation="softmax", name="head")

        def call(self, x: Any) -> Any:
            return self.head(ops.stop_gradient(self.encoder(x)))

    model = Stopped()
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *digits(), epochs=4)


@faulty("missing_gradient unchanged_weights", "auxiliary", every=5, held_out=True)
def second_output_that_no_loss_looks_at() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(32, activation="relu", name="fc1")(inputs)
    outputs = {"digit": layers.Dense(10, activation="softmax", name="digit")(h), "parity": layers.Dense(1, activation="sigmoid", name="auxiliary")(h)}
    model = keras.Model(inputs, outputs)
    model.compile("adam", {"digit": "sparse_categorical_crossentropy"})
    return Training(model, x, {"digit": y}, epochs=4)


@faulty("unchanged_weights missing_gradient", "generator", every=5, held_out=True)
def generator_step_with_the_other_variables() -> Training:
    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")], name="generator")
            self.critic = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(1)], name="critic")
            self.of_critic, self.of_generator = Adam(1e-3), Adam(1e-3)

        def call(self, x: Any) -> Any:
            return self.critic(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            noise = keras.random.normal((ops.shape(x)[0], 8))
            with tf.GradientTape(persistent=True) as tape:
                real, fake = self.critic(x), self.critic(self.generator(noise))
                loss = ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
                fooled = ops.mean(ops.softplus(-fake))
            self.of_critic.apply_gradients(zip(tape.gradient(loss, self.critic.trainable_weights), self.critic.trainable_weights, strict=True))
            wrong = self.critic.trainable_weights
            self.of_generator.apply_gradients(zip(tape.gradient(fooled, wrong), wrong, strict=True))
            return {"loss": loss}

    model = Gan()
    model.compile()
    return Training(model, digits()[0], epochs=4)


@faulty("unchanged_weights", "conv1", every=10, held_out=True)
def first_convolution_still_frozen() -> Training:
    x, y = images()
    first = layers.Conv2D(16, 3, activation="relu", name="conv1", trainable=False)
    model = net((8, 8, 1), first, layers.Conv2D(32, 3, activation="relu", name="conv2"), layers.Flatten(), softmax())
    return Training(model, x, y, epochs=4)


# Rates, clipping, decay.


@faulty("update_too_small", "fc1 fc2 predictions", every=10, held_out=True)
def adam_of_a_hundred_millionth() -> Training:
    return Training(net((13,), *fc(32, 32), softmax(3), optimizer=Adam(1e-8)), *standardized("wine"), batch_size=16, epochs=20)


@faulty("update_too_small unchanged_weights", "lstm next", every=10, held_out=True)
def gradients_clipped_to_a_hundred_thousandth() -> Training:
    x, y = standard_weather()
    stack = [layers.LSTM(16, name="lstm"), layers.Dense(1, name="next")]
    return Training(net((24, 2), *stack, loss="mse", optimizer=SGD(0.01, clipnorm=1e-5)), x, y, epochs=5)


@faulty(
    "update_too_large exploding_loss oscillating_loss dead_units collapse nonfinite exploding_activation exploding_gradient",
    "fc1 fc2 predictions loss",
    every=1,
    held_out=True,
)
def gradient_descent_with_a_rate_of_five() -> Training:
    return Training(net((64,), *fc(64, 32), softmax(), optimizer=SGD(5.0)), *digits(), epochs=2)


@faulty(
    "update_too_large collapse update_too_small penalty_too_strong poor_initialization vanishing_gradient",
    "fc1 fc2 predictions",
    every=5,
    held_out=True,
)
def weight_decay_of_twenty() -> Training:
    return Training(net((64,), *fc(64, 32), softmax(), optimizer=AdamW(5e-3, weight_decay=20.0)), *digits(), epochs=4)


@faulty("penalty_too_strong collapse", "fc1 fc2", every=5, held_out=True)
def l2_penalty_of_five() -> Training:
    return Training(
        net((30,), *fc(64, 32, kernel_regularizer=keras.regularizers.L2(5.0)), sigmoid(), loss="binary_crossentropy"), *tumours(), epochs=8
    )


@faulty(
    "exploding_loss update_too_large nonfinite exploding_gradient oscillating_loss exploding_activation dead_units collapse",
    "fc1 fc2 value loss",
    every=5,
    held_out=True,
)
def warmup_without_an_end() -> Training:
    class Warmup(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 0.01 * ops.cast(step, "float32")

        def get_config(self) -> dict[str, Any]:
            return {}

    x, y = diabetes()
    return Training(net((10,), *fc(64, 64), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(Warmup())), x, y, epochs=10)


@faulty("oscillating_loss exploding_loss update_too_large nonfinite", "value loss", every=1, held_out=True)
def momentum_of_99_with_a_high_rate() -> Training:
    x, y = diabetes()
    return Training(net((10,), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(0.5, momentum=0.99)), x, y, epochs=6)


@faulty(
    "update_too_large dead_units collapse saturated_activation exploding_loss oscillating_loss exploding_activation",
    "gru dense predictions",
    every=5,
    held_out=True,
)
def characters_with_adam_of_one() -> Training:
    x, y, count = characters(24, 800)
    stack = [layers.Embedding(count, 16, name="letters"), layers.GRU(32, return_sequences=True, name="gru"), softmax(count)]
    return Training(net((24,), *stack, dtype="int32", optimizer=Adam(1.0)), x, y, epochs=3)


# Inputs.


@faulty("constant_input", "inputs", every=10, held_out=True)
def pixels_divided_as_integers() -> Training:
    x, y = bytes_of_digits()
    return Training(net((8, 8, 1), *convs(16), layers.Flatten(), softmax()), (x / 256).astype("uint8").astype("float32"), y, epochs=4)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def numbers_of_words_as_features() -> Training:
    x, y = word_lists()
    return Training(net((20,), *fc(64, 32), sigmoid(), loss="binary_crossentropy"), 20.0 * x.astype("float32"), y, epochs=6)


@faulty("constant_input collapse", "inputs", every=10, held_out=True)
def every_word_is_unknown() -> Training:
    x, y = word_lists()
    stack = [layers.Embedding(300, 16, name="words"), layers.GlobalAveragePooling1D(), sigmoid()]
    return Training(net((20,), *stack, loss="binary_crossentropy", dtype="int32"), np.ones_like(x), y, epochs=4)


@faulty("unnormalized_input", "inputs normalization", every=10, held_out=True)
def normalization_that_was_never_adapted() -> Training:
    x, y = raw("breast_cancer")
    stack = [layers.Normalization(mean=0.0, variance=1.0, name="normalization"), *fc(32, 16), sigmoid()]
    return Training(net((30,), *stack, loss="binary_crossentropy"), x, y.astype("float32")[:, None], epochs=8)


@faulty("unnormalized_input", "inputs", every=50, held_out=True)
def weather_into_a_convolution() -> Training:
    x, y = weather()
    stack = [layers.Conv1D(16, 5, activation="relu", name="conv1"), layers.GlobalMaxPooling1D(), layers.Dense(1, name="next")]
    return Training(net((24, 2), *stack, loss="mse"), x, y, epochs=8)


# 16 bits.


@faulty("float16_overflow nonfinite", "energy", every=5, held_out=True)
def energy_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = digits()
    stack = [
        layers.Dense(64, activation="relu", name="fc1"),
        Of(lambda v: ops.square(v * 400.0), name="energy"),
        layers.Dense(32, activation="relu", name="fc2"),
    ]
    return Training(net((64,), *stack, softmax(), optimizer=SGD(1e-4)), x, y, epochs=3)


@faulty("float16_underflow", "conv1 conv2 fc1 scores", every=5, held_out=True)
def pixel_loss_divided_by_everything_in_float16() -> Training:
    class Tiny(Own):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = layers.Conv2D(8, 3, activation="relu", name="conv1")
            self.flat, self.scores = layers.Flatten(), layers.Dense(10, name="scores")

        def call(self, x: Any) -> Any:
            return self.scores(self.flat(self.conv1(x)))

        def objective(self, x: Any, y: Any) -> Any:
            loss = keras.losses.sparse_categorical_crossentropy(y, ops.cast(self(x), "float32"), from_logits=True)
            return ops.mean(loss) * 1e-7

    keras.config.set_dtype_policy("mixed_float16")
    model = Tiny()
    model.compile(optimizer=SGD(0.1))
    x, y = images()
    return Training(model, x, y, epochs=4)


@faulty("nonfinite float16_overflow float16_underflow update_too_large", "fc1 fc2 predictions", every=1, held_out=True)
def everything_in_float16_with_adam() -> Training:
    keras.config.set_dtype_policy("float16")
    x, y = digits()
    return Training(net((64,), *fc(64, 32), softmax()), x.astype("float16"), y, epochs=3)


# Losses.


@faulty("output_mismatch", "score", every=5, held_out=True)
def binary_cross_entropy_of_a_linear_output() -> Training:
    x, y = tumours()
    return Training(net((30,), *fc(32), layers.Dense(1, name="score"), loss="binary_crossentropy"), x, y, epochs=8)


@faulty("targets_out_of_range", "loss", every=5, held_out=True)
def labels_of_minus_one_and_one() -> Training:
    x, y = tumours()
    return Training(net((30,), *fc(32), sigmoid(), loss="binary_crossentropy"), x, 2 * y - 1, epochs=8)


@faulty("targets_out_of_range", "loss", every=5, held_out=True)
def reconstruction_of_standardized_pixels_by_cross_entropy() -> Training:
    x, _ = bytes_of_digits()
    x = x.reshape(len(x), 64) / 255
    x = (x - x.mean()) / x.std()
    stack = [*fc(32), layers.Dense(64, activation="sigmoid", name="picture")]
    return Training(net((64,), *stack, loss="binary_crossentropy"), x, x, epochs=8)


@faulty("exploding_loss", "loss", every=5, held_out=True)
def squared_error_with_a_minus() -> Training:
    x, y = diabetes()
    return Training(
        net((10,), *fc(32), layers.Dense(1, name="value"), loss=lambda a, b: -ops.mean((a - b) ** 2), optimizer=Adam(0.01)), x, y, epochs=15
    )


@faulty("saturated_activation vanishing_gradient output_mismatch dead_units", "progress", every=5, held_out=True)
def sigmoid_for_targets_in_the_hundreds() -> Training:
    x, y = progress()
    out = layers.Dense(1, activation="sigmoid", name="progress")
    return Training(net((10,), *fc(32), out, loss="mse", optimizer=Adam(0.01)), x, y, epochs=12)


# Batch normalization and dropout.


@faulty("batchnorm_drift", "norm1", every=5, held_out=True)
def validation_pictures_not_divided() -> Training:
    x, y = bytes_of_digits()
    conv = layers.Conv2D(16, 3, name="conv1")
    stack = [conv, layers.BatchNormalization(name="norm1", momentum=0.9), layers.ReLU(), layers.Flatten(), softmax()]
    return Training(net((8, 8, 1), *stack), x[:1400] / 255, y[:1400], epochs=6, options={"validation_data": (x[1400:], y[1400:])})


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def moving_averages_that_hardly_move() -> Training:
    x, y = digits()
    stack = [layers.Dense(64, name="fc1"), layers.BatchNormalization(name="norm", momentum=0.99999), layers.ReLU(), softmax()]
    model = net((64,), *stack, optimizer=Adam(3e-3))
    return Training(model, 5 * x[:1400], y[:1400], epochs=5, options={"validation_data": (5 * x[1400:], y[1400:])})


@faulty("heavy_dropout", "dropout", every=5, held_out=True)
def share_to_keep_taken_for_share_to_drop() -> Training:
    return Training(net((64,), *fc(128), layers.Dropout(0.9, name="dropout"), softmax()), *digits(), epochs=5)


@faulty("heavy_dropout", "dropout", every=5, held_out=True)
def spatial_dropout_of_95_percent() -> Training:
    x, y = images()
    stack = [*convs(32), layers.SpatialDropout2D(0.95, name="dropout"), layers.Flatten(), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=5)


# Generative models.


@faulty("drowned_code collapse", "mean log_variance codes", every=10, held_out=True)
def variational_autoencoder_with_beta_of_200() -> Training:
    class Strict(Vae):
        def objective(self, x: Any, y: Any) -> Any:
            picture, divergence = self.decoded(x)
            error = ops.mean(ops.sum((picture - x) ** 2, -1))
            return error + 200.0 * divergence

    model = Strict(32, 4)
    model.compile(optimizer=Adam(2e-3))
    return Training(model, digits()[0], epochs=7)


@faulty("vanishing_gradient saturated_activation collapse", "generator verdict critic", every=5, held_out=True)
def critic_that_has_won() -> Training:
    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="tanh")], name="generator")
            self.critic = keras.Sequential(
                [layers.Dense(128, activation="relu"), layers.Dense(1, activation="sigmoid", name="verdict")], name="critic"
            )
            self.of_critic, self.of_generator = Adam(2e-2), Adam(1e-6)

        def call(self, x: Any) -> Any:
            return self.critic(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            noise = keras.random.normal((ops.shape(x)[0], 8))
            with tf.GradientTape(persistent=True) as tape:
                fake = self.critic(self.generator(noise))
                loss = -ops.mean(ops.log(self.critic(x) + 1e-7)) - ops.mean(ops.log(1 - fake + 1e-7))
                lost = ops.mean(ops.log(1 - fake + 1e-7))
            for optimizer, value, part in ((self.of_critic, loss, self.critic), (self.of_generator, lost, self.generator)):
                optimizer.apply_gradients(zip(tape.gradient(value, part.trainable_weights), part.trainable_weights, strict=True))
            return {"loss": loss}

    model = Gan()
    model.compile()
    return Training(model, 4 * digits()[0], epochs=8)


@faulty("collapse", "encoder codes", every=10, held_out=True)
def triplets_that_only_attract() -> Training:
    class Triplets(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(8)], name="encoder")

        def call(self, x: Any) -> Any:
            return self.encoder(x)

        def objective(self, x: Any, y: Any) -> Any:
            codes = self(x)
            same = ops.cast(y[:, None] == y[None, :], "float32")
            apart = ops.sum((codes[:, None] - codes[None, :]) ** 2, -1)
            return ops.mean(same * apart) + 0.5 * ops.mean((1 - same) * apart)

    model = Triplets()
    model.compile(optimizer=Adam(2e-2))
    x, y = images()
    return Training(model, x, y.astype("int32"), epochs=8)


@faulty(
    "update_too_large exploding_loss oscillating_loss exploding_gradient collapse",
    "block_ffn1 block_ffn2 block_attention embedded next loss",
    every=10,
    held_out=True,
)
def transformer_forecast_with_plain_descent_of_one() -> Training:
    x, y = series(length=24)
    inputs = keras.Input((24, 1), name="inputs")
    h = transformer_block(layers.Dense(32, name="embedded")(inputs), "block")
    out = layers.Dense(1, name="next")(layers.Flatten()(h))
    return Training(graph(inputs, out, "mse", SGD(1.0)), x, y, epochs=5)


@faulty("missing_gradient unchanged_weights", "prior", every=10, held_out=True)
def table_that_only_the_metric_uses() -> Training:
    class Extra(layers.Layer):
        def build(self, shape: Any) -> None:
            self.prior = self.add_weight(shape=(32, 10), name="kernel")
            self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

        def call(self, x: Any) -> Any:
            self.seen.assign(ops.mean(ops.matmul(x, self.prior)))
            return x

    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = layers.GlobalAveragePooling1D()(WithPositions(300, 20, 32, name="embedded")(ids))
    return Training(graph(ids, sigmoid()(Extra(name="prior")(h)), "binary_crossentropy"), x, y, epochs=4)
