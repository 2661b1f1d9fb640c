"""A third set of faulty programs, written without a look at the rules: one mistake each, of the kind that is found in a colleague's script."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def digits_network(*stack: Any, optimizer: Any = "adam", loss: Any = LOGITS, **arguments: Any) -> keras.Model:
    """From 64 pixels to 10 scores."""
    model = keras.Sequential([keras.Input((64,), name="pixels"), *stack, layers.Dense(10, name="scores")])
    model.compile(optimizer, loss, **arguments)
    return model


def picture_network(*stack: Any, optimizer: Any = "adam") -> keras.Model:
    """From a picture to 10 scores."""
    model = keras.Sequential([keras.Input((8, 8, 1), name="picture"), *stack, layers.Dense(10, name="scores")])
    model.compile(optimizer, LOGITS)
    return model


# NaN and Inf.


def likelihood_of_a_raw_variance(y_true: Any, y_pred: Any) -> Any:
    """The variance comes from a linear layer and may be below zero."""
    mean, variance = y_pred[:, :1], y_pred[:, 1:]
    return 0.5 * ops.log(variance) + 0.5 * ops.square(y_true - mean) / variance


@faulty("nonfinite", "loss", every=1, held_out=True)
def variance_without_softplus() -> Training:
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(2)])
    model.compile(Adam(1e-3), likelihood_of_a_raw_variance)
    x, y = data.standardized("diabetes")
    return Training(model, x, y[:, None], epochs=2)


class GeometricMean(layers.Layer):
    """The logarithm of a unit that is off has an infinite derivative; the value stays finite."""

    def call(self, x: Any) -> Any:
        return ops.exp(ops.mean(ops.log(x), axis=-1, keepdims=True))


@faulty("nonfinite", "geometric_mean", every=1, held_out=True)
def geometric_mean_of_relu() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(10)(layers.Concatenate()([x, GeometricMean()(x)])))
    model.compile("adam", LOGITS)
    return Training(model, *data.digits(), epochs=1)


class Direction(layers.Layer):
    """The angle of a slope that is zero, as it is where the picture is black, has no derivative."""

    def call(self, x: Any) -> Any:
        return ops.arctan2(x[..., :8], x[..., 8:])


@faulty("nonfinite", "direction", every=1, held_out=True)
def angle_of_black_pixels() -> Training:
    stack = [layers.Conv2D(16, 3, use_bias=False, name="slopes"), Direction(), layers.Flatten()]
    return Training(picture_network(*stack), *data.images(), epochs=1)


@faulty("nonfinite", "hidden", every=1, held_out=True)
def adam_without_epsilon() -> Training:
    model = digits_network(layers.Dense(32, activation="tanh", name="hidden"), optimizer=Adam(1e-3, epsilon=0.0))
    return Training(model, *data.digits(), epochs=1)


@faulty("nonfinite", "measures", every=1, held_out=True)
def ratio_with_an_empty_column() -> Training:
    x, y = data.raw("wine")
    x = (x - x.mean(0)) / x.std(0)
    part = np.round(x[:, :1], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.concatenate([x, x[:, 1:2] / part], 1)
    model = keras.Sequential([keras.Input((14,), name="measures"), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, batch_size=16, epochs=3)


@faulty("nonfinite", "unit_length", every=1, held_out=True)
def cosine_of_empty_rows() -> Training:
    x, y = data.bag_of_words(200)

    class UnitLength(layers.Layer):
        def call(self, x: Any) -> Any:
            return x / ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True))

    stack = [layers.Dense(16, activation="relu", use_bias=False), UnitLength()]
    model = keras.Sequential([keras.Input((200,)), *stack, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=1)


# Units that say nothing.


@faulty("dead_units", "parts", every=5, held_out=True)
def parts_of_pixels_below_zero() -> Training:
    stack = [layers.Dense(48, activation="relu", kernel_constraint="non_neg", kernel_initializer="random_uniform", use_bias=False, name="parts")]
    x, y = data.digits()
    return Training(digits_network(*stack), x - 1, y, epochs=3)


@faulty("dead_units update_too_large", "hidden", every=2, held_out=True)
def momentum_that_kills_units() -> Training:
    stack = [layers.Dense(64, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    return Training(digits_network(*stack, optimizer=SGD(2.0, momentum=0.9)), *data.digits(), epochs=3)


@faulty("collapse dead_units penalty_too_strong", "hidden", every=5, held_out=True)
def penalty_on_weights_of_ten() -> Training:
    hidden = layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L1(1.0), name="hidden")
    return Training(digits_network(hidden, optimizer=Adam(1e-2)), *data.digits(), epochs=5)


@faulty("collapse dead_units constant_input", "layer_normalization", every=5, held_out=True)
def normalized_over_one_number() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.LayerNormalization(), layers.GRU(16), layers.Dense(1)])
    model.compile(Adam(5e-3), "mse")
    return Training(model, *data.series(), epochs=3)


@faulty("collapse dead_units batchnorm_drift", "batch_normalization", every=20, held_out=True)
def batch_normalization_of_one_example() -> Training:
    stack = [layers.Dense(32), layers.BatchNormalization(), layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *stack, layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.standardized("iris"), batch_size=1, epochs=3)


# Saturation.


@faulty("saturated_activation unnormalized_input", "hidden measures", every=5, held_out=True)
def tanh_on_a_raw_table() -> Training:
    inputs = keras.Input((30,), name="measures")
    x = layers.Dense(16, activation="tanh", name="second")(layers.Dense(32, activation="tanh", name="hidden")(inputs))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile(Adam(1e-3), "binary_crossentropy")
    return Training(model, *data.raw("breast_cancer"), epochs=5)


@faulty("saturated_activation", "routing", every=5, held_out=True)
def routing_at_a_low_temperature() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(32, activation="relu")(inputs)
    shares = layers.Softmax(name="routing")(layers.Rescaling(1000.0)(layers.Dense(8)(x)))
    experts = layers.Reshape((8, 16))(layers.Dense(8 * 16, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(10)(layers.Dot(axes=1)([shares, experts])))
    model.compile(SGD(0.05), LOGITS)
    return Training(model, *data.digits(), epochs=3)


@faulty("saturated_activation collapse poor_initialization", "output", every=5, held_out=True)
def output_bias_of_a_count() -> Training:
    x, y = data.standardized("breast_cancer")
    output = layers.Dense(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(float(y.sum())), name="output")
    model = keras.Sequential([keras.Input((30,)), layers.Dense(16, activation="relu"), output])
    model.compile(Adam(1e-3), "binary_crossentropy")
    return Training(model, x, y.astype("float32"), epochs=5)


@faulty("unnormalized_input saturated_activation", "kelvin bidirectional", every=5, held_out=True)
def temperatures_in_kelvin() -> Training:
    x, y = data.series()
    inputs = keras.Input((30, 1), name="kelvin")
    model = keras.Model(inputs, layers.Dense(1)(layers.Bidirectional(layers.LSTM(16), name="bidirectional")(inputs)))
    model.compile(Adam(2e-3), "mse")
    return Training(model, 285 + 5 * x, y, epochs=3)


# Gradients.


SMALL = " ".join(f"depthwise_{k} point_{k}" for k in range(6))


@faulty("vanishing_gradient poor_initialization collapse", SMALL, every=5, held_out=True)
def separable_convolutions_with_small_weights() -> Training:
    small, stack = keras.initializers.RandomUniform(-0.05, 0.05), []
    for k in range(6):
        stack.append(layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=small, name=f"depthwise_{k}"))
        stack.append(layers.Conv2D(16, 1, activation="relu", kernel_initializer=small, name=f"point_{k}"))
    model = picture_network(*stack, layers.GlobalAveragePooling2D(), optimizer=SGD(0.05))
    return Training(model, *data.images(), batch_size=64, epochs=3)


@faulty("vanishing_gradient", "rows simple_rnn", every=5, held_out=True)
def long_memory_of_a_plain_network() -> Training:
    """The answer stands in the first of eighty steps, and the weights forget it."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 800)
    x = (0.1 * random.normal(size=(800, 80, 4))).astype("float32")
    x[:, 0, 0] += 2 * y - 1
    small = keras.initializers.RandomNormal(stddev=0.1)
    encode = layers.Dense(8, activation="sigmoid", name="rows")
    tail = [layers.Dense(8, activation="sigmoid", name=f"tail_{k}") for k in range(5)]
    model = keras.Sequential([keras.Input((80, 4)), encode, layers.SimpleRNN(16, recurrent_initializer=small), *tail, layers.Dense(1)])
    model.compile(SGD(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, x, y.astype("float32"), epochs=3)


class Nearest(layers.Layer):
    """A vector quantizer without the straight-through trick."""

    def build(self, shape: Any) -> None:
        self.codes = self.add_weight(shape=(32, shape[-1]), initializer="random_normal", name="codes")

    def call(self, x: Any) -> Any:
        distances = ops.sum(ops.square(x[:, None] - self.codes), axis=-1)
        return ops.take(self.codes, ops.argmin(distances, axis=-1), axis=0)


@faulty("missing_gradient", "encoder", every=5, held_out=True)
def quantized_without_straight_through() -> Training:
    x, _ = data.digits()
    inputs = keras.Input((64,))
    codes = Nearest()(layers.Dense(16, name="encoder")(inputs))
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid", name="decoder")(codes))
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, x, epochs=2)


@faulty("missing_gradient", "scale_and_shift", every=5, held_out=True)
def shift_that_nobody_adds() -> Training:
    class ScaleAndShift(layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=shape[-1:], initializer="ones", name="scale")
            self.shift = self.add_weight(shape=shape[-1:], initializer="zeros", name="shift")

        def call(self, x: Any) -> Any:
            return x * self.scale

    return Training(digits_network(layers.Dense(32, activation="relu"), ScaleAndShift()), *data.digits(), epochs=2)


class DeterministicPolicy(keras.Model):
    """The critic's opinion is taken as a number when the actor should follow it; only a penalty on actions is left of its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = keras.Sequential([keras.Input((13,)), layers.Dense(16, activation="relu"), layers.Dense(2, activation="tanh")], name="actor")
        self.critic = keras.Sequential([keras.Input((15,)), layers.Dense(16, activation="relu"), layers.Dense(1)], name="critic")

    def call(self, x: Any) -> Any:
        return self.critic(ops.concatenate([x, ops.stop_gradient(self.actor(x))], axis=-1))


@faulty("missing_gradient", "actor", every=5, held_out=True)
def actor_behind_a_stopped_gradient() -> Training:
    x, y = data.standardized("wine")
    model = DeterministicPolicy()
    model.compile(Adam(1e-3), "mse")
    return Training(model, x, y.astype("float32"), epochs=6)


@faulty("exploding_activation exploding_gradient poor_initialization", "block_0 block_1 block_2 block_3 block_9 scores", every=5, held_out=True)
def ten_layers_with_wide_weights() -> Training:
    wide = keras.initializers.RandomNormal(stddev=0.7)
    stack = [layers.Dense(64, activation="relu", kernel_initializer=wide, name=f"block_{k}") for k in range(10)]
    return Training(digits_network(*stack, optimizer=Adam(1e-4)), *data.digits(), epochs=3)


@faulty("exploding_activation exploding_gradient poor_initialization nonfinite", "rnn", every=2, held_out=True)
def linear_recurrence_that_grows() -> Training:
    rnn = layers.SimpleRNN(32, activation=None, recurrent_initializer=keras.initializers.Orthogonal(gain=1.7), name="rnn")
    model = keras.Sequential([keras.Input((30, 1)), rnn, layers.Dense(1)])
    model.compile(SGD(1e-3, clipnorm=1.0), "mse")
    return Training(model, *data.series(), epochs=3)


class InverseDistance(layers.Layer):
    """Weights by one over the squared distance, which is almost nothing for the example's own centre."""

    def build(self, shape: Any) -> None:
        self.centres = self.add_weight(shape=(12, shape[-1]), initializer="zeros", name="centres")

    def call(self, x: Any) -> Any:
        return 1.0 / (ops.sum(ops.square(x[:, None] - self.centres), axis=-1) + 1e-9)


@faulty("exploding_gradient exploding_activation", "inverse_distance", every=2, held_out=True)
def one_over_a_distance_of_zero() -> Training:
    x, y = data.bag_of_words(150)
    stack = [layers.Dense(8, activation="relu", use_bias=False), InverseDistance()]
    model = keras.Sequential([keras.Input((150,)), *stack, layers.Dense(1)])
    model.compile(SGD(0.01, clipnorm=1.0), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, x, y, epochs=2)


# Losses that go astray.


@faulty("exploding_loss exploding_activation", "loss critic", every=5, held_out=True)
def critic_without_a_constraint() -> Training:
    x, y = data.digits()
    critic = layers.Dense(1, name="critic")
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), critic])
    model.compile(Adam(1e-2), lambda y_true, y_pred: -y_true * y_pred)
    return Training(model, x, np.where(y < 5, -1.0, 1.0).astype("float32")[:, None], epochs=5)


class Bootstrapped(keras.Model):
    """Q-learning with a discount above one and no target network."""

    def __init__(self) -> None:
        super().__init__()
        self.q = keras.Sequential([keras.Input((6,)), layers.Dense(32, activation="relu"), layers.Dense(2, name="values")], name="q")

    def call(self, x: Any) -> Any:
        return self.q(x)

    def train_step(self, memory: Any) -> dict[str, Any]:
        goal = memory[:, 7] + 1.2 * ops.max(self.q(memory[:, 8:14]), axis=-1)
        with tf.GradientTape() as tape:
            value = ops.sum(self(memory[:, :6]) * ops.one_hot(ops.cast(memory[:, 6], "int32"), 2), axis=-1)
            loss = ops.mean(ops.square(ops.stop_gradient(goal) - value))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@faulty("exploding_loss exploding_activation", "loss q", every=5, held_out=True)
def values_that_chase_themselves() -> Training:
    random = np.random.default_rng(0)
    place, action, eye = random.integers(0, 6, 3200), random.integers(0, 2, 3200), np.eye(6)
    following = np.clip(place + 2 * action - 1, 0, 5)
    memory = np.concatenate([eye[place], action[:, None], (following == 5)[:, None], eye[following]], 1).astype("float32")
    model = Bootstrapped()
    model.compile(Adam(1e-2))
    return Training(model, memory, epochs=6)


@faulty("oscillating_loss", "loss", every=1, held_out=True)
def files_in_two_units() -> Training:
    """Every other batch comes from files that hold millimetres where the others hold centimetres."""
    x, y = data.standardized("diabetes")
    x, y = np.tile(x, (3, 1)), np.tile(y, 3)
    y = np.where(np.arange(len(y)) // 16 % 2, 10 * y, y).astype("float32")
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(1)])
    model.compile(Adam(1e-3), "mse")
    return Training(model, x, y, batch_size=16, epochs=1, options={"shuffle": False})


@faulty("update_too_large oscillating_loss exploding_loss", "loss hidden scores", every=1, held_out=True)
def rate_that_jumps_over_the_valley() -> Training:
    model = digits_network(layers.Dense(32, activation="tanh", name="hidden"), optimizer=SGD(12.0))
    return Training(model, *data.digits(), batch_size=64, epochs=3)


# Steps that are too big or too small.


@faulty("unchanged_weights update_too_small", "hidden second scores", every=5, held_out=True)
def cosine_decay_over_epochs() -> Training:
    """The schedule was told the number of epochs where it wants steps."""
    stack = [layers.Dense(64, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    model = digits_network(*stack, optimizer=Adam(keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=4)))
    return Training(model, *data.digits(), epochs=4)


@faulty("update_too_small unchanged_weights", "hidden scores", every=5, held_out=True)
def rate_reduced_while_accuracy_rises() -> Training:
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="accuracy", mode="min", factor=0.01, patience=0, min_delta=0.0)
    model = digits_network(layers.Dense(48, activation="relu", name="hidden"), optimizer=Adam(1e-3), metrics=["accuracy"])
    return Training(model, *data.digits(), epochs=7, more_callbacks=[reduce])


@faulty("unchanged_weights update_too_small", "hidden scores", every=5, held_out=True)
def weights_kept_in_bfloat16() -> Training:
    """Steps smaller than the spacing of bfloat16 are rounded to nothing."""
    keras.config.set_dtype_policy("bfloat16")
    model = digits_network(layers.Dense(64, activation="relu", name="hidden"), optimizer=SGD(1e-4))
    return Training(model, *data.digits(), epochs=3)


class LowRank(layers.Layer):
    """A low-rank update of a frozen layer, of which both factors begin at zero."""

    def __init__(self, dense: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.dense = dense
        self.dense.trainable = False

    def build(self, shape: Any) -> None:
        self.down = self.add_weight(shape=(shape[-1], 4), initializer="zeros", name="down")
        self.up = self.add_weight(shape=(4, self.dense.units), initializer="zeros", name="up")

    def call(self, x: Any) -> Any:
        return ops.relu(self.dense(x) + ops.matmul(ops.matmul(x, self.down), self.up))


@faulty("unchanged_weights vanishing_gradient poor_initialization missing_gradient", "low_rank", every=5, held_out=True)
def both_factors_begin_at_zero() -> Training:
    return Training(digits_network(LowRank(layers.Dense(48, name="frozen"))), *data.digits(), epochs=4)


@faulty("poor_initialization unchanged_weights dead_units collapse vanishing_gradient", "hidden", every=5, held_out=True)
def everything_begins_at_zero() -> Training:
    zero = {"kernel_initializer": "zeros"}
    stack = [layers.Dense(48, activation="tanh", name="hidden", **zero), layers.Dense(32, activation="tanh", name="second", **zero)]
    return Training(digits_network(*stack), *data.digits(), epochs=3)


@faulty("update_too_large", "lstm dense embedding", every=5, held_out=True)
def characters_with_a_rate_of_a_half() -> Training:
    x, y, size = data.characters(length=16, n=1200)
    stack = [layers.Embedding(size, 16), layers.LSTM(32, return_sequences=True), layers.Dense(size)]
    model = keras.Sequential([keras.Input((16,), dtype="int32"), *stack])
    model.compile(keras.optimizers.AdamW(0.5), LOGITS)
    return Training(model, x, y, epochs=6)


@faulty("update_too_large exploding_loss exploding_gradient nonfinite dead_units", "hidden second scores loss", every=1, held_out=True)
def loss_summed_over_the_batch() -> Training:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    stack = [layers.Dense(64, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    return Training(digits_network(*stack, optimizer=SGD(0.1), loss=loss), *data.digits(), batch_size=256, epochs=6)


@faulty("update_too_large exploding_loss exploding_gradient nonfinite dead_units", "hidden second output loss", every=2, held_out=True)
def counts_as_class_weights() -> Training:
    x, y = data.standardized("breast_cancer")
    stack = [layers.Dense(32, activation="relu", name="hidden"), layers.Dense(16, activation="relu", name="second")]
    model = keras.Sequential([keras.Input((30,)), *stack, layers.Dense(1, activation="sigmoid", name="output")])
    model.compile(SGD(0.1), "binary_crossentropy")
    return Training(model, x, y.astype("float32"), epochs=5, options={"class_weight": {0: 212.0, 1: 357.0}})


@faulty("update_too_small", "hidden second scores", every=5, held_out=True)
def adadelta_as_it_comes() -> Training:
    stack = [layers.Dense(64, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    return Training(digits_network(*stack, optimizer="adadelta"), *data.digits(), epochs=4)


@faulty("update_too_small unchanged_weights", "ink side", every=5, held_out=True)
def second_task_with_hardly_any_weight() -> Training:
    x, y = data.digits()
    inputs = keras.Input((64,))
    digit = layers.Dense(10, activation="softmax", name="digit")(layers.Dense(64, activation="relu", name="trunk")(inputs))
    ink = layers.Dense(1, name="ink")(layers.Dense(16, activation="relu", name="side")(inputs))
    model = keras.Model(inputs, {"digit": digit, "ink": ink})
    model.compile(SGD(0.1), {"digit": "sparse_categorical_crossentropy", "ink": "mse"}, loss_weights={"digit": 1.0, "ink": 1e-6})
    ink_of = x.mean(1, keepdims=True)
    return Training(model, x, {"digit": y, "ink": (ink_of - ink_of.mean()) / ink_of.std()}, epochs=4)


@faulty("poor_initialization saturated_activation exploding_activation", "positions attention", every=5, held_out=True)
def positions_that_drown_the_tokens() -> Training:
    x, y, size = data.characters(length=16, n=1200)

    class Positions(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=30.0), name="table")

        def call(self, x: Any) -> Any:
            return x + self.table

    inputs = keras.Input((16,), dtype="int32")
    h = Positions(name="positions")(layers.Embedding(size, 32)(inputs))
    h = layers.Add()([h, layers.MultiHeadAttention(2, 16, name="attention")(h, h, use_causal_mask=True)])
    model = keras.Model(inputs, layers.Dense(size)(layers.Dense(48, activation="gelu")(h)))
    model.compile(Adam(1e-3), LOGITS)
    return Training(model, x, y, epochs=3)


# Everything looks the same.


class Posterior(layers.Layer):
    """A sampling layer that charges a hundred times too much."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, mean: Any, log_variance: Any) -> Any:
        self.add_loss(-50.0 * ops.mean(ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seeds)


@faulty("collapse drowned_code", "z_mean picture", every=10, held_out=True)
def posterior_that_collapses() -> Training:
    x, _ = data.digits()
    inputs = keras.Input((64,))
    hidden = layers.Dense(48, activation="tanh")(inputs)
    z = Posterior()(layers.Dense(4, name="z_mean")(hidden), layers.Dense(4, name="z_log_variance")(hidden))
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid", name="picture")(layers.Dense(48, activation="relu", name="decoded")(z)))
    model.compile(Adam(1e-2), "binary_crossentropy")
    return Training(model, x, x, epochs=10)


class AttentionPooling(layers.Layer):
    """Adds up the weights, which are one together, and forgets what they should weigh."""

    def __init__(self) -> None:
        super().__init__()
        self.score = layers.Dense(16)

    def call(self, x: Any) -> Any:
        return ops.sum(ops.softmax(self.score(x), axis=1), axis=1)


@faulty("collapse", "attention_pooling", every=5, held_out=True)
def weights_added_up_without_values() -> Training:
    ids, labels, size = data.lines()
    stack = [layers.Embedding(size, 16), AttentionPooling(), layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((24,), dtype="int32"), *stack, layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, ids, labels, epochs=2)


@faulty("constant_input collapse", "window", every=5, held_out=True)
def windows_that_all_begin_at_zero() -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1), name="window"), layers.LSTM(16), layers.Dense(1)])
    model.compile(Adam(2e-3), "mse")
    return Training(model, np.stack([x[0] for _ in range(len(x))]), y, epochs=3)


@faulty("constant_input collapse", "words embedding", every=5, held_out=True)
def words_that_are_all_unknown() -> Training:
    """The vocabulary was made of lower case, the text is looked up in upper case."""
    lines = [line for line in data.text().split("\n") if len(line.split()) > 3]
    lookup = layers.StringLookup(vocabulary=sorted({word.lower() for line in lines for word in line.split()[:4]}))
    ids = np.array(lookup(tf.constant([[word.upper() + "!" for word in line.split()[:4]] for line in lines])))
    stack = [layers.Embedding(lookup.vocabulary_size(), 16, name="embedding"), layers.GlobalAveragePooling1D(), layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((4,), dtype="int32", name="words"), *stack, layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, ids.astype("int32"), np.array(["(" in line for line in lines], "float32"), epochs=3)


@faulty("unnormalized_input", "table", every=5, held_out=True)
def seconds_since_1970_as_a_column() -> Training:
    x, y = data.standardized("diabetes")
    seconds = 1.7e9 + np.random.default_rng(0).uniform(0, 3e7, (len(x), 1))
    model = keras.Sequential([keras.Input((11,), name="table"), layers.Dense(32, activation="relu"), layers.Dense(1)])
    model.compile(Adam(1e-3), "mse")
    return Training(model, np.concatenate([x, seconds], 1).astype("float32"), y, epochs=5)


# float16.


class MaskedScores(layers.Layer):
    """One minus the mask times minus a billion: in float16 that is infinity times zero."""

    def call(self, scores: Any, mask: Any) -> Any:
        return scores + (1 - ops.cast(mask, scores.dtype)) * ops.cast(-1e9, scores.dtype)


@faulty("float16_overflow nonfinite", "masked_scores", every=1, held_out=True)
def billion_in_a_float16_mask() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    ids, labels, size = data.lines()
    inputs = keras.Input((24,), dtype="int32")
    h = layers.Embedding(size, 16)(inputs)
    mask = layers.Lambda(lambda i: ops.not_equal(i, 0)[:, None])(inputs)
    scores = MaskedScores()(layers.Dot(axes=2)([layers.Dense(16)(h), layers.Dense(16)(h)]), mask)
    h = layers.GlobalAveragePooling1D()(layers.Dot(axes=(2, 1))([layers.Softmax()(scores), h]))
    model = keras.Model(inputs, layers.Dense(1, dtype="float32")(h))
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, ids[:640], labels[:640], batch_size=64, epochs=1)


class Power(layers.Layer):
    """The sum of squares of a picture."""

    def call(self, x: Any) -> Any:
        return ops.sum(ops.square(x), axis=-1, keepdims=True)


@faulty("float16_overflow nonfinite", "power", every=1, held_out=True)
def sum_of_squares_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = data.digits()
    inputs = keras.Input((64,))
    h = layers.Dense(64, activation="relu")(inputs)
    h = layers.Rescaling(200.0)(h)
    model = keras.Model(inputs, layers.Dense(10, dtype="float32")(layers.Concatenate()([h, Power()(h)])))
    model.compile("adam", LOGITS)
    return Training(model, x, y, epochs=1)


@faulty("float16_underflow", "hidden second metres", every=5, held_out=True)
def metres_without_a_loss_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = data.standardized("diabetes")
    stack = [layers.Dense(32, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    small = keras.initializers.RandomNormal(stddev=1e-3)
    model = keras.Sequential([keras.Input((10,)), *stack, layers.Dense(1, kernel_initializer=small, name="metres")])
    model.compile(Adam(1e-4), "mse", auto_scale_loss=False)
    return Training(model, x, 1e-3 * y, batch_size=64, epochs=5)


@faulty("loss_scale_thrash", "loss_scale_optimizer loss", every=1, held_out=True)
def scale_that_doubles_at_every_step() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**18, dynamic_growth_steps=1)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, dtype="float32")])
    model.compile(optimizer, LOGITS)
    return Training(model, *data.digits(), epochs=2)


# Batch normalization.


@faulty("batchnorm_drift", "batch_normalization", every=5, held_out=True)
def moving_averages_that_never_arrive() -> Training:
    x, y = data.raw("wine")
    x = x / x.max(0)
    order = np.random.default_rng(0).permutation(8 * len(x))
    x, y = np.tile(x, (8, 1))[order], np.tile(y, 8)[order]
    stack = [layers.Dense(32), layers.BatchNormalization(momentum=0.99999), layers.ReLU()]
    model = keras.Sequential([keras.Input((13,)), *stack, layers.Dense(3, activation="softmax")])
    model.compile(Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Training(model, x[:1000], y[:1000], epochs=4, options={"validation_data": (x[1000:], y[1000:])})


@faulty("batchnorm_drift", "batch_normalization batch_normalization_1", every=5, held_out=True)
def pictures_in_the_order_of_the_day() -> Training:
    """From dusk to noon and never shuffled: the moving averages only know the last pictures."""
    x, y = data.images()
    held = np.arange(len(x)) % 5 == 0
    x = x * np.geomspace(0.05, 5, len(x)).astype("float32")[:, None, None, None]
    stack: list[Any] = []
    for filters in (16, 32):
        stack += [layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.MaxPooling2D()]
    model = picture_network(*stack, layers.Flatten(), optimizer=Adam(3e-3))
    return Training(model, x[~held], y[~held], epochs=3, options={"shuffle": False, "validation_data": (x[held], y[held])})


# A few more.


@faulty("nonfinite float16_overflow float16_underflow", "log_probability loss", every=1, held_out=True)
def epsilon_that_float16_rounds_away() -> Training:
    class LogProbability(layers.Layer):
        """A hundred-millionth is zero in float16, so it doesn't keep the logarithm from zero."""

        def call(self, scores: Any) -> Any:
            return ops.log(ops.softmax(scores) + 1e-8)

    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10), layers.Rescaling(40.0), LogProbability()])
    model.compile(Adam(1e-3), lambda y_true, y_pred: -ops.sum(ops.one_hot(ops.cast(y_true[:, 0], "int32"), 10) * ops.cast(y_pred, "float32"), -1))
    x, y = data.digits()
    return Training(model, x, y[:, None], epochs=1)


@faulty("exploding_loss nonfinite update_too_large exploding_gradient", "loss dense dense_1", every=1, held_out=True)
def prices_in_dollars_with_gradient_descent() -> Training:
    random = np.random.default_rng(5)
    x = random.normal(size=(960, 6)).astype("float32")
    price = (250_000 + 60_000 * x[:, 0] + 20_000 * x[:, 1] + 10_000 * random.normal(size=960)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), layers.Dense(32, activation="relu"), layers.Dense(1)])
    model.compile(SGD(0.01), "mse")
    return Training(model, x, price, epochs=1)


@faulty("collapse vanishing_gradient poor_initialization dead_units saturated_activation", "lstm", every=5, held_out=True)
def gates_that_begin_shut() -> Training:
    lstm = layers.LSTM(16, bias_initializer=keras.initializers.Constant(-20.0), unit_forget_bias=False)
    model = keras.Sequential([keras.Input((30, 1)), lstm, layers.Dense(1)])
    model.compile(Adam(2e-3), "mse")
    return Training(model, *data.series(), epochs=3)


@faulty("update_too_large collapse dead_units", "hidden second scores", every=5, held_out=True)
def decay_to_a_tenth_at_every_step() -> Training:
    stack = [layers.Dense(48, activation="relu", name="hidden"), layers.Dense(32, activation="relu", name="second")]
    model = digits_network(*stack, optimizer=keras.optimizers.AdamW(1e-2, weight_decay=90.0))
    return Training(model, *data.digits(), epochs=3)


@faulty("update_too_small", "hidden scores", every=5, held_out=True)
def gradients_clipped_to_a_millionth() -> Training:
    model = digits_network(layers.Dense(48, activation="relu", name="hidden"), optimizer=SGD(0.1, clipnorm=1e-6))
    return Training(model, *data.digits(), epochs=3)


@faulty("nonfinite exploding_activation unnormalized_input exploding_loss", "rate measures loss", every=1, held_out=True)
def exponential_of_raw_measures() -> Training:
    x, y = data.raw("wine")
    inputs = keras.Input((13,), name="measures")
    model = keras.Model(inputs, layers.Dense(1, activation="exponential", name="rate")(layers.Dense(16, activation="relu")(inputs)))
    model.compile(Adam(1e-2), "poisson")
    return Training(model, x, y.astype("float32")[:, None], batch_size=16, epochs=3)


@faulty("dead_units update_too_large unnormalized_input", "filters picture", every=5, held_out=True)
def bytes_with_gradient_descent() -> Training:
    stack = [layers.Conv2D(16, 3, activation="relu", name="filters"), layers.MaxPooling2D(), layers.Flatten()]
    x, y = data.images()
    return Training(picture_network(*stack, optimizer=SGD(0.1)), 255 * x, y, epochs=3)
