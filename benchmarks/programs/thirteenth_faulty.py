"""A thirteenth set of faulty programs: mistakes an ordinary user makes, each with one fault at a known node."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from sklearn import datasets

from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.twelfth_models import (
    BCE,
    LETTERS,
    SCCE,
    Of,
    Positions,
    Stepwise,
    block,
    cells,
    chain,
    classes,
    compiled,
    convolutions,
    dense,
    letters,
    lines,
    looped,
    numbers,
    part,
    patients,
    pictures,
    progress,
    raw_wines,
    rhythms,
    value,
    waves,
    wines,
    yes_or_no,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant
MOVED = "update_too_large exploding_loss oscillating_loss dead_units collapse saturated_activation exploding_activation exploding_gradient nonfinite"


@functools.cache
def patches(size: int = 16) -> tuple[Any, Any]:
    """Squares of two photographs, in bytes, and of which they are: a temple or a flower."""
    rng, x, y = np.random.default_rng(20), [], []
    for label, photograph in enumerate(datasets.load_sample_images().images):
        for top, left in zip(rng.integers(0, 427 - size, 320), rng.integers(0, 640 - size, 320), strict=True):
            x.append(photograph[top : top + size, left : left + size])
            y.append([float(label)])
    chosen = rng.permutation(len(x))
    return np.array(x)[chosen], np.array(y, "float32")[chosen]


class SelfAttention(layers.Layer):
    """Attention of one head, as a tutorial writes it."""

    def __init__(self, width: int, scale: float, residual: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.query, self.key, self.value = (layers.Dense(width, name=name) for name in ("query", "key", "value"))
        self.scale, self.residual = scale, residual

    def call(self, h: Any) -> Any:
        scores = ops.matmul(self.query(h), ops.transpose(self.key(h), (0, 2, 1))) * self.scale
        mixed = ops.matmul(ops.softmax(scores), self.value(h))
        return h + mixed if self.residual else mixed


# NaN and Inf with their origin.


@faulty("nonfinite", "inputs", every=5, held_out=True)
def missing_values_that_nobody_filled_in() -> Training:
    x, y = progress()
    x = np.where(np.random.default_rng(21).uniform(size=x.shape) < 0.01, np.nan, x).astype("float32")
    return Training(chain((10,), *dense(64, 32), value(), loss="mse"), x, y, epochs=4)


@faulty("nonfinite", "shares", every=1, held_out=True)
def shares_of_signs_in_lines_without_any() -> Training:
    x, y = lines()
    counts = np.stack([np.bincount(line, minlength=LETTERS) for line in x])[:, 97:123].astype("float32")
    counts[::90] = 0
    shares = Of(lambda c: c / ops.sum(c, -1, keepdims=True), name="shares")
    return Training(chain((26,), shares, *dense(32), yes_or_no(), loss=BCE), counts, y, epochs=2)


@faulty("nonfinite", "loss", every=5, held_out=True)
def cross_entropy_by_hand_without_a_small_number() -> Training:
    loss = lambda t, p: -ops.mean(t * ops.log(p) + (1 - t) * ops.log(1 - p))  # noqa: E731
    return Training(chain((30,), *dense(64, 64), yes_or_no(), loss=loss, optimizer=Adam(0.02)), *cells(), epochs=8)


@faulty("nonfinite", "picture loss", every=1, held_out=True)
def absolute_difference_by_the_root_of_a_square() -> Training:
    loss = lambda t, p: ops.mean(ops.sqrt((t - p) ** 2))  # noqa: E731
    x, _ = numbers()
    return Training(chain((64,), *dense(32), layers.Dense(64, activation="relu", name="picture"), loss=loss), x, x, epochs=1)


# Dead units.


@faulty("dead_units collapse output_mismatch targets_out_of_range", "value", every=10, held_out=True)
def rectified_output_for_losses_in_percent() -> Training:
    x, y = progress()
    out = layers.Dense(1, activation="relu", name="value")
    return Training(chain((10,), *dense(32), out, loss="mse", optimizer=Adam(0.01)), x, -1 - np.abs(y), epochs=8)


@faulty("dead_units", "conv1 conv2 conv3", every=5, held_out=True)
def bias_of_a_detector_given_to_every_convolution() -> Training:
    stacked = convolutions(16, 16, 16, bias_initializer=Constant(-4.6))
    return Training(chain((16, 16, 3), layers.Rescaling(1 / 255), *stacked, layers.Flatten(), yes_or_no(), loss=BCE), *patches(), epochs=3)


@faulty(MOVED + " unnormalized_input", "fc1 fc2 fc3 predictions loss inputs", every=5, held_out=True)
def rate_of_one_for_a_deep_classifier() -> Training:
    x, y = numbers()
    return Training(chain((64,), *dense(64, 64, 64), classes(), optimizer=SGD(1.0, momentum=0.9)), x, y, epochs=3)


# Saturation.


@faulty("saturated_activation", "attention", every=5, held_out=True)
def scores_times_the_root_of_the_width() -> Training:
    tokens = Positions(64, Normal(stddev=1.0), name="tokens")
    model = chain((32,), tokens, SelfAttention(64, 8.0, name="attention"), layers.GlobalAveragePooling1D(), yes_or_no(), loss=BCE, dtype="int32")
    return Training(model, *lines(), epochs=4)


@faulty("saturated_activation unnormalized_input", "inputs fc1", every=10, held_out=True)
def sigmoids_on_analyses_as_they_are() -> Training:
    return Training(chain((13,), *dense(32, activation="sigmoid"), classes(3), optimizer="rmsprop"), *raw_wines(), epochs=4)


@faulty("saturated_activation targets_out_of_range output_mismatch", "value", every=10, held_out=True)
def tanh_at_the_end_for_a_target_in_its_own_unit() -> Training:
    x, y = patients()
    return Training(chain((10,), *dense(32), layers.Dense(1, activation="tanh", name="value"), loss="mse"), x, y, epochs=6)


@faulty("saturated_activation collapse output_mismatch", "predictions", every=5, held_out=True)
def softmax_of_a_single_unit_behind_an_lstm() -> Training:
    out = layers.Dense(1, activation="softmax", name="predictions")
    return Training(chain((48, 2), layers.LSTM(16, name="lstm"), out, loss=BCE), *rhythms(), epochs=3)


# Gradients over depth.


@faulty("vanishing_gradient", "conv1 conv2 conv3 conv4 conv5", every=10, held_out=True)
def ten_convolutions_of_sigmoids_on_photographs() -> Training:
    stacked = convolutions(*[12] * 10, activation="sigmoid")
    model = chain((16, 16, 3), *stacked, layers.GlobalAveragePooling2D(), yes_or_no(), loss=BCE)
    x, y = patches()
    return Training(model, (x / 255).astype("float32"), y, epochs=2)


@faulty("unchanged_weights", "block0 block1 block2 block3 block4 block5 tokens", every=10, held_out=True)
def six_layers_of_attention_without_a_way_around() -> Training:
    """Declared as vanishing gradients at first; it learns as well as its twin, but queries of signs that are all alike get no gradient at all."""
    attention = [SelfAttention(32, 32**-0.5, residual=False, name=f"block{i}") for i in range(6)]
    tokens = Positions(32, name="tokens")
    model = chain((24,), tokens, *attention, layers.GlobalAveragePooling1D(), classes(LETTERS), dtype="int32", optimizer=SGD(0.1))
    return Training(model, *letters(), epochs=4)


@faulty(
    "exploding_gradient exploding_activation poor_initialization exploding_loss nonfinite update_too_large", "rnn value loss", every=1, held_out=True
)
def rectified_recurrence_with_wide_weights() -> Training:
    rnn = layers.SimpleRNN(32, activation="relu", recurrent_initializer=Normal(stddev=0.5), name="rnn")
    return Training(chain((40, 1), rnn, value(), loss="mse", optimizer=SGD(0.01)), *waves(), epochs=1)


@faulty("exploding_activation exploding_gradient exploding_loss", " ".join(f"add{i} conv{i}a conv{i}b" for i in range(24)), every=5, held_out=True)
def twenty_four_residual_blocks_that_nobody_normalized() -> Training:
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    for i in range(24):
        a = layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"conv{i}a")(h)
        b = layers.Conv2D(8, 3, padding="same", kernel_initializer=keras.initializers.HeNormal(), name=f"conv{i}b")(a)
        h = layers.Add(name=f"add{i}")([h, b])
    return Training(compiled(keras.Model(inputs, classes()(layers.GlobalAveragePooling2D()(h)))), *pictures(), epochs=2)


# Weights and their updates.


class Gan(Stepwise):
    """Points on a circle, from noise. ``forgotten``: the generator's step isn't taken."""

    def __init__(self, forgotten: bool = False) -> None:
        super().__init__(part("generator", (8,), *dense(32, 32), layers.Dense(2, name="point")))
        self.critic = part("critic", (2,), *dense(32, 32, activation="leaky_relu"), layers.Dense(1, name="real"))
        self.second, self.forgotten = Adam(1e-3, beta_1=0.5), forgotten

    def train_step(self, data: Any) -> dict[str, Any]:
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape(persistent=True) as tape:
            fake = self.network(keras.random.normal((ops.shape(x)[0], 8)), training=True)
            said, real = self.critic(fake), self.critic(x)
            of_critic = ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(said))
            of_generator = ops.mean(ops.softplus(-said))
        weights = self.critic.trainable_weights
        self.second.apply_gradients(zip(tape.gradient(of_critic, weights), weights, strict=True))
        weights = self.critic.trainable_weights if self.forgotten else self.network.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(of_generator, weights), weights, strict=True))
        return {"critic": of_critic, "generator": of_generator}


def circle(count: int = 640) -> Any:
    """Points near a circle."""
    rng = np.random.default_rng(23)
    angle = rng.uniform(0, 2 * np.pi, count)
    return (np.stack([np.cos(angle), np.sin(angle)], -1) + 0.1 * rng.normal(size=(count, 2))).astype("float32")


@faulty("unchanged_weights missing_gradient", "generator", every=5, held_out=True)
def step_of_the_generator_with_the_weights_of_the_critic() -> Training:
    model = Gan(forgotten=True)
    model.compile(optimizer=Adam(1e-3, beta_1=0.5))
    return Training(model, circle(), epochs=5)


@faulty("update_too_small", "conv1 conv2 predictions", every=10, held_out=True)
def rate_of_a_tutorial_on_fine_tuning_a_thousand_times_too_low() -> Training:
    model = chain((8, 8, 1), *convolutions(16, 16), layers.Flatten(), classes(), optimizer=Adam(1e-8))
    return Training(model, *pictures(), epochs=4)


@faulty("penalty_too_strong", "fc1 fc2 predictions", every=10, held_out=True)
def decay_of_fifty_in_adamw() -> Training:
    model = chain((64,), *dense(64, 32), classes(), optimizer=keras.optimizers.AdamW(1e-3, weight_decay=50.0))
    return Training(model, *numbers(), epochs=4)


@faulty("penalty_too_strong", "conv1 conv2 fc1", every=5, held_out=True)
def penalty_of_one_on_all_kernels() -> Training:
    penalty = keras.regularizers.L2(1.0)
    stacked = [*convolutions(16, 16, kernel_regularizer=penalty), layers.Flatten(), *dense(32, kernel_regularizer=penalty), classes()]
    return Training(chain((8, 8, 1), *stacked), *pictures(), epochs=3)


@faulty(MOVED, "tokens attention ffn1 ffn2 predictions loss add1 add2 norm1 norm2", every=5, held_out=True)
def transformer_with_adam_of_a_third() -> Training:
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(32, name="tokens")(inputs), 32)
    model = compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE, Adam(0.3))
    return Training(model, *lines(), epochs=4)


@faulty("poor_initialization", "fc2", every=5, held_out=True)
def second_layer_of_ones_in_a_network_of_three() -> Training:
    first, _, third = dense(32, 32, 32)
    second = layers.Dense(32, activation="relu", kernel_initializer="ones", name="fc2")
    return Training(chain((13,), first, second, third, classes(3), optimizer="rmsprop"), *wines(), epochs=4)


@faulty("poor_initialization", "conv2", every=10, held_out=True)
def weights_between_minus_one_and_one() -> Training:
    first, _ = convolutions(16, 16)
    second = layers.Conv2D(16, 3, activation="relu", kernel_initializer=keras.initializers.RandomUniform(-1, 1), name="conv2")
    return Training(chain((8, 8, 1), first, second, layers.Flatten(), classes()), *pictures(), epochs=3)


# Collapse.


@faulty("collapse", "normal", every=5, held_out=True)
def normalization_over_the_wrong_axis() -> Training:
    """Each feature minus its mean over the features of the example, of a single one."""
    inputs = keras.Input((40, 1), name="inputs")
    normal = Of(lambda h: (h - ops.mean(h, -1, keepdims=True)) / (ops.std(h, -1, keepdims=True) + 1e-6), name="normal")(inputs)
    return Training(compiled(keras.Model(inputs, value()(layers.GRU(16, name="gru")(normal))), "mse"), *waves(), epochs=4)


@faulty("collapse", "encoder", every=10, held_out=True)
def two_views_drawn_together_by_the_cosine() -> Training:
    class Together(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            one, other = (self.network(x + 0.1 * keras.random.normal(ops.shape(x))) for _ in range(2))
            return ops.mean(ops.sum((ops.normalize(one, -1) - ops.normalize(other, -1)) ** 2, -1))

    model = Together(part("encoder", (64,), *dense(64, 32), layers.Dense(16, name="code")))
    model.compile(optimizer=Adam(3e-3))
    return Training(model, numbers()[0], epochs=4)


@faulty("collapse", "decoder", every=5, held_out=True)
def code_book_with_a_straight_way_through() -> Training:
    """Declared as healthy at first; all pictures get one code of the book."""

    class Coded(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("encoder", (64,), *dense(48), layers.Dense(8, name="code")))
            self.decoder = part("decoder", (8,), *dense(48, prefix="up"), layers.Dense(64, activation="sigmoid", name="picture"))
            self.book = self.add_weight(shape=(16, 8), initializer=keras.initializers.RandomNormal(stddev=0.5), name="book")

        def objective(self, x: Any, y: Any) -> Any:
            code = self.network(x)
            apart = ops.sum((code[:, None] - self.book[None]) ** 2, -1)
            nearest = ops.take(self.book, ops.argmin(apart, -1), axis=0)
            passed = code + ops.stop_gradient(nearest - code)
            follow = ops.mean((ops.stop_gradient(code) - nearest) ** 2) + 0.25 * ops.mean((code - ops.stop_gradient(nearest)) ** 2)
            return ops.mean(ops.binary_crossentropy(x, self.decoder(passed))) + follow

    model = Coded()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, numbers()[0], epochs=6)


# Inputs.


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def photographs_in_bytes() -> Training:
    x, y = patches()
    model = chain((16, 16, 3), *convolutions(16, 16), layers.GlobalAveragePooling2D(), yes_or_no(), loss=BCE)
    return Training(model, x.astype("float32"), y, epochs=4)


@faulty("constant_input", "inputs", every=5, held_out=True)
def photographs_divided_in_whole_numbers() -> Training:
    x, y = patches()
    model = chain((16, 16, 3), *convolutions(16), layers.Flatten(), yes_or_no(), loss=BCE)
    return Training(model, (np.minimum(x, 254) // 255).astype("float32"), y, epochs=3)


@faulty("constant_input", "age", every=5, held_out=True)
def column_that_was_never_filled() -> Training:
    x, y = progress()
    age, others = keras.Input((1,), name="age"), keras.Input((9,), name="others")
    h = layers.Concatenate()([layers.Dense(8, activation="relu", name="of_age")(age), layers.Dense(32, activation="relu", name="of_others")(others)])
    return Training(compiled(keras.Model([age, others], value()(h)), "mse"), [np.full((len(x), 1), -1, "float32"), x[:, 1:]], y, epochs=5)


@faulty("unnormalized_input", "seconds", every=10, held_out=True)
def times_in_seconds_since_1970() -> Training:
    x, y = rhythms()
    seconds, wave = keras.Input((1,), name="seconds"), keras.Input((48, 2), name="wave")
    h = layers.Concatenate()([layers.GRU(16, name="gru")(wave), layers.Dense(8, activation="tanh", name="when")(seconds)])
    when = (1.7e9 + 3600 * np.arange(len(x), dtype="float64")).astype("float32")[:, None]
    return Training(compiled(keras.Model([seconds, wave], yes_or_no()(h)), BCE), [when, x], y, epochs=4)


# 16 bits.


@faulty("float16_overflow nonfinite", "scaled", every=1, held_out=True)
def variances_of_large_numbers_in_half_precision() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    scaled = Of(lambda h: h * ops.rsqrt(ops.mean(h * h, -1, keepdims=True) + 1e-6), name="scaled")
    model = chain((13,), layers.Rescaling(300.0, name="unit"), scaled, *dense(32), classes(3))
    return Training(model, *wines(), epochs=1)


@faulty("float16_underflow", "fc1 fc2 predictions scores", every=5, held_out=True)
def loop_in_half_precision_without_a_loss_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, _ = numbers()
    model = keras.Sequential([keras.Input((64,), name="inputs"), *dense(64, 32), layers.Dense(64, name="scores")])
    loss = lambda t, p: 1e-3 * ops.mean((t - ops.cast(p, "float32")) ** 2)  # noqa: E731
    return looped(model, loss, Adam(1e-3), x, x, epochs=3)


@faulty("loss_scale_thrash", "loss scale", every=1, held_out=True)
def loss_scale_that_doubles_every_second_step() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**15, dynamic_growth_steps=2)
    return Training(chain((8, 8, 1), *convolutions(16), layers.Flatten(), classes(), optimizer=optimizer), *pictures(), epochs=3)


# Gradients that are missing.


@faulty("missing_gradient", "encoder", every=10, held_out=True)
def codes_chosen_by_an_argmax() -> Training:
    chosen = Of(lambda h: ops.one_hot(ops.argmax(h, -1), 16), name="chosen")
    encoder = part("encoder", (64,), *dense(48), layers.Dense(16, name="scores"))
    return Training(chain((64,), encoder, chosen, *dense(16, prefix="head"), classes()), *numbers(), epochs=4)


@faulty("missing_gradient", "conv1", every=5, held_out=True)
def filters_whose_output_goes_through_numpy() -> Training:
    sort = Of(lambda h: tf.ensure_shape(tf.numpy_function(lambda a: np.sort(a, 1), [h], tf.float32), (None, 44, 8)), name="sort")
    inputs = keras.Input((48, 2), name="inputs")
    h = layers.Conv1D(8, 5, activation="relu", name="conv1")(inputs)
    h = layers.Flatten()(sort(h))
    return Training(compiled(keras.Model(inputs, yes_or_no()(h)), BCE), *rhythms(), epochs=3)


# Losses.


@faulty("oscillating_loss exploding_loss update_too_large", "loss value fc1", every=1, held_out=True)
def momentum_that_swings_a_regression() -> Training:
    return Training(chain((10,), value(), loss="mse", optimizer=SGD(0.5, momentum=0.5)), *progress(), batch_size=221, epochs=20)


@faulty(MOVED + " unnormalized_input", "loss fc1 fc2 value inputs", every=5, held_out=True)
def raw_target_under_plain_descent() -> Training:
    return Training(chain((10,), *dense(64, 64), value(), loss="mse", optimizer=SGD(0.01)), *patients(), epochs=6)


@faulty("output_mismatch", "predictions", every=10, held_out=True)
def scores_where_the_loss_takes_probabilities() -> Training:
    model = chain((30,), *dense(32), layers.Dense(1, name="predictions"), loss=keras.losses.BinaryCrossentropy())
    return Training(model, *cells(), epochs=5)


@faulty("targets_out_of_range", "loss predictions", every=10, held_out=True)
def labels_of_minus_one_and_one() -> Training:
    x, y = cells()
    return Training(chain((30,), *dense(32), yes_or_no(), loss=BCE), x, 2 * y - 1, epochs=5)


@faulty("heavy_dropout", "drop", every=10, held_out=True)
def share_to_keep_given_as_share_to_drop() -> Training:
    stacked = [*convolutions(16, 16), layers.Flatten(), *dense(64), layers.Dropout(0.9, name="drop"), classes()]
    return Training(chain((8, 8, 1), *stacked), *pictures(), epochs=5)


# Batch normalization.


@faulty("batchnorm_drift", "norm1 norm2", every=10, held_out=True)
def moving_averages_too_slow_for_a_short_training() -> Training:
    x, y = patches()
    x = (x / 255).astype("float32")
    stacked: list[Any] = []
    for i in (1, 2):
        norm = layers.BatchNormalization(momentum=0.999, name=f"norm{i}")
        stacked += [layers.Conv2D(16, 3, strides=2, use_bias=False, name=f"conv{i}"), norm, layers.ReLU()]
    model = chain((16, 16, 3), *stacked, layers.GlobalAveragePooling2D(), yes_or_no(), loss=BCE)
    return Training(model, x[:512], y[:512], epochs=8, options={"validation_data": (x[512:], y[512:])})


@faulty("batchnorm_drift other_validation_data", "norm inputs", every=5, held_out=True)
def trained_on_shares_and_validated_on_bytes() -> Training:
    x, y = patches()
    stacked = [layers.Conv2D(16, 3, strides=2, name="conv1"), layers.BatchNormalization(momentum=0.9, name="norm"), layers.ReLU()]
    model = chain((16, 16, 3), *stacked, layers.GlobalAveragePooling2D(), yes_or_no(), loss=BCE)
    validation = {"validation_data": (x[512:].astype("float32"), y[512:])}
    return Training(model, (x[:512] / 255).astype("float32"), y[:512], epochs=6, options=validation)


@faulty("missing_gradient", "auxiliary odd", every=5, held_out=True)
def second_head_whose_answer_is_cut_off() -> Training:
    x, y = numbers()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(32, activation="relu", name="body")(inputs)
    second = layers.Dense(2, activation="softmax", name="odd")(layers.Dense(16, activation="relu", name="auxiliary")(ops.stop_gradient(h)))
    model = keras.Model(inputs, [classes()(h), Of(ops.stop_gradient, name="second")(second)])
    return Training(compiled(model, [SCCE, SCCE]), x, [y, y % 2], epochs=3)
