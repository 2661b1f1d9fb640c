"""Faulty programs of the sixth set: collapse, inputs, cut paths, rates, decay, losses, 16 bits, batch normalization, outputs and losses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import digits
from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.sixth_data import (
    BINARY,
    LOGITS,
    Steps,
    block,
    customers,
    dense,
    glyphs,
    joined,
    known_customers,
    loads,
    reviews,
    ring,
    spectra,
    stacked,
    standard,
    surface,
)

SGD, Adam, Constant = keras.optimizers.SGD, keras.optimizers.Adam, keras.initializers.Constant
Normal = keras.initializers.RandomNormal


@faulty("poor_initialization unchanged_weights", "block_0_up block_0_down block_1_up block_1_down", every=5, held_out=True)
def feed_forward_of_two_blocks_begins_at_zero() -> Training:
    x, y = reviews()
    ids = keras.Input((40,), dtype="int32", name="ids")
    value = layers.Embedding(200, 32, name="words")(ids)
    for k in range(2):
        value = block(value, f"block_{k}")
    model = joined(ids, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(value)))
    for layer in model.layers:
        if layer.name.endswith(("_up", "_down")):
            layer.set_weights([0 * weight for weight in layer.get_weights()])
    return Training(model, x, y, epochs=2)


# All the same.


@faulty("collapse", "classes", every=5, held_out=True)
def softmax_over_one_unit_of_a_convolution() -> Training:
    x, y = glyphs()
    stack = [
        layers.Conv2D(8, 3, activation="relu", name="conv"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="softmax", name="classes"),
    ]
    return Training(stacked((16, 16, 3), *stack, loss="binary_crossentropy"), x, (y > 2).astype("float32")[:, None], epochs=3)


@faulty("collapse", "encoder hidden_0 hidden_1 embedding", every=5, held_out=True)
def views_pulled_together_and_nothing_pushed_apart() -> Training:
    class Invariant(Steps):
        def objective(self, data: Any) -> Any:
            x = data[0]
            noise = tf.random.normal(tf.shape(x), stddev=0.1)
            return ops.mean(ops.square(self(x, training=True) - self(x + noise, training=True)))

    inputs = keras.Input((64,), name="features")
    value = inputs
    for layer in [*dense((64, 64)), layers.Dense(16, name="embedding")]:
        value = layer(value)
    model = Invariant(inputs, value)
    model.compile(Adam(3e-3))
    return Training(model, digits()[0], digits()[1], epochs=30)


class Latent(Steps):
    """A variational autoencoder whose divergence weighs `beta`."""

    beta = 1.0

    def objective(self, data: Any) -> Any:
        x = data[0]
        mean, log_variance, curve = self(x, training=True)
        divergence = -0.5 * ops.mean(ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), -1))
        return ops.mean(ops.sum(ops.square(x - curve), -1)) + self.beta * divergence


class Draw(layers.Layer):
    """A sample of a normal distribution."""

    def call(self, mean: Any, log_variance: Any) -> Any:
        return mean + ops.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))


@faulty("collapse drowned_code", "mean", every=10, held_out=True)
def divergence_that_weighs_fifty_times() -> Training:
    inputs = keras.Input((64,), name="features")
    hidden = layers.Dense(48, activation="relu", name="encoder")(inputs)
    mean, log_variance = layers.Dense(4, name="mean")(hidden), layers.Dense(4, name="log_variance")(hidden)
    hidden = layers.Dense(48, activation="relu", name="decoder")(Draw(name="draw")(mean, log_variance))
    model = Latent(inputs, [mean, log_variance, layers.Dense(64, activation="sigmoid", name="curve")(hidden)])
    model.beta = 50.0
    model.compile(Adam(3e-3))
    return Training(model, spectra(), spectra(), epochs=15)


@faulty("collapse poor_initialization vanishing_gradient", "norm_0 norm_1", every=5, held_out=True)
def two_norms_whose_scale_begins_at_zero() -> Training:
    x, y = known_customers()
    stack: list[Any] = []
    for k in range(2):
        stack += [layers.Dense(32, name=f"hidden_{k}"), layers.LayerNormalization(gamma_initializer="zeros", name=f"norm_{k}"), layers.ReLU()]
    return Training(stacked((6,), *stack, layers.Dense(1, name="leaves"), loss=BINARY), x, y, epochs=3)


@faulty("collapse dead_units vanishing_gradient penalty_too_strong", "hidden_0 hidden_1 leaves", every=5, held_out=True)
def penalty_on_weights_of_one_hundred() -> Training:
    x, y = known_customers()
    stack = [*dense((32, 32), kernel_regularizer=keras.regularizers.L2(10.0)), layers.Dense(1, name="leaves")]
    return Training(stacked((6,), *stack, loss=BINARY, optimizer=Adam(5e-3)), x, y, epochs=15)


@faulty("collapse update_too_large", "hidden_0 hidden_1 leaves", every=5, held_out=True)
def decoupled_decay_of_a_fifth_per_step() -> Training:
    x, y = known_customers()
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=200.0)
    return Training(stacked((6,), *dense((32, 32), "tanh"), layers.Dense(1, name="leaves"), loss=BINARY, optimizer=optimizer), x, y, epochs=4)


# Inputs.


@faulty("unnormalized_input", "features", every=5, held_out=True)
def one_outlier_scales_everything_down() -> Training:
    x, y = surface()
    x = x - x.min(0)
    x[17] = 1e6
    x /= x.max(0)
    model = stacked((6,), *dense((32,)), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(0.05))
    return Training(model, x.astype("float32"), y, epochs=4)


@faulty("unnormalized_input", "features pixels", every=5, held_out=True)
def pixels_divided_twice_by_255() -> Training:
    x, y = glyphs()
    stack = [
        layers.Rescaling(1 / 255, name="pixels"),
        layers.Conv2D(8, 3, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(5, name="scores"),
    ]
    return Training(stacked((16, 16, 3), *stack, optimizer=SGD(0.05)), x / 255, y, epochs=4)


@faulty("unnormalized_input", "account", every=5, held_out=True)
def account_number_among_the_columns() -> Training:
    x, y = known_customers()
    account = np.random.default_rng(68).integers(10**6, 10**8, len(x)).astype("float32")[:, None]
    known, number = keras.Input((6,), name="known"), keras.Input((1,), name="account")
    value = layers.Dense(32, activation="relu", name="hidden")(layers.Concatenate()([known, number]))
    return Training(joined([known, number], layers.Dense(1, name="leaves")(value), loss=BINARY), [x, account], y, epochs=3)


# Paths that are cut.


@faulty("missing_gradient", "encoder", every=5, held_out=True)
def code_detached_before_the_decoder() -> Training:
    x = spectra()
    inputs = keras.Input((64,), name="features")
    code = layers.Dense(8, activation="relu", name="encoder")(inputs)
    hidden = layers.Dense(32, activation="relu", name="decoder")(ops.stop_gradient(code))
    return Training(joined(inputs, layers.Dense(64, name="curve")(hidden), loss="mse"), x, x, epochs=3)


@faulty("missing_gradient", "importance", every=5, held_out=True)
def hard_choice_of_words() -> Training:
    x, y = reviews()
    ids = keras.Input((40,), dtype="int32", name="ids")
    words = layers.Embedding(200, 16, name="words")(ids)
    chosen = ops.cast(layers.Dense(1, activation="sigmoid", name="importance")(words) > 0.5, "float32")
    model = joined(ids, layers.Dense(2, name="scores")(ops.mean(words * chosen, 1)))
    return Training(model, x, y, epochs=3)


@faulty("unchanged_weights missing_gradient", "judge/critic_hidden judge/critic", every=5, held_out=True)
def generator_twice_and_the_critic_never() -> Training:
    class Adversaries(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(2)], name="generator")
            stack = [layers.Dense(32, activation="relu", name="critic_hidden"), layers.Dense(1, name="critic")]
            self.critic = keras.Sequential([keras.Input((2,)), *stack], name="judge")

        def train_step(self, data: Any) -> dict[str, Any]:
            real = data[0] if isinstance(data, tuple) else data
            noise = tf.random.normal((tf.shape(real)[0], 8))
            with tf.GradientTape(persistent=True) as tape:
                made = self.generator(noise)
                on_real, on_made = self.critic(real), self.critic(made)
                critic = BINARY(tf.ones_like(on_real), on_real) + BINARY(tf.zeros_like(on_made), on_made)
                generator = BINARY(tf.ones_like(on_made), on_made)
            for loss in (critic, generator):
                variables = self.generator.trainable_variables
                self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return {"critic": critic, "generator": generator}

    model = Adversaries()
    model.compile(Adam(1e-3))
    return Training(model, ring(), epochs=4)


@faulty("unchanged_weights missing_gradient update_too_small", "mood_hidden mood", every=5, held_out=True)
def second_answer_weighs_nothing() -> Training:
    x, y = known_customers()
    inputs = keras.Input((6,), name="features")
    trunk = layers.Dense(32, activation="relu", name="trunk")(inputs)
    leaves = layers.Dense(1, name="leaves")(trunk)
    mood = layers.Dense(1, name="mood")(layers.Dense(16, activation="relu", name="mood_hidden")(trunk))
    model = joined(inputs, {"leaves": leaves, "mood": mood}, {"leaves": BINARY, "mood": "mse"}, loss_weights={"leaves": 1.0, "mood": 0.0})
    return Training(model, x, {"leaves": y, "mood": x[:, :1] ** 2}, epochs=3)


@faulty("missing_gradient unchanged_weights", "second", every=5, held_out=True)
def first_layer_called_in_the_place_of_the_second() -> Training:
    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layers.Dense(6, activation="relu", name="first"), layers.Dense(6, activation="relu", name="second")
            self.leaves = layers.Dense(1, name="leaves")

        def build(self, shape: Any) -> None:
            self.first.build(shape)
            self.second.build((shape[0], 6))
            self.leaves.build((shape[0], 6))
            self.built = True

        def call(self, x: Any) -> Any:
            return self.leaves(self.first(self.first(x)))

    model = Network()
    model.compile("adam", BINARY)
    return Training(model, *known_customers(), epochs=3)


# Rates and decay.


@faulty("update_too_small", "hidden_0 hidden_1 value", every=5, held_out=True)
def gradient_values_clipped_to_a_ten_millionth() -> Training:
    x, y = surface()
    return Training(stacked((6,), *dense((32, 32)), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(0.1, clipvalue=1e-7)), x, y, epochs=3)


@faulty("update_too_small", "conv_0 conv_1 scores", every=10, held_out=True)
def lion_at_a_hundred_millionth() -> Training:
    x, y = glyphs()
    conv = [layers.Conv2D(12, 3, strides=2, activation="relu", name=f"conv_{k}") for k in range(2)]
    model = stacked((16, 16, 3), *conv, layers.Flatten(), layers.Dense(5, name="scores"), optimizer=keras.optimizers.Lion(1e-8))
    return Training(model, x, y, epochs=4)


@faulty("update_too_small unchanged_weights", "words gru scores", every=5, held_out=True)
def warm_up_over_a_hundred_million_steps() -> Training:
    x, y = reviews()
    rate = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=1e-3, warmup_steps=100_000_000)
    stack = [layers.Embedding(200, 16, name="words"), layers.GRU(16, name="gru"), layers.Dense(2, name="scores")]
    return Training(stacked((40,), *stack, optimizer=keras.optimizers.Nadam(rate), dtype="int32"), x, y, epochs=3)


@faulty("update_too_large", "words", every=5, held_out=True)
def table_with_an_optimizer_of_its_own_at_ten() -> Training:
    x, y = reviews()
    model = stacked((40,), layers.Embedding(200, 16, name="words"), layers.GlobalAveragePooling1D(), *dense((16,)), layers.Dense(2), dtype="int32")
    table, rest = Adam(10.0), Adam(1e-3)

    @tf.function
    def step(ids: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOGITS(labels, model(ids, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        table.apply_gradients([(gradients[0], model.trainable_variables[0])])
        rest.apply_gradients(zip(gradients[1:], model.trainable_variables[1:], strict=True))
        return loss

    return Training(model, x, y, epochs=4, loop=step)


@faulty("update_too_large dead_units exploding_loss oscillating_loss", "conv_0 conv_1 scores loss", every=5, held_out=True)
def nadam_at_a_half_on_pictures() -> Training:
    x, y = glyphs()
    conv = [layers.Conv2D(12, 3, strides=2, activation="relu", name=f"conv_{k}") for k in range(2)]
    model = stacked((16, 16, 3), *conv, layers.Flatten(), layers.Dense(5, name="scores"), optimizer=keras.optimizers.Nadam(0.5))
    return Training(model, x, y, epochs=3)


@faulty("update_too_large oscillating_loss exploding_loss", "hidden_0 hidden_1 value loss", every=5, held_out=True)
def lion_at_a_tenth() -> Training:
    x, y = surface()
    model = stacked((6,), *dense((32, 32), "tanh"), layers.Dense(1, name="value"), loss="mse", optimizer=keras.optimizers.Lion(0.1))
    return Training(model, x, y, epochs=4)


@faulty("oscillating_loss exploding_loss update_too_large", "loss value hidden_0", every=2, held_out=True)
def linear_model_just_beyond_the_stable_rate() -> Training:
    x, y = known_customers()
    x = x + 3
    return Training(stacked((6,), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(0.03)), x, y, epochs=3)


@faulty("exploding_loss", "loss", every=5, held_out=True)
def pairs_pushed_apart_without_a_margin() -> Training:
    def contrastive(same: Any, distance: Any) -> Any:
        return ops.mean(same * distance - (1 - same) * distance)

    x, y = digits()
    other = np.random.default_rng(69).permutation(len(x))
    left, right = keras.Input((64,), name="left"), keras.Input((64,), name="right")
    tower = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(16)], name="tower")
    distance = ops.sum(ops.square(tower(left) - tower(right)), -1, keepdims=True)
    model = joined([left, right], distance, loss=contrastive, optimizer=Adam(1e-2))
    return Training(model, [x, x[other]], (y == y[other]).astype("float32")[:, None], epochs=4)


# Numbers of 16 bits.


@faulty("float16_overflow nonfinite loss_scale_thrash", "loss hidden_0 hidden_1 value", every=1, held_out=True)
def loss_times_ten_millions_in_float16() -> Training:
    keras.config.set_dtype_policy("float16")
    x, y = surface()
    model = stacked((6,), *dense((32, 32)), layers.Dense(1, name="value"))
    optimizer = SGD(1e-2)

    @tf.function
    def step(features: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(model(features, training=True) - ops.cast(target, "float16")))
            scaled = loss * ops.cast(60_000.0, "float16")
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply_gradients([(g / ops.cast(60_000.0, "float16"), v) for g, v in zip(gradients, model.trainable_variables, strict=True)])
        return scaled

    return Training(model, x, 10 * y, epochs=2, loop=step)


@faulty("float16_overflow nonfinite", "spread", every=1, held_out=True)
def variance_by_hand_in_float16() -> Training:
    class Spread(layers.Layer):
        def call(self, x: Any) -> Any:
            return x / (1 + ops.sqrt(ops.mean(x * x, -1, keepdims=True)))

    keras.config.set_dtype_policy("mixed_float16")
    x, y = customers()
    x = x / np.array([1, 100, 10, 1, 1, 1], "float32")
    model = stacked((6,), Spread(name="spread"), *dense((32,)), layers.Dense(1, dtype="float32", name="leaves"), loss=BINARY)
    return Training(model, x, y, epochs=2)


@faulty("float16_underflow", "conv head scores", every=5, held_out=True)
def small_task_weight_in_plain_float16() -> Training:
    keras.config.set_dtype_policy("float16")
    x, y = glyphs()
    conv = layers.Conv2D(8, 3, strides=2, activation="relu", name="conv")
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), conv, layers.Flatten(), layers.Dense(32, activation="relu", name="head"), layers.Dense(5, name="scores")]
    )
    model.compile(SGD(0.1), LOGITS, loss_weights=[1e-5])
    return Training(model, x, y, epochs=2)


# Batch normalization.


@faulty("batchnorm_drift", "norm_0 norm_1", every=5, held_out=True)
def momentum_the_wrong_way_round_with_two_examples() -> Training:
    x, y = known_customers()
    stack: list[Any] = []
    for k in range(2):
        stack += [layers.Dense(32, activation="relu", name=f"hidden_{k}"), layers.BatchNormalization(momentum=0.01, name=f"norm_{k}")]
    model = stacked((6,), *stack, layers.Dense(1, name="leaves"), loss=BINARY)
    return Training(model, x[:600], y[:600], batch_size=2, epochs=2, options={"validation_data": (x[600:], y[600:])})


@faulty("batchnorm_drift unnormalized_input", "norm features", every=5, held_out=True)
def validated_on_raw_columns() -> Training:
    raw, y = customers()
    x = standard(raw)
    model = stacked(
        (6,), layers.Dense(32, name="hidden"), layers.BatchNormalization(momentum=0.9, name="norm"), layers.ReLU(), layers.Dense(1), loss=BINARY
    )
    return Training(model, x[:900], y[:900], epochs=5, options={"validation_data": (raw[900:], y[900:])})


# Outputs that don't fit their loss.


@faulty("output_mismatch", "classes loss", every=5, held_out=True)
def softmax_and_then_a_loss_of_scores() -> Training:
    x, y = digits()
    model = stacked((64,), *dense((32,)), layers.Dense(10, activation="softmax", name="classes"))
    optimizer = SGD(0.05)

    @tf.function
    def step(pictures: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            scores = model(pictures, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 10), scores))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return loss

    return Training(model, x, y, epochs=6, loop=step)


@faulty("output_mismatch", "scores loss", every=5, held_out=True)
def scores_and_then_a_loss_of_probabilities() -> Training:
    x, y = known_customers()
    model = stacked((6,), *dense((32,)), layers.Dense(1, name="scores"), loss="binary_crossentropy", optimizer=SGD(0.1))
    return Training(model, x, y, epochs=4)


@faulty("saturated_activation output_mismatch", "price", every=5, held_out=True)
def sigmoid_where_the_target_is_up_to_fifty() -> Training:
    x, y = surface()
    model = stacked((6,), *dense((32, 16)), layers.Dense(1, activation="sigmoid", name="price"), loss="mse", optimizer=Adam(1e-2))
    return Training(model, x, 10 * y + 30, epochs=6)


@faulty("heavy_dropout", "keep", every=5, held_out=True)
def share_to_keep_given_as_share_to_drop() -> Training:
    x, y = digits()
    stack = [layers.Dense(64, activation="relu", name="hidden"), layers.Dropout(0.98, name="keep"), layers.Dense(10, name="scores")]
    return Training(stacked((64,), *stack), x, y, epochs=4)


@faulty("unnormalized_input saturated_activation", "features gru", every=5, held_out=True)
def load_in_watts() -> Training:
    x, y = loads()
    watts = x * np.array([4e5, 1, 1], "float32") + np.array([2e6, 0, 0], "float32")
    return Training(stacked((48, 3), layers.GRU(24, name="gru"), layers.Dense(1, name="next"), loss="mse"), watts, y, epochs=3)
