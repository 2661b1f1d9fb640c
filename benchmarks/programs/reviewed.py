"""Programs that a review of the rules asked about: what careful people do on purpose and looks like a fault, and layers that rules overlooked.

The rules were mended with these in view, so they tell nothing about programs that nobody has looked at.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


def _compiled(model: Any, loss: Any = "sparse_categorical_crossentropy", optimizer: Any = None) -> Any:
    model.compile(optimizer or keras.optimizers.Adam(1e-3), loss)
    return model


@keras.saving.register_keras_serializable("reviewed")
class Linear(keras.layers.Layer):
    """The layer of Keras's guide: its weights have no names."""

    def __init__(self, units: int, scale: float = 0.05, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.scale = units, scale

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer=keras.initializers.RandomNormal(stddev=self.scale), trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, self.w) + self.b


@healthy()
def layers_of_the_guide() -> Training:
    model = keras.Sequential([keras.Input((64,)), Linear(64, 0.1), layers.ReLU(), Linear(10, 0.1), layers.Softmax()])
    return Training(_compiled(model), *data.digits())


@faulty("poor_initialization", "second")
def layer_of_the_guide_with_wide_weights() -> Training:
    model = keras.Sequential([keras.Input((64,)), Linear(64, 0.1, name="first"), layers.ReLU(), Linear(64, 2.0, name="second"), layers.ReLU()])
    model.add(Linear(10, 0.1))
    model.add(layers.Softmax())
    return Training(_compiled(model), *data.digits())


@faulty("unchanged_weights", "first second third")
def layers_of_the_guide_at_a_rate_of_zero() -> Training:
    model = keras.Sequential([keras.Input((64,)), Linear(64, 0.1, name="first"), layers.ReLU(), Linear(10, 0.1, name="second"), layers.Softmax()])
    return Training(_compiled(model, optimizer=keras.optimizers.SGD(0.0)), *data.digits())


@healthy(every=1)
def triplets_that_begin_without_a_violation() -> Training:
    """A hinge loss that is 0 at first: easy triplets come before hard ones."""
    random = np.random.default_rng(0)
    x = 0.3 * random.normal(size=(640, 3, 16)).astype("float32")
    x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
    x[:160, 2] *= 20.0
    encoder = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(8)], name="encoder")
    inputs = keras.Input((3, 16))
    model = keras.Model(inputs, layers.TimeDistributed(encoder)(inputs))

    def loss(_: Any, y: Any) -> Any:
        near, far = ops.sum((y[:, 0] - y[:, 1]) ** 2, -1), ops.sum((y[:, 0] - y[:, 2]) ** 2, -1)
        return ops.relu(near - far + 1.0)

    return Training(_compiled(model, loss), x, np.zeros(640, "float32"), options={"shuffle": False})


@healthy()
def sequences_decoded_from_states_of_zero() -> Training:
    x, y = data.series()
    inputs, state = keras.Input((30, 1)), keras.Input((24,))
    model = keras.Model([inputs, state], layers.Dense(1)(layers.GRU(24)(inputs, initial_state=state)))
    return Training(_compiled(model, "mse"), [x, np.zeros((len(x), 24), "float32")], y)


@healthy()
def masked_by_a_product() -> Training:
    x, y, count = data.lines()
    ids = keras.Input((24,), dtype="int32")
    embedded = layers.Embedding(count, 32)(ids)
    hidden = (1.0 - ops.cast(ids != 0, "float32"))[:, None, :] * -1e9
    scores = ops.matmul(layers.Dense(32)(embedded), ops.transpose(layers.Dense(32)(embedded), (0, 2, 1))) / 32**0.5 + hidden
    seen = ops.matmul(layers.Softmax()(scores), embedded)
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(seen)))
    return Training(_compiled(model, "binary_crossentropy"), x, y)


class Causal(keras.layers.Layer):
    """Attention with a mask of −Inf that it keeps."""

    def build(self, shape: Any) -> None:
        mask = np.triu(np.full((shape[1], shape[1]), -np.inf, "float32"), 1)
        self.mask = self.add_weight(shape=mask.shape, initializer=lambda *_, **__: mask, trainable=False, name="mask")
        self.query, self.key = layers.Dense(32, name="query"), layers.Dense(32, name="key")
        self.query.build(shape)
        self.key.build(shape)

    def call(self, x: Any) -> Any:
        scores = ops.matmul(self.query(x), ops.transpose(self.key(x), (0, 2, 1))) / 32**0.5
        return x + ops.matmul(ops.softmax(scores + self.mask), x)


@healthy()
def mask_of_infinity_in_a_variable() -> Training:
    x, y, count = data.characters()
    model = keras.Sequential([keras.Input((32,), dtype="int32"), layers.Embedding(count, 32), Causal(), layers.Dense(count)])
    return Training(_compiled(model, keras.losses.SparseCategoricalCrossentropy(from_logits=True)), x, y, epochs=2)


@faulty("nonfinite", "logarithm", every=1)
def nan_beside_a_mask_of_infinity() -> Training:
    x, y, count = data.characters()
    inputs = keras.Input((32,), dtype="int32")
    states = Causal()(layers.Embedding(count, 32)(inputs))
    states = layers.Lambda(ops.log, name="logarithm")(states)
    return Training(_compiled(keras.Model(inputs, layers.Dense(count, activation="softmax")(states))), x[:320], y[:320], epochs=1)


class Adapter(keras.layers.Layer):
    """What is added to a stream, and begins as nothing."""

    def build(self, shape: Any) -> None:
        self.down, self.up = layers.Dense(8, activation="gelu"), layers.Dense(shape[-1], kernel_initializer="zeros")
        self.down.build(shape)
        self.up.build((*shape[:-1], 8))

    def call(self, x: Any) -> Any:
        return self.up(self.down(x))


@healthy(every=1)
def adapters_that_begin_as_nothing() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation="relu")(inputs)
    x = x + Adapter()(x)
    x = x + Adapter()(x)
    return Training(_compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x))), *data.digits(), epochs=2)


@healthy()
def rare_class_with_its_bias() -> Training:
    x, y = data.digits()
    y = ((y == 3) & (np.arange(len(y)) % 10 == 3)).astype("float32")
    bias = keras.initializers.Constant(float(np.log(y.mean() / (1 - y.mean()))))
    model = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid", bias_initializer=bias)])
    return Training(_compiled(model, "binary_crossentropy"), x, y)


@healthy()
def highways_that_begin_shut() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(48, activation="relu")(inputs)
    for _ in range(4):
        gate = layers.Dense(48, activation="sigmoid", bias_initializer=keras.initializers.Constant(-4.0))(x)
        x = gate * layers.Dense(48, activation="relu")(x) + (1 - gate) * x
    return Training(_compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x))), *data.digits())


@healthy()
def prices_with_their_mean_as_bias() -> Training:
    x, y = data.standardized("diabetes")
    y = 20_000 + 3_000 * y
    bias = keras.initializers.Constant(float(y.mean()))
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(1, bias_initializer=bias)])
    return Training(_compiled(model, "mse", keras.optimizers.Adam(0.05)), x, y, epochs=10)


@healthy(every=1)
def head_of_zeros_that_warms_up() -> Training:
    stack = [layers.Dense(64, activation="relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(10, activation="softmax", kernel_initializer="zeros")])
    rate = keras.optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=1e-3, warmup_steps=60)
    return Training(_compiled(model, optimizer=keras.optimizers.Adam(rate)), *data.digits(), epochs=3)


@healthy()
def returns_of_a_hundredth() -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1)), layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")])
    model.add(layers.Dense(1))
    return Training(_compiled(model, "mae"), (0.003 * x).astype("float32"), (0.003 * y).astype("float32"))


@healthy()
def policy_with_a_small_head() -> Training:
    stack = [layers.Dense(64, activation="tanh", kernel_initializer=keras.initializers.Orthogonal(2**0.5)) for _ in range(2)]
    head = layers.Dense(10, activation="softmax", kernel_initializer=keras.initializers.Orthogonal(0.01))
    return Training(_compiled(keras.Sequential([keras.Input((64,)), *stack, head])), *data.digits())


class LayerScale(keras.layers.Layer):
    """A factor per channel that begins near 0."""

    def build(self, shape: Any) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(1e-6), name="gamma")

    def call(self, x: Any) -> Any:
        return x * self.gamma


@healthy()
def transformer_with_scaled_branches() -> Training:
    x, y, count = data.characters()
    inputs = keras.Input((32,), dtype="int32")
    states = layers.Embedding(count, 32)(inputs)
    for _ in range(4):
        states = states + LayerScale()(layers.MultiHeadAttention(2, 16)(*[layers.LayerNormalization()(states)] * 2, use_causal_mask=True))
        states = states + LayerScale()(layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(states))))
    return Training(_compiled(keras.Model(inputs, layers.Dense(count, activation="softmax")(states))), x, y, epochs=2)


@healthy()
def wide_weights_before_a_normalization() -> Training:
    wide = keras.initializers.RandomNormal(stddev=3.0)
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.DepthwiseConv2D(3, depthwise_initializer=wide), layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack, layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")])
    return Training(_compiled(model), *data.images(), epochs=6)


@healthy()
def pictures_for_a_fixed_judge() -> Training:
    """A generator learns to please a judge that was trained before, and that no optimizer of this step is given."""
    x, y = data.digits()
    judge = _compiled(keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)], name="judge"),
                      keras.losses.SparseCategoricalCrossentropy(from_logits=True))  # fmt: skip
    judge.fit(x, y, epochs=4, verbose=0)

    class Pleasing(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            stack = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")]
            self.generator = keras.Sequential([keras.Input((10,)), *stack], name="generator")
            self.judge = judge

        def call(self, wanted: Any) -> Any:
            return self.judge(self.generator(wanted))

        def train_step(self, batch: Any) -> Any:
            wanted, labels = batch
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=labels, y_pred=self(wanted, training=True))
            weights = self.generator.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = _compiled(Pleasing(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    noise = np.random.default_rng(0).normal(size=(len(y), 10)).astype("float32") * 0.1
    return Training(model, noise + np.eye(10, dtype="float32")[y], y)


@healthy()
def gaussian_likelihood() -> Training:
    x, y = data.sine()
    inputs = keras.Input((1,))
    hidden = layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(hidden))

    def loss(true: Any, out: Any) -> Any:
        return 0.5 * (out[:, 1] + (true - out[:, 0]) ** 2 * ops.exp(-out[:, 1]))

    return Training(_compiled(model, loss, keras.optimizers.Adam(3e-3)), x, y.ravel(), epochs=30)


@healthy()
def confident_classifier_goes_on() -> Training:
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,)), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")])
    _compiled(model, optimizer=keras.optimizers.Adam(3e-3)).fit(x, y, epochs=40, verbose=0)
    return Training(_compiled(model), x, y)


@healthy()
def regressor_of_thousands_goes_on() -> Training:
    x, y = data.standardized("diabetes")
    y = 20_000 + 3_000 * y
    model = keras.Sequential([keras.Input((10,)), layers.Dense(64, activation="relu"), layers.Dense(1)])
    _compiled(model, "mse", keras.optimizers.Adam(0.3)).fit(x, y, epochs=60, verbose=0)
    return Training(_compiled(model, "mse", keras.optimizers.Adam(0.01)), x, y, epochs=6)


class Attending(keras.layers.Layer):
    """Attention whose scores a user's distances are taken from."""

    def build(self, shape: Any) -> None:
        self.query = self.add_weight(shape=(shape[-1], 16), name="query_kernel")
        self.key = self.add_weight(shape=(shape[-1], 16), name="key_kernel")

    def call(self, x: Any, distances: Any) -> Any:
        scores = ops.matmul(ops.matmul(x, self.query), ops.transpose(ops.matmul(x, self.key), (0, 2, 1)))
        return x + ops.matmul(ops.softmax(scores - 0.1 * distances), x)


@healthy()
def distances_beside_the_states() -> Training:
    x, y = data.series()
    inputs, distances = keras.Input((30, 1)), keras.Input((30, 30))
    states = Attending()(layers.Dense(16)(inputs), distances)
    model = keras.Model([inputs, distances], layers.Dense(1)(layers.Flatten()(states)))
    table = np.abs(np.arange(30)[:, None] - np.arange(30)[None]) + np.random.default_rng(0).uniform(0, 1, (len(x), 1, 1))
    return Training(_compiled(model, "mse"), [x, table.astype("float32")], y)
