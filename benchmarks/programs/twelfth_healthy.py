"""A twelfth set of healthy programs: of the same kinds, with what looks like a fault and is none."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.registry import Training, healthy
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

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam


# Losses that look wrong.


@healthy(every=10, held_out=True)
def large_losses_of_a_target_in_its_own_unit() -> Training:
    return Training(chain((10,), *dense(64, 32), value(), loss="mse", optimizer=Adam(0.01)), *patients(), epochs=12)


@healthy(every=10, held_out=True)
def likelihood_that_falls_below_zero() -> Training:
    def surprise(t: Any, p: Any) -> Any:
        return ops.mean(p[:, 1:] + 0.5 * (t - p[:, :1]) ** 2 * ops.exp(-2 * p[:, 1:]))

    x, y = waves()
    return Training(
        chain((40, 1), layers.GRU(24, name="gru"), layers.Dense(2, name="mean_and_scale"), loss=surprise, optimizer=Adam(5e-3)), x, y, epochs=6
    )


@healthy(every=10, held_out=True)
def counts_by_an_exponential() -> Training:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(640, 6)).astype("float32")
    y = rng.poisson(np.exp(1 + 0.5 * x[:, :1] - 0.3 * x[:, 1:2])).astype("float32")
    rate = layers.Dense(1, activation="exponential", name="rate")
    return Training(chain((6,), *dense(32), rate, loss="poisson"), x, y, epochs=8)


@healthy(every=5, held_out=True)
def returns_of_an_agent() -> Training:
    """A policy that is drawn from, and moved by noisy returns: its loss isn't one that falls."""

    class Agent(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            logits = self.network(x)
            action = tf.random.categorical(logits, 1)[:, 0]
            reward = ops.cast(ops.equal(ops.cast(action, "int32"), ops.cast(y, "int32")), "float32") * 10 + 3 * keras.random.normal(ops.shape(action))
            chosen = ops.sum(ops.one_hot(action, 3) * ops.log_softmax(logits), -1)
            return -ops.mean((reward - ops.mean(reward)) * chosen)

    model = Agent(part("network", (13,), *dense(32, activation="tanh"), layers.Dense(3, name="policy")))
    model.compile(optimizer=Adam(5e-3))
    return Training(model, *wines(), epochs=8)


@healthy(every=1, held_out=True)
def batches_of_four() -> Training:
    return Training(chain((10,), *dense(32), value(), loss="mse", optimizer=SGD(0.01)), *progress(), batch_size=4, epochs=3)


@healthy(every=5, held_out=True)
def margin_that_is_often_reached() -> Training:
    x, y = numbers()
    order = np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    rng = np.random.default_rng(12)
    alike = np.array([rng.choice(np.flatnonzero(y == c)) for c in y])
    unlike = np.array([rng.choice(np.flatnonzero(y != c)) for c in y])
    encoder = part("encoder", (64,), *dense(64), layers.Dense(16), layers.UnitNormalization(name="unit"))
    inputs = [keras.Input((64,), name=name) for name in ("anchor", "alike", "unlike")]
    a, p, n = (encoder(i) for i in inputs)
    apart = Of(lambda v: ops.sum((v[0] - v[1]) ** 2, -1, keepdims=True) - ops.sum((v[0] - v[2]) ** 2, -1, keepdims=True), name="apart")([a, p, n])
    model = compiled(keras.Model(inputs, apart), lambda t, d: ops.mean(ops.relu(d + 0.2)))
    return Training(model, [x, x[alike], x[unlike]], y.astype("float32")[:, None], epochs=8)


@healthy(every=10, held_out=True)
def smoothed_labels() -> Training:
    x, y = pictures()
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    return Training(chain((8, 8, 1), *convolutions(16, 16), layers.Flatten(), classes(), loss=loss), x, np.eye(10, dtype="float32")[y], epochs=5)


@healthy(every=10, held_out=True)
def losses_weighted_a_thousand_to_one() -> Training:
    x, y = progress()
    inputs = keras.Input((10,), name="inputs")
    h = layers.Dense(32, activation="relu", name="body")(inputs)
    heads = {"risk": layers.Dense(1, name="risk")(h), "pressure": layers.Dense(1, name="pressure")(h)}
    model = compiled(keras.Model(inputs, heads), {"risk": "mse", "pressure": "mse"}, loss_weights={"risk": 1.0, "pressure": 1e-3})
    return Training(model, x, {"risk": y, "pressure": x[:, 3:4]}, epochs=10)


# Units.


@healthy(every=10, held_out=True)
def code_of_few_active_units() -> Training:
    sparse = layers.Dense(128, activation="relu", activity_regularizer=keras.regularizers.L1(1e-4), name="sparse")
    return Training(chain((64,), sparse, layers.Dense(64, activation="sigmoid", name="picture"), loss=BCE), numbers()[0], numbers()[0], epochs=8)


@healthy(every=10, held_out=True)
def rare_labels_of_many() -> Training:
    x, y = letters()
    few = np.isin(np.arange(LETTERS)[None], y[:, None]) & (np.arange(LETTERS)[None] == y[:, None])
    stacked = [layers.Embedding(LETTERS, 16, name="signs"), layers.Conv1D(32, 5, activation="relu", name="conv1"), layers.GlobalMaxPooling1D()]
    out = layers.Dense(LETTERS, activation="sigmoid", name="labels")
    return Training(chain((24,), *stacked, out, loss=BCE, dtype="int32"), x, few.astype("float32"), epochs=6)


@healthy(every=10, held_out=True)
def experts_chosen_by_the_two_best_scores() -> Training:
    class Experts(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.router = layers.Dense(4, name="router")
            self.experts = [layers.Dense(16, activation="relu", name=f"expert{i}") for i in range(4)]

        def call(self, x: Any) -> Any:
            scores = self.router(x)
            best = ops.top_k(scores, 2)[0][..., -1:]
            shares = ops.softmax(ops.where(scores < best, -1e9, scores))
            return ops.sum(ops.stack([expert(x) for expert in self.experts], -1) * shares[:, None], -1)

    return Training(chain((13,), Experts(name="experts"), classes(3)), *wines(), epochs=8)


@healthy(every=10, held_out=True)
def lstm_with_gates_that_begin_open() -> Training:
    lstm = layers.LSTM(24, recurrent_activation="hard_sigmoid", unit_forget_bias=True, name="lstm")
    return Training(chain((48, 2), lstm, yes_or_no(), loss=BCE, optimizer=Adam(5e-3)), *rhythms(), epochs=6)


@healthy(every=5, held_out=True)
def squeeze_and_excitation() -> Training:
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1")(inputs)
    s = layers.Dense(16, activation="sigmoid", name="excite")(layers.Dense(4, activation="relu", name="squeeze")(layers.GlobalAveragePooling2D()(h)))
    h = layers.Multiply(name="scaled")([h, layers.Reshape((1, 1, 16))(s)])
    return Training(compiled(keras.Model(inputs, classes()(layers.Flatten()(h)))), *pictures(), epochs=5)


# What isn't trained, or hardly, on purpose.


@healthy(every=10, held_out=True)
def backbone_trained_before_and_frozen() -> Training:
    x, y = pictures()
    backbone = part("backbone", (8, 8, 1), *convolutions(16, 16), layers.Flatten())
    first = chain((8, 8, 1), backbone, classes())
    first.fit(x[:512], y[:512], epochs=3, verbose=0)
    backbone.trainable = False
    model = chain((8, 8, 1), backbone, *dense(32), yes_or_no(), loss=BCE)
    return Training(model, x[512:], (y[512:] % 2).astype("float32")[:, None], epochs=8)


@healthy(every=10, held_out=True)
def low_rank_change_of_frozen_weights() -> Training:
    class Adapted(layers.Layer):
        def __init__(self, base: Any, **options: Any) -> None:
            super().__init__(**options)
            self.base = base
            base.trainable = False

        def build(self, shape: Any) -> None:
            self.down = self.add_weight(shape=(shape[-1], 4), initializer="he_normal", name="down")
            self.up = self.add_weight(shape=(4, self.base.units), initializer="zeros", name="up")

        def call(self, x: Any) -> Any:
            return self.base(x) + ops.matmul(ops.matmul(x, self.down), self.up)

    x, y = numbers()
    first = chain((64,), *dense(48), classes())
    first.fit(x, y % 5, epochs=3, verbose=0)
    fc1 = first.get_layer("fc1")
    model = chain((64,), Adapted(fc1, name="adapted"), classes(), optimizer=Adam(5e-3))
    return Training(model, x, y, epochs=6)


@healthy(every=10, held_out=True)
def trained_network_tuned_with_a_hundredth_of_the_rate() -> Training:
    x, y = lines()
    model = chain(
        (32,), layers.Embedding(LETTERS, 16, name="signs"), layers.GRU(16, name="gru"), yes_or_no(), loss=BCE, optimizer=Adam(3e-3), dtype="int32"
    )
    model.fit(x[:600], y[:600], epochs=6, verbose=0)
    model.compile(optimizer=Adam(3e-5), loss=BCE)
    return Training(model, x[600:], y[600:], epochs=4)


@healthy(every=1, held_out=True)
def rate_that_warms_up_and_decays() -> Training:
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(16, name="tokens")(inputs), 16)
    rate = keras.optimizers.schedules.CosineDecay(0.0, 60, warmup_target=5e-3, warmup_steps=20)
    model = compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE, Adam(rate))
    return Training(model, *lines(), epochs=2)


@healthy(every=5, held_out=True)
def slow_teacher_without_gradients() -> Training:
    """BYOL: a student predicts what a teacher says that follows it slowly."""

    class Taught(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("student", (64,), *dense(64), layers.Dense(16)))
            self.teacher = part("teacher", (64,), *dense(64), layers.Dense(16))
            self.predictor = part("predictor", (16,), *dense(32), layers.Dense(16))
            self.teacher.set_weights(self.network.get_weights())
            self.teacher.trainable = False

        def objective(self, x: Any, y: Any) -> Any:
            one, other = (x + 0.1 * keras.random.normal(ops.shape(x)) for _ in range(2))
            said = ops.normalize(self.predictor(self.network(one)), -1)
            return ops.mean(ops.sum((said - ops.stop_gradient(ops.normalize(self.teacher(other), -1))) ** 2, -1))

        def train_step(self, data: Any) -> dict[str, Any]:
            logs = super().train_step(data)
            for slow, fast in zip(self.teacher.weights, self.network.weights, strict=True):
                slow.assign(0.99 * slow + 0.01 * fast)
            return logs

    model = Taught()
    model.compile(optimizer=Adam(1e-3))
    return Training(model, numbers()[0], epochs=5)


@healthy(every=20, held_out=True)
def words_as_fixed_random_vectors() -> Training:
    signs = layers.Embedding(LETTERS, 32, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0), trainable=False, name="signs")
    return Training(chain((32,), signs, layers.LSTM(24, name="lstm"), yes_or_no(), loss=BCE, dtype="int32"), *lines(), epochs=5)


# Inputs that look wrong.


@healthy(every=10, held_out=True)
def letters_as_one_of_many() -> Training:
    x, y = letters()
    return Training(
        chain((24, LETTERS), layers.LSTM(32, name="lstm"), classes(LETTERS), optimizer=Adam(3e-3)), np.eye(LETTERS, dtype="float32")[x], y, epochs=5
    )


@healthy(every=10, held_out=True)
def raw_bytes_with_a_rescaling_inside() -> Training:
    x, y = pictures()
    return Training(chain((8, 8, 1), layers.Rescaling(1 / 255), *convolutions(16), layers.Flatten(), classes()), 255 * x, y, epochs=6)


@healthy(every=5, held_out=True)
def bags_of_letters() -> Training:
    """Counts of signs of which most are 0, some always."""
    x, y = lines()
    counts = np.stack([np.bincount(line, minlength=LETTERS) for line in x])[:, 1:].astype("float32")
    return Training(chain((LETTERS - 1,), *dense(32), yes_or_no(), loss=BCE), np.log1p(counts), y, epochs=8)


@healthy(every=5, held_out=True)
def pictures_moved_turned_and_noisy() -> Training:
    moved = [layers.RandomTranslation(0.15, 0.15), layers.RandomRotation(0.08), layers.GaussianNoise(0.2)]
    stacked = [*convolutions(16, 32), layers.GlobalMaxPooling2D(), layers.Dropout(0.5), classes()]
    return Training(chain((8, 8, 1), *moved, *stacked, optimizer=Adam(3e-3)), *pictures(), epochs=6)


@healthy(every=10, held_out=True)
def rows_of_pixels_half_of_which_are_hidden() -> Training:
    """A masked autoencoder: half of what comes in is 0."""
    hidden = Of(lambda x: x * ops.cast(keras.random.uniform((*ops.shape(x)[:2], 1)) < 0.5, "float32"), name="hide")
    inputs = keras.Input((8, 8), name="inputs")
    h = block(layers.Dense(32, name="rows")(hidden(inputs)), 32)
    return Training(compiled(keras.Model(inputs, layers.Dense(8, name="pixels")(h)), "mse"), pictures()[0][..., 0], pictures()[0][..., 0], epochs=6)


# Depth and starts.


@healthy(every=10, held_out=True)
def six_blocks_that_begin_as_the_identity() -> Training:
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    for i in range(6):
        n = layers.Activation("relu")(layers.BatchNormalization(name=f"norm{i}a")(layers.Conv2D(8, 3, padding="same", name=f"conv{i}a")(h)))
        n = layers.BatchNormalization(gamma_initializer="zeros", name=f"norm{i}b")(layers.Conv2D(8, 3, padding="same", name=f"conv{i}b")(n))
        h = layers.Add(name=f"add{i}")([h, n])
    x, y = pictures()
    model = compiled(keras.Model(inputs, classes()(layers.GlobalAveragePooling2D()(layers.ReLU()(h)))), optimizer=Adam(3e-3))
    return Training(model, x[:800], y[:800], epochs=4, options={"validation_data": (x[800:], y[800:])})


@healthy(every=10, held_out=True)
def ten_layers_that_normalize_themselves() -> Training:
    stacked = dense(*[32] * 10, activation="selu", kernel_initializer="lecun_normal")
    return Training(chain((30,), *stacked, yes_or_no(), loss=BCE), *cells(), epochs=5)


@healthy(every=20, held_out=True)
def four_blocks_with_the_norm_in_front() -> Training:
    inputs = keras.Input((24,), dtype="int32", name="inputs")
    h = Positions(24, name="tokens")(inputs)
    for i in range(4):
        h = block(h, 24, f"block{i}_")
    h = layers.GlobalAveragePooling1D()(layers.LayerNormalization(name="norm")(h))
    return Training(compiled(keras.Model(inputs, classes(LETTERS)(h)), optimizer=Adam(2e-3)), *letters(), epochs=4)


@healthy(every=10, held_out=True)
def rectifiers_that_remember_from_the_identity() -> Training:
    rnn = layers.SimpleRNN(24, activation="relu", recurrent_initializer="identity", name="rnn")
    return Training(chain((40, 1), rnn, value(), loss="mse", optimizer=Adam(1e-3, clipnorm=1.0)), *waves(), epochs=5)


@healthy(every=10, held_out=True)
def two_hundred_steps_of_time() -> Training:
    rng = np.random.default_rng(13)
    y = rng.integers(0, 2, 320)
    t = np.arange(200) * np.where(y[:, None] == 1, 0.2, 0.3) + rng.uniform(0, 6, (320, 1))
    x = (np.sin(t) + 0.3 * rng.normal(size=t.shape))[..., None].astype("float32")
    return Training(
        chain((200, 1), layers.GRU(16, name="gru"), yes_or_no(), loss=BCE, optimizer=Adam(0.01)), x, y.astype("float32")[:, None], epochs=4
    )


@healthy(every=5, held_out=True)
def weights_with_a_penalty_and_a_cap() -> Training:
    options = {"kernel_regularizer": keras.regularizers.L2(1e-3), "kernel_constraint": keras.constraints.MaxNorm(3.0)}
    return Training(chain((30,), *dense(64, 32, **options), layers.Dropout(0.3), yes_or_no(), loss=BCE), *cells(), epochs=8)


# Generators and codes.


@healthy(every=5, held_out=True)
def bottleneck_of_two_numbers() -> Training:
    encoder = part("encoder", (64,), *dense(64, 32), layers.Dense(2, name="code"))
    decoder = part("decoder", (2,), *dense(32, 64, prefix="up"), layers.Dense(64, activation="sigmoid", name="picture"))
    x, _ = numbers()
    return Training(chain((64,), encoder, decoder, loss=BCE, optimizer=Adam(3e-3)), x, x, epochs=8)


@healthy(every=10, held_out=True)
def codes_drawn_around_means() -> Training:
    class Vae(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("encoder", (64,), *dense(64), layers.Dense(16, name="moments")))
            self.decoder = part("decoder", (8,), *dense(64, prefix="up"), layers.Dense(64, activation="sigmoid", name="picture"))

        def objective(self, x: Any, y: Any) -> Any:
            mean, log_variance = ops.split(self.network(x), 2, -1)
            picture = self.decoder(mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean)))
            divergence = 0.5 * ops.sum(ops.exp(log_variance) + mean**2 - 1 - log_variance, -1)
            return ops.mean(ops.sum(ops.binary_crossentropy(x, picture), -1) + divergence)

    model = Vae()
    model.compile(optimizer=Adam(2e-3))
    return Training(model, numbers()[0], epochs=10)


@healthy(every=10, held_out=True)
def adversaries_in_balance() -> Training:
    class Gan(Stepwise):
        def __init__(self) -> None:
            super().__init__(part("generator", (8,), *dense(32, 32), layers.Dense(2, name="point")))
            self.critic = part("critic", (2,), *dense(32, 32, activation="leaky_relu"), layers.Dense(1, name="real"))
            self.second = Adam(1e-3, beta_1=0.5)

        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            with tf.GradientTape(persistent=True) as tape:
                fake = self.network(keras.random.normal((ops.shape(x)[0], 8)))
                said = self.critic(fake)
                of_critic = ops.mean(ops.softplus(-self.critic(x))) + ops.mean(ops.softplus(said))
                of_generator = ops.mean(ops.softplus(-said))
            for optimizer, loss, network in ((self.second, of_critic, self.critic), (self.optimizer, of_generator, self.network)):
                weights = network.trainable_weights
                optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"critic": of_critic, "generator": of_generator}

    rng = np.random.default_rng(14)
    angle = rng.uniform(0, 2 * np.pi, 640)
    points = np.stack([np.cos(angle), np.sin(angle)], -1) + 0.1 * rng.normal(size=(640, 2))
    model = Gan()
    model.compile(optimizer=Adam(1e-3, beta_1=0.5))
    return Training(model, points.astype("float32"), epochs=10)


@healthy(every=5, held_out=True)
def views_that_are_told_apart() -> Training:
    """SimCLR: vectors of length 1, compared at a temperature of a tenth."""

    class Views(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            one, other = (self.network(x + 0.2 * keras.random.normal(ops.shape(x))) for _ in range(2))
            scores = ops.matmul(one, ops.transpose(other)) / 0.1
            return ops.mean(keras.losses.sparse_categorical_crossentropy(ops.arange(ops.shape(x)[0]), scores, from_logits=True))

    model = Views(part("network", (64,), *dense(64), layers.Dense(16), layers.UnitNormalization(name="unit")))
    model.compile(optimizer=Adam(1e-3))
    return Training(model, numbers()[0], epochs=6)


# 16 bits, XLA and loops.


@healthy(every=10, held_out=True)
def convolutions_in_half_precision() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    stacked = [*convolutions(16), layers.BatchNormalization(name="norm"), layers.Flatten(), classes()]
    return Training(chain((8, 8, 1), *stacked), *pictures(), epochs=5)


@healthy(every=5, held_out=True)
def transformer_in_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(32, name="tokens")(inputs), 32)
    return Training(compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE), *lines(), epochs=4)


@healthy(every=10, held_out=True)
def compiled_with_xla_and_clipped() -> Training:
    model = chain((30,), *dense(64, 32, activation="gelu"), yes_or_no(), loss=BCE, optimizer=Adam(3e-3, global_clipnorm=0.1), jit_compile=True)
    return Training(model, *cells(), epochs=6)


@healthy(every=5, held_out=True)
def loop_of_ones_own_over_rhythms() -> Training:
    stacked = [layers.Conv1D(16, 5, activation="relu", name="conv1"), layers.GRU(16, name="gru"), yes_or_no()]
    model = keras.Sequential([keras.Input((48, 2), name="inputs"), *stacked])
    return looped(model, lambda t, p: ops.mean(keras.losses.binary_crossentropy(t, p)), Adam(5e-3), *rhythms(), epochs=5)


@healthy(every=5, held_out=True)
def rate_that_rises_and_falls_in_circles() -> Training:
    circle = keras.callbacks.LearningRateScheduler(lambda epoch, rate: (0.02, 0.05, 0.1)[epoch % 3])
    model = chain((64,), *dense(64, 32), classes(), loss=SCCE, optimizer=SGD(0.02, momentum=0.9))
    return Training(model, *numbers(), epochs=9, more_callbacks=[circle])


# Batch normalization.


@healthy(every=10, held_out=True)
def batches_of_one_class_each() -> Training:
    """Declared as drift at first; validation is as good as training."""
    x, y = pictures()
    order = np.argsort(y[:800], kind="stable")
    trunk = part("trunk", (8, 8, 1), layers.Conv2D(16, 3, name="conv1"), layers.BatchNormalization(momentum=0.7, name="norm"), layers.ReLU())
    model = chain((8, 8, 1), trunk, layers.Flatten(), classes())
    return Training(model, x[:800][order], y[:800][order], epochs=6, options={"shuffle": False, "validation_data": (x[800:], y[800:])})
