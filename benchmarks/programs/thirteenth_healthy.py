"""A thirteenth set of healthy programs: what ordinary users do, provocative and fine."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.registry import Training, healthy
from benchmarks.programs.thirteenth_faulty import Gan, SelfAttention, circle, patches
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
    rhythms,
    value,
    waves,
    wines,
    yes_or_no,
)

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW


@healthy(every=5, held_out=True)
def points_on_a_circle_from_noise() -> Training:
    model = Gan()
    model.compile(optimizer=Adam(1e-3, beta_1=0.5))
    return Training(model, circle(), epochs=6)


@healthy(every=5, held_out=True)
def digits_from_noise_by_transposed_convolutions() -> Training:
    class Dcgan(Gan):
        def __init__(self) -> None:
            super().__init__()
            up = [
                layers.Dense(4 * 4 * 16, name="seed"),
                layers.Reshape((4, 4, 16)),
                layers.BatchNormalization(momentum=0.8, name="norm"),
                layers.ReLU(),
            ]
            last = layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh", name="picture")
            self.network = part("generator", (8,), *up, last)
            down = [layers.Conv2D(16, 3, 2, padding="same", name="look"), layers.LeakyReLU(0.2), layers.Dropout(0.3), layers.Flatten()]
            self.critic = part("critic", (8, 8, 1), *down, layers.Dense(1, name="real"))
            self.second = Adam(2e-4, beta_1=0.5)

    model = Dcgan()
    model.compile(optimizer=Adam(2e-4, beta_1=0.5))
    return Training(model, 2 * pictures()[0] - 1, epochs=4)


@healthy(every=1, held_out=True)
def critic_with_a_penalty_on_its_gradient() -> Training:
    class Wgan(Gan):
        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            n = ops.shape(x)[0]
            with tf.GradientTape() as tape:
                fake = self.network(keras.random.normal((n, 8)))
                share = keras.random.uniform((n, 1))
                between = share * x + (1 - share) * fake
                with tf.GradientTape() as inner:
                    inner.watch(between)
                    said = self.critic(between)
                slope = ops.sqrt(ops.sum(inner.gradient(said, between) ** 2, -1) + 1e-12)
                loss = ops.mean(self.critic(fake)) - ops.mean(self.critic(x)) + 10 * ops.mean((slope - 1) ** 2)
            weights = self.critic.trainable_weights
            self.second.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            with tf.GradientTape() as tape:
                other = -ops.mean(self.critic(self.network(keras.random.normal((n, 8)))))
            weights = self.network.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(other, weights), weights, strict=True))
            return {"critic": loss, "generator": other}

    model = Wgan()
    model.compile(optimizer=Adam(1e-3, beta_1=0.5))
    return Training(model, circle(), epochs=3)


@healthy(every=10, held_out=True)
def half_dropped_and_both_penalties() -> Training:
    penalty = keras.regularizers.L1L2(1e-4, 1e-3)
    stacked = [
        layers.Dropout(0.2),
        *dense(128, kernel_regularizer=penalty),
        layers.Dropout(0.5),
        *dense(64, prefix="more", kernel_regularizer=penalty),
    ]
    return Training(chain((64,), *stacked, layers.Dropout(0.5), classes()), *numbers(), epochs=6)


@healthy(every=5, held_out=True)
def sparse_counts_under_a_linear_model() -> Training:
    x, y = lines()
    pairs = np.zeros((len(x), 1024), "float32")
    for row, line in enumerate(x):
        for a, b in itertools.pairwise(line):
            pairs[row, (int(a) * 131 + int(b)) % 1024] += float(b > 0)
    return Training(chain((1024,), yes_or_no(), loss=BCE, optimizer=Adam(0.01)), pairs, y, epochs=5)


@healthy(every=5, held_out=True)
def categories_as_one_of_many() -> Training:
    x, y = cells()
    bins = np.stack([np.digitize(column, np.quantile(column, np.linspace(0.1, 0.9, 9))) for column in x.T], 1)
    return Training(chain((300,), *dense(32), yes_or_no(), loss=BCE), np.eye(10, dtype="float32")[bins].reshape(len(x), -1), y, epochs=6)


@healthy(every=1, held_out=True)
def batches_of_two_of_photographs() -> Training:
    x, y = patches()
    stacked = [layers.Rescaling(1 / 127.5, -1), layers.Conv2D(8, 3, strides=2, activation="relu", name="conv1"), layers.Flatten()]
    model = chain((16, 16, 3), *stacked, yes_or_no(), loss=BCE, optimizer=SGD(5e-3))
    return Training(model, x[:240], y[:240], batch_size=2, epochs=1)


@healthy(every=1, held_out=True)
def long_warm_up_of_a_transformer() -> Training:
    class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            step = ops.cast(step, "float32") + 1.0
            return 32**-0.5 * ops.minimum(step**-0.5, step * 80**-1.5)

        def get_config(self) -> dict[str, Any]:
            return {}

    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(32, name="tokens")(inputs), 32)
    model = compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE, Adam(WarmUp(), beta_2=0.98))
    return Training(model, *lines(), epochs=3)


@healthy(every=5, held_out=True)
def frozen_trunk_with_a_normalization_and_a_new_head() -> Training:
    x, y = patches()
    x = (x / 127.5 - 1).astype("float32")
    trunk = part("trunk", (16, 16, 3), layers.Conv2D(16, 3, 2, name="conv1"), layers.BatchNormalization(name="norm"), layers.ReLU(), layers.Flatten())
    first = chain((16, 16, 3), trunk, yes_or_no(), loss=BCE)
    first.fit(x[:320], y[:320], epochs=4, verbose=0)
    trunk.trainable = False
    inputs = keras.Input((16, 16, 3), name="inputs")
    bright = (x[320:].mean((1, 2, 3)) > 0).astype("float32")[:, None]
    model = compiled(keras.Model(inputs, yes_or_no()(layers.Dropout(0.2)(trunk(inputs, training=False)))), BCE, Adam(1e-3))
    return Training(model, x[320:], bright, epochs=8)


@healthy(every=10, held_out=True)
def letters_read_and_said_by_the_same_table() -> Training:
    class Tied(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.signs = layers.Embedding(LETTERS, 32, name="signs")
            self.gru = layers.GRU(32, name="gru")

        def call(self, x: Any) -> Any:
            return ops.matmul(self.gru(self.signs(x)), ops.transpose(self.signs.embeddings))

    model = Tied()
    return Training(compiled(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True), Adam(5e-3)), *letters(), epochs=5)


@healthy(every=10, held_out=True)
def low_rate_with_much_momentum() -> Training:
    model = chain((64,), *dense(64), classes(), optimizer=SGD(1e-3, momentum=0.99, nesterov=True))
    return Training(model, *numbers(), epochs=4)


@healthy(every=10, held_out=True)
def ten_leaky_layers() -> Training:
    stacked = dense(*[48] * 10, activation="leaky_relu", kernel_initializer="he_normal")
    return Training(chain((64,), *stacked, classes()), *numbers(), epochs=4)


@healthy(every=5, held_out=True)
def normalization_with_a_small_momentum() -> Training:
    x, y = patches()
    x = (x / 255).astype("float32")
    stacked = [layers.Conv2D(16, 3, 2, name="conv1"), layers.BatchNormalization(momentum=0.5, name="norm"), layers.ReLU()]
    model = chain((16, 16, 3), *stacked, layers.GlobalAveragePooling2D(), yes_or_no(), loss=BCE, optimizer=Adam(3e-3))
    return Training(model, x[:512], y[:512], epochs=6, options={"validation_data": (x[512:], y[512:])})


@healthy(every=5, held_out=True)
def recurrence_in_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    return Training(chain((48, 2), layers.GRU(24, name="gru"), *dense(16), yes_or_no(), loss=BCE), *rhythms(), epochs=5)


@healthy(every=1, held_out=True)
def photographs_in_mixed_float16_with_momentum() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    stacked = [layers.Rescaling(1 / 255), *convolutions(16, 32), layers.MaxPooling2D(4), layers.Flatten(), layers.Dropout(0.4), yes_or_no()]
    return Training(chain((16, 16, 3), *stacked, loss=BCE, optimizer=SGD(0.02, momentum=0.9)), *patches(), epochs=3)


@healthy(every=5, held_out=True)
def noise_taken_out_of_black_pictures() -> Training:
    x, _ = pictures()
    stacked = [layers.GaussianNoise(0.3), *convolutions(16, 16)]
    out = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="picture")
    return Training(chain((8, 8, 1), *stacked, out, loss=BCE, optimizer=Adam(5e-3)), x, x, epochs=6)


@healthy(every=10, held_out=True)
def padded_lines_with_a_mask_both_ways() -> Training:
    signs = layers.Embedding(LETTERS, 16, mask_zero=True, name="signs")
    model = chain((32,), signs, layers.Bidirectional(layers.LSTM(16, name="lstm")), yes_or_no(), loss=BCE, optimizer="rmsprop", dtype="int32")
    return Training(model, *lines(), epochs=5)


@healthy(every=5, held_out=True)
def rare_class_with_a_focal_loss_and_its_bias() -> Training:
    x, y = numbers()
    out = layers.Dense(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(-2.2), name="predictions")
    model = chain((64,), *dense(32), out, loss=keras.losses.BinaryFocalCrossentropy(gamma=2.0), optimizer=Adam(3e-3))
    return Training(model, x, (y == 8).astype("float32")[:, None], epochs=6)


@healthy(every=10, held_out=True)
def three_quantiles_at_once() -> Training:
    levels = np.array([0.1, 0.5, 0.9], "float32")
    loss = lambda t, p: ops.mean(ops.maximum(levels * (t - p), (levels - 1) * (t - p)))  # noqa: E731
    return Training(chain((10,), *dense(64, 32), layers.Dense(3, name="quantiles"), loss=loss, optimizer=Adam(3e-3)), *progress(), epochs=8)


@healthy(every=5, held_out=True)
def averages_of_weights_and_a_decay() -> Training:
    optimizer = AdamW(2e-3, weight_decay=0.05, clipnorm=0.5, use_ema=True, ema_momentum=0.9)
    return Training(chain((13,), *dense(64, 32, activation="gelu"), classes(3), optimizer=optimizer), *wines(), epochs=5)


@healthy(every=1, held_out=True)
def gradients_added_up_over_four_batches() -> Training:
    model = chain((64,), *dense(64, 32), classes(), optimizer=Adam(3e-3, gradient_accumulation_steps=4))
    return Training(model, *numbers(), batch_size=16, epochs=2)


@healthy(every=5, held_out=True)
def head_first_and_then_everything() -> Training:
    x, y = pictures()
    trunk = part("trunk", (8, 8, 1), *convolutions(16, 16), layers.Flatten())
    chain((8, 8, 1), trunk, classes()).fit(x[:512], y[:512], epochs=4, verbose=0)
    trunk.trainable = False
    model = chain((8, 8, 1), trunk, layers.Dense(1, name="value"), loss="mse", optimizer=Adam(3e-3))

    def melt(model: Any) -> dict[str, Any]:
        trunk.trainable = True
        compiled(model, "mse", Adam(1e-4))
        return {}

    return Training(model, x[512:], (y[512:] / 5.0 - 1).astype("float32")[:, None], epochs=4, again=(melt,))


@healthy(every=5, held_out=True)
def signs_of_gradients_by_lion() -> Training:
    model = chain((40, 1), layers.LSTM(24, name="lstm"), value(), loss="huber", optimizer=keras.optimizers.Lion(5e-4))
    return Training(model, *waves(), epochs=5)


@healthy(every=5, held_out=True)
def student_of_a_teacher() -> Training:
    x, y = numbers()
    teacher = chain((64,), *dense(96, prefix="t"), layers.Dense(10, name="says"), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    teacher.fit(x, y, epochs=5, verbose=0)
    teacher.trainable = False

    class Student(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("student", (64,), *dense(16), layers.Dense(10, name="logits")))
            self.teacher = teacher

        def objective(self, x: Any, y: Any) -> Any:
            said = self.network(x)
            soft = ops.softmax(self.teacher(x, training=False) / 4.0)
            of_teacher = ops.mean(ops.categorical_crossentropy(soft, said / 4.0, from_logits=True))
            return 0.1 * ops.mean(ops.sparse_categorical_crossentropy(y, said, from_logits=True)) + 0.9 * 16.0 * of_teacher

    model = Student()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, x, y, epochs=5)


@healthy(every=10, held_out=True)
def thirty_two_examples_by_heart() -> Training:
    x, y = numbers()
    return Training(chain((64,), *dense(64, 64), classes(), optimizer=Adam(5e-3)), x[:32], y[:32], epochs=140)


@healthy(every=5, held_out=True)
def attention_by_hand_scaled_as_it_should_be() -> Training:
    tokens = Positions(32, name="tokens")
    stacked = [SelfAttention(32, 32**-0.5, name="attention"), layers.LayerNormalization(name="norm"), layers.GlobalAveragePooling1D()]
    return Training(chain((32,), tokens, *stacked, yes_or_no(), loss=BCE, dtype="int32", optimizer=Adam(3e-3)), *lines(), epochs=4)


@healthy(every=5, held_out=True)
def target_in_its_own_unit_that_the_model_scales_back() -> Training:
    x, y = patients()
    back = layers.Rescaling(float(y.std()), float(y.mean()), name="back")
    return Training(chain((10,), *dense(32), value(), back, loss="mae", optimizer=Adam(0.01)), x, y, epochs=8)


@healthy(every=5, held_out=True)
def loop_with_a_rate_that_falls_to_nothing() -> Training:
    x, y = wines()
    model = keras.Sequential([keras.Input((13,), name="inputs"), *dense(32, activation="tanh"), classes(3)])
    rate = keras.optimizers.schedules.CosineDecay(0.02, 88)
    return looped(model, lambda t, p: ops.mean(ops.sparse_categorical_crossentropy(t, p)), Adam(rate), x, y, epochs=4)


@healthy(every=5, held_out=True)
def residual_network_normalized_throughout() -> Training:
    inputs = keras.Input((16, 16, 3), name="inputs")
    h = layers.Conv2D(12, 3, 2, padding="same", name="stem")(layers.Rescaling(1 / 127.5, -1)(inputs))
    for i in range(4):
        n = layers.ReLU()(layers.BatchNormalization(name=f"norm{i}")(h))
        h = layers.Add(name=f"add{i}")([h, layers.Conv2D(12, 3, padding="same", use_bias=False, name=f"conv{i}")(n)])
    model = compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling2D()(layers.BatchNormalization(name="last")(h)))), BCE, Adam(3e-3))
    x, y = patches()
    return Training(model, x[:512], y[:512], epochs=4, options={"validation_data": (x[512:], y[512:])})


@healthy(every=5, held_out=True)
def contrast_of_views_with_a_temperature_that_is_learned() -> Training:
    class Clip(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("left", (32,), *dense(48), layers.Dense(16)))
            self.other = part("right", (32,), *dense(48), layers.Dense(16))
            self.log_scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(2.0), name="log_scale")

        def objective(self, x: Any, y: Any) -> Any:
            a, b = ops.normalize(self.network(x[:, :32]), -1), ops.normalize(self.other(x[:, 32:]), -1)
            scores = ops.exp(self.log_scale) * ops.matmul(a, ops.transpose(b))
            same = ops.arange(ops.shape(x)[0])
            both = (scores, ops.transpose(scores))
            return sum(ops.mean(ops.sparse_categorical_crossentropy(same, s, from_logits=True)) for s in both) / 2

    model = Clip()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, numbers()[0], epochs=6)


@healthy(every=10, held_out=True)
def many_labels_of_which_few_are_true() -> Training:
    x, _ = letters()
    h = [layers.Embedding(LETTERS, 24, name="signs"), layers.GlobalAveragePooling1D(), *dense(32)]
    present = np.zeros((len(x), LETTERS), "float32")
    np.put_along_axis(present, x, 1.0, 1)
    model = chain((24,), *h, layers.Dense(LETTERS, activation="sigmoid", name="labels"), loss=BCE, dtype="int32", optimizer=Adam(0.01))
    return Training(model, x, present, epochs=5)


@healthy(every=5, held_out=True)
def softmax_over_rows_of_numbers_without_a_loss_of_probabilities() -> Training:
    gate = Of(lambda h: ops.softmax(h, -1), name="shares")
    inputs = keras.Input((13,), name="inputs")
    h = layers.Dense(16, name="scores")(inputs)
    mixed = layers.Multiply(name="mixed")([layers.Dense(16, activation="relu", name="fc1")(inputs), gate(h)])
    return Training(compiled(keras.Model(inputs, classes(3)(mixed)), SCCE, Adam(5e-3)), *wines(), epochs=6)


@healthy(every=5, held_out=True)
def plain_recurrence_asked_for_the_sign_it_saw_first() -> Training:
    """Declared as a vanishing gradient at first; an LSTM learns no more of it in as many steps, and a tenth of the gradient or more arrives."""

    rng = np.random.default_rng(22)
    x = rng.integers(0, 8, (640, 120))
    model = chain((120,), layers.Embedding(8, 8, name="signs"), layers.SimpleRNN(24, name="rnn"), classes(8), dtype="int32")
    return Training(model, x.astype("int32"), x[:, 0].astype("int32"), epochs=4)
