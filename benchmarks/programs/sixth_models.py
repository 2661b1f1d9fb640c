"""Healthy programs of the sixth set with models and steps of their own: generative ones, values of actions, codes, experts, adapters."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import digits
from benchmarks.programs.registry import Training, healthy
from benchmarks.programs.sixth_data import BINARY, LOGITS, Steps, dense, joined, known_customers, ring, spectra, stacked, surface

Adam = keras.optimizers.Adam


def tower(*stack: Any, shape: tuple[int, ...] = (64,), name: str = "tower") -> keras.Sequential:
    """A sequential model."""
    return keras.Sequential([keras.Input(shape), *stack], name=name)


@healthy(every=10, held_out=True)
def adversaries_on_a_ring() -> Training:
    class Adversaries(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            leaky = keras.layers.LeakyReLU
            self.generator = tower(layers.Dense(64), leaky(0.2), layers.Dense(64), leaky(0.2), layers.Dense(2), shape=(8,), name="generator")
            self.critic = tower(layers.Dense(64), leaky(0.2), layers.Dense(64), leaky(0.2), layers.Dense(1), shape=(2,), name="critic")
            self.other = Adam(2e-4, beta_1=0.5)

        def train_step(self, data: Any) -> dict[str, Any]:
            real = data[0] if isinstance(data, tuple) else data
            noise = tf.random.normal((tf.shape(real)[0], 8))
            with tf.GradientTape() as tape:
                on_real, on_made = self.critic(real), self.critic(self.generator(noise))
                critic = BINARY(0.9 * tf.ones_like(on_real), on_real) + BINARY(tf.zeros_like(on_made), on_made)
            variables = self.critic.trainable_variables
            self.other.apply_gradients(zip(tape.gradient(critic, variables), variables, strict=True))
            with tf.GradientTape() as tape:
                on_made = self.critic(self.generator(noise))
                generator = BINARY(tf.ones_like(on_made), on_made)
            variables = self.generator.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(generator, variables), variables, strict=True))
            return {"critic": critic, "generator": generator}

    model = Adversaries()
    model.compile(Adam(2e-4, beta_1=0.5))
    return Training(model, ring(), epochs=12)


class Draw(layers.Layer):
    """A sample of a normal distribution; adds the divergence from the standard one."""

    def call(self, mean: Any, log_variance: Any) -> Any:
        self.add_loss(-0.5 * ops.mean(ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), -1)))
        return mean + ops.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))


@healthy(every=5, held_out=True)
def variational_digits_with_ordinary_weight() -> Training:
    x, _ = digits()
    inputs = keras.Input((64,), name="features")
    hidden = layers.Dense(64, activation="relu", name="encoder")(inputs)
    code = Draw(name="draw")(layers.Dense(8, name="mean")(hidden), layers.Dense(8, name="log_variance")(hidden))
    outputs = layers.Dense(64, activation="sigmoid", name="picture")(layers.Dense(64, activation="relu", name="decoder")(code))
    model = joined(inputs, outputs, loss=lambda a, b: ops.sum(ops.binary_crossentropy(a, b), -1), optimizer=Adam(2e-3))
    return Training(model, x, x, epochs=8)


@healthy(every=5, held_out=True)
def two_views_and_all_the_others_pushed_apart() -> Training:
    class Views(Steps):
        def objective(self, data: Any) -> Any:
            x = data[0]
            views = [self(x * ops.cast(tf.random.uniform(tf.shape(x)) > 0.3, "float32"), training=True) for _ in range(2)]
            scores = ops.matmul(views[0], ops.transpose(views[1])) / 0.2
            return LOGITS(ops.arange(ops.shape(x)[0]), scores)

    inputs = keras.Input((64,), name="features")
    outputs = layers.UnitNormalization(name="sphere")(layers.Dense(16, name="embedding")(layers.Dense(64, activation="relu", name="hidden")(inputs)))
    model = Views(inputs, outputs)
    model.compile(Adam(2e-3))
    return Training(model, *digits(), epochs=5)


@healthy(every=5, held_out=True)
def noise_predicted_at_random_times() -> Training:
    class Denoiser(Steps):
        def objective(self, data: Any) -> Any:
            x = data[0]
            time, noise = tf.random.uniform((tf.shape(x)[0], 1)), tf.random.normal(tf.shape(x))
            angle = time * 1.5
            return ops.mean(ops.square(noise - self([ops.cos(angle) * x + ops.sin(angle) * noise, time], training=True)))

    point, time = keras.Input((2,), name="point"), keras.Input((1,), name="time")
    waves = ops.concatenate([ops.sin(time * 2.0**k) for k in range(4)] + [ops.cos(time * 2.0**k) for k in range(4)], -1)
    value = layers.Concatenate()([point, waves])
    for layer in dense((64, 64), "silu"):
        value = layer(value)
    model = Denoiser([point, time], layers.Dense(2, name="noise")(value))
    model.compile(Adam(2e-3))
    return Training(model, ring(), epochs=10)


@healthy(every=10, held_out=True)
def returns_of_minus_two_hundred() -> Training:
    random = np.random.default_rng(77)
    state = random.normal(size=(1500, 4)).astype("float32")
    returns = (-200 + 40 * state[:, :1] + 20 * np.abs(state[:, 1:2]) + 5 * random.normal(size=(1500, 1))).astype("float32")
    return Training(stacked((4,), *dense((64, 64)), layers.Dense(1, name="value"), loss="huber", optimizer=Adam(1e-3)), state, returns, epochs=10)


@healthy(every=5, held_out=True)
def values_of_actions_with_a_slow_copy() -> Training:
    class Learner(Steps):
        def objective(self, data: Any) -> Any:
            (state, following), (action, reward) = data[0], data[1]
            goal = reward[:, 0] + 0.9 * ops.max(self.copy(following), -1)
            value = ops.sum(self(state, training=True) * ops.one_hot(action[:, 0], 3), -1)
            return ops.mean(ops.square(ops.stop_gradient(goal) - value))

        def train_step(self, data: Any) -> dict[str, Any]:
            logs = super().train_step(data)
            for slow, fast in zip(self.copy.variables, self.variables, strict=True):
                slow.assign(0.98 * slow + 0.02 * fast)
            return logs

    def network() -> tuple[Any, Any]:
        inputs = keras.Input((4,))
        return inputs, layers.Dense(3)(layers.Dense(32, activation="relu")(inputs))

    random = np.random.default_rng(78)
    state, action = random.normal(size=(1500, 4)).astype("float32"), random.integers(0, 3, (1500, 1))
    reward = (state[np.arange(1500), action[:, 0]] > 0).astype("float32")[:, None]
    model = Learner(*network())
    object.__setattr__(model, "copy", keras.Model(*network()))
    model.compile(Adam(2e-3))
    return Training(model, (state, np.roll(state, 1, 0)), (action, reward), epochs=5)


@healthy(every=10, held_out=True)
def codes_of_a_straight_through_gumbel_softmax() -> Training:
    class Gumbel(layers.Layer):
        def call(self, scores: Any) -> Any:
            noise = -ops.log(-ops.log(tf.random.uniform(tf.shape(scores), 1e-6, 1 - 1e-6)))
            soft = ops.softmax((scores + noise) / 0.3)
            hard = ops.one_hot(ops.argmax(soft, -1), 8)
            return soft + ops.stop_gradient(hard - soft)

    x = spectra()
    stack = [*dense((64,)), layers.Dense(48, name="choices"), layers.Reshape((6, 8)), Gumbel(name="gumbel"), layers.Flatten()]
    stack += [layers.Dense(64, activation="relu", name="decoder"), layers.Dense(64, name="curve")]
    return Training(stacked((64,), *stack, loss="mse", optimizer=Adam(5e-4)), x, x, epochs=12)


@healthy(every=5, held_out=True)
def nearest_code_straight_through() -> Training:
    class Codes(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(24, shape[-1]), initializer=keras.initializers.RandomNormal(stddev=0.1), name="table")

        def call(self, x: Any) -> Any:
            distance = ops.sum(ops.square(x[:, None] - self.table[None]), -1)
            nearest = ops.take(self.table, ops.argmin(distance, -1), 0)
            self.add_loss(ops.mean(ops.square(ops.stop_gradient(x) - nearest)) + 0.25 * ops.mean(ops.square(x - ops.stop_gradient(nearest))))
            return x + ops.stop_gradient(nearest - x)

    x = spectra()
    stack = [*dense((64,)), layers.Dense(4, name="code"), Codes(name="codes"), layers.Dense(64, activation="relu"), layers.Dense(64, name="curve")]
    return Training(stacked((64,), *stack, loss="mse", optimizer=Adam(2e-3)), x, x, epochs=8)


@healthy(every=5, held_out=True)
def four_experts_kept_in_balance() -> Training:
    class Balance(layers.Layer):
        def call(self, gate: Any) -> Any:
            self.add_loss(0.05 * 4 * ops.sum(ops.square(ops.mean(gate, 0))))
            return gate

    x, y = surface()
    inputs = keras.Input((6,), name="features")
    gate = Balance(name="balance")(layers.Dense(4, activation="softmax", name="gate")(inputs))
    experts = [layers.Dense(1)(layers.Dense(16, activation="relu", name=f"expert_{k}")(inputs)) for k in range(4)]
    value = ops.sum(layers.Concatenate()(experts) * gate, -1, keepdims=True)
    return Training(joined(inputs, value, loss="mse", optimizer=Adam(5e-3)), x, y, epochs=8)


@healthy(every=5, held_out=True)
def adapters_beside_a_frozen_network() -> Training:
    class Adapted(layers.Layer):
        def __init__(self, inner: Any, **options: Any) -> None:
            super().__init__(**options)
            self.inner = inner
            inner.trainable = False

        def build(self, shape: Any) -> None:
            self.a = self.add_weight(shape=(shape[-1], 4), initializer="glorot_uniform", name="a")
            self.b = self.add_weight(shape=(4, self.inner.units), initializer="zeros", name="b")

        def call(self, x: Any) -> Any:
            return self.inner(x) + ops.matmul(ops.matmul(x, self.a), self.b)

    x, y = digits()
    first, second, last = layers.Dense(64), layers.Dense(64), layers.Dense(10)
    before = stacked((64,), first, layers.ReLU(), second, layers.ReLU(), last)
    before.fit(x, (y + 1) % 10, epochs=4, verbose=0)
    model = stacked((64,), Adapted(first, name="one"), layers.ReLU(), Adapted(second, name="two"), layers.ReLU(), last, optimizer=Adam(5e-3))
    return Training(model, x, y, epochs=5)


@healthy(every=5, held_out=True)
def own_prediction_as_a_goal() -> Training:
    class Bootstrap(Steps):
        def objective(self, data: Any) -> Any:
            x = data[0]
            a, b = (x + 0.1 * tf.random.normal(tf.shape(x)) for _ in range(2))
            goal = ops.normalize(ops.stop_gradient(self.slow(b, training=True)), -1)
            return 2 - 2 * ops.mean(ops.sum(ops.normalize(self(a, training=True), -1) * goal, -1))

        def train_step(self, data: Any) -> dict[str, Any]:
            logs = super().train_step(data)
            for slow, fast in zip(self.slow.variables, self.online.variables, strict=True):
                slow.assign(0.98 * slow + 0.02 * fast)
            return logs

    def encoder(name: str) -> keras.Model:
        return tower(layers.Dense(64), layers.BatchNormalization(), layers.ReLU(), layers.Dense(16), name=name)

    inputs, online, slow = keras.Input((64,), name="features"), encoder("online"), encoder("slow")
    slow.set_weights(online.get_weights())
    slow.trainable = False
    hidden = layers.ReLU()(layers.BatchNormalization(name="guess_norm")(layers.Dense(32, name="guess_hidden")(online(inputs))))
    model = Bootstrap(inputs, layers.Dense(16, name="guess")(hidden))
    model.online, model.slow = online, slow
    model.compile(Adam(2e-3))
    return Training(model, *digits(), batch_size=64, epochs=6)


@healthy(every=5, held_out=True)
def one_step_of_two_optimizers() -> Training:
    x, y = known_customers()
    inputs = keras.Input((6,), name="features")
    wide, deep = layers.Dense(1, name="wide")(inputs), layers.Dense(1, name="deep")(layers.Dense(32, activation="relu", name="hidden")(inputs))
    model = keras.Model(inputs, wide + deep)
    slow, fast = keras.optimizers.Ftrl(0.1), Adam(3e-3)

    @tf.function
    def step(features: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = BINARY(labels, model(features, training=True))
        pairs = list(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        slow.apply_gradients([pair for pair in pairs if "wide" in pair[1].path])
        fast.apply_gradients([pair for pair in pairs if "wide" not in pair[1].path])
        return loss

    return Training(model, x, y, epochs=6, loop=step)


@healthy(every=10, held_out=True)
def prices_by_the_logarithm_and_a_gaussian() -> Training:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        mean, deviation = y_pred[:, :1], ops.softplus(y_pred[:, 1:]) + 1e-3
        return ops.mean(ops.log(deviation) + 0.5 * ops.square((y_true - mean) / deviation))

    x, y = surface()
    return Training(
        stacked((6,), *dense((48, 48)), layers.Dense(2, name="parameters"), loss=likelihood, optimizer=Adam(2e-3)), x, 12 + 0.5 * y, epochs=10
    )
