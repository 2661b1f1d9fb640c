"""Healthy programs of the sixth set, many of which look strange and are fine: tables, pictures, words and series."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import characters, digits, images
from benchmarks.programs.registry import Training, healthy
from benchmarks.programs.sixth_data import BINARY, LOGITS, block, customers, dense, glyphs, joined, known_customers, loads, reviews, stacked, surface

SGD, Adam, Constant = keras.optimizers.SGD, keras.optimizers.Adam, keras.initializers.Constant
Cosine = keras.optimizers.schedules.CosineDecay


# Tables.


@healthy(every=5, held_out=True)
def customers_with_batch_norm_and_dropout() -> Training:
    x, y = known_customers()
    stack: list[Any] = []
    for k in range(2):
        stack += [layers.Dense(32, use_bias=False, name=f"hidden_{k}"), layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.Dropout(0.3)]
    model = stacked((6,), *stack, layers.Dense(1, name="leaves"), loss=BINARY)
    return Training(model, x[:900], y[:900], epochs=6, options={"validation_data": (x[900:], y[900:])})


@healthy(every=5, held_out=True)
def raw_customers_behind_an_adapted_normalization() -> Training:
    x, y = customers()
    norm = layers.Normalization()
    norm.adapt(x)
    return Training(stacked((6,), norm, *dense((32, 16)), layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy"), x, y, epochs=5)


@healthy(every=5, held_out=True)
def gelu_and_silu_with_adamw() -> Training:
    x, y = surface()
    stack = [*dense((48,), "gelu"), layers.Dense(48, activation="silu", name="second"), layers.Dense(1, name="value")]
    return Training(stacked((6,), *stack, loss="mse", optimizer=keras.optimizers.AdamW(3e-3)), x, y, epochs=8)


@healthy(every=10, held_out=True)
def sparse_units_by_a_penalty_on_activity() -> Training:
    x, y = digits()
    hidden = layers.Dense(128, activation="relu", bias_initializer=Constant(-0.2), activity_regularizer=keras.regularizers.L1(1e-4), name="hidden")
    return Training(stacked((64,), hidden, layers.Dense(10, name="scores")), x, y, epochs=8)


@healthy(every=5, held_out=True)
def warm_up_from_zero_and_cosine_to_zero() -> Training:
    x, y = digits()
    steps = 6 * (len(x) // 32 + 1)
    rate = Cosine(0.0, steps - 30, warmup_target=3e-3, warmup_steps=30)
    return Training(stacked((64,), *dense((64, 64)), layers.Dense(10, name="scores"), optimizer=Adam(rate)), x, y, epochs=6)


@healthy(every=20, held_out=True)
def eight_customers_learnt_by_heart() -> Training:
    x, y = known_customers()
    return Training(stacked((6,), *dense((64, 64)), layers.Dense(1, name="leaves"), loss=BINARY), x[:8], y[:8], batch_size=8, epochs=300)


@healthy(every=5, held_out=True)
def five_quantiles_at_once() -> Training:
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95], "float32")

    def pinball(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return ops.mean(ops.maximum(levels * error, (levels - 1) * error), -1)

    x, y = surface()
    return Training(stacked((6,), *dense((48, 48), "elu"), layers.Dense(5, name="quantiles"), loss=pinball, optimizer="rmsprop"), x, y, epochs=8)


@healthy(every=5, held_out=True)
def one_hundred_kinds_as_one_hot_rows() -> Training:
    random = np.random.default_rng(70)
    kind, amount = random.integers(0, 100, 1500), random.normal(size=1500)
    worth = random.normal(size=100)
    x = np.concatenate([np.eye(100)[kind], amount[:, None]], 1).astype("float32")
    y = (worth[kind] + 0.5 * amount)[:, None].astype("float32")
    return Training(stacked((101,), *dense((32,)), layers.Dense(1, name="value"), loss="mse"), x, y, epochs=6)


@healthy(every=5, held_out=True)
def one_of_a_hundred_is_a_fraud() -> Training:
    random = np.random.default_rng(71)
    x = random.normal(size=(3000, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 3.3).astype("float32")[:, None]
    return Training(stacked((8,), *dense((32, 16)), layers.Dense(1, activation="sigmoid", name="fraud"), loss="binary_crossentropy"), x, y, epochs=4)


@healthy(every=10, held_out=True)
def one_customer_at_a_time_with_layer_norm() -> Training:
    x, y = known_customers()
    stack = [layers.Dense(24, name="hidden"), layers.LayerNormalization(), layers.ReLU(), layers.Dense(1, name="leaves")]
    return Training(stacked((6,), *stack, loss=BINARY, optimizer=SGD(0.01)), x[:500], y[:500], batch_size=1, epochs=2)


@healthy(every=5, held_out=True)
def hardly_anything_to_learn_but_the_mean() -> Training:
    random = np.random.default_rng(72)
    x = random.normal(size=(1500, 5)).astype("float32")
    y = (3 + 0.05 * x[:, :1] + random.normal(size=(1500, 1))).astype("float32")
    return Training(stacked((5,), *dense((16,)), layers.Dense(1, name="value"), loss="mae", optimizer=SGD(0.05)), x, y, epochs=5)


@healthy(every=25, held_out=True)
def converged_and_still_going() -> Training:
    x, y = digits()
    return Training(stacked((64,), *dense((64,)), layers.Dense(10, name="scores"), optimizer=SGD(0.2, momentum=0.9)), x, y, batch_size=64, epochs=80)


@healthy(every=5, held_out=True)
def wide_linear_model_with_adagrad() -> Training:
    random = np.random.default_rng(73)
    x = (random.random((1200, 500)) < 0.02).astype("float32")
    y = (x @ random.normal(size=500) > 0).astype("float32")[:, None]
    return Training(stacked((500,), layers.Dense(1, name="clicks"), loss=BINARY, optimizer=keras.optimizers.Adagrad(0.1)), x, y, epochs=5)


@healthy(every=5, held_out=True)
def two_tasks_with_learnt_weights() -> Training:
    class Weighted(layers.Layer):
        def build(self, shape: Any) -> None:
            self.scales = self.add_weight(shape=(2,), initializer="zeros", name="scales")

        def call(self, leaves: Any, amount: Any, y: Any, z: Any) -> Any:
            first, second = ops.mean(ops.binary_crossentropy(y, leaves, from_logits=True)), ops.mean(ops.square(amount - z))
            self.add_loss(ops.exp(-self.scales[0]) * first + ops.exp(-self.scales[1]) * second + ops.sum(self.scales))
            return leaves

    x, y = known_customers()
    inputs, label, level = keras.Input((6,), name="features"), keras.Input((1,), name="label"), keras.Input((1,), name="level")
    trunk = layers.Dense(32, activation="relu", name="trunk")(inputs)
    model = keras.Model([inputs, label, level], Weighted(name="weighted")(layers.Dense(1)(trunk), layers.Dense(1)(trunk), label, level))
    model.compile(Adam(3e-3))
    return Training(model, [x, y, x[:, :1] * x[:, 1:2]], epochs=5)


@healthy(every=5, held_out=True)
def gates_of_a_highway_and_lion() -> Training:
    x, y = surface()
    inputs = keras.Input((6,), name="features")
    value = layers.Dense(32, name="first")(inputs)
    for k in range(4):
        gate = layers.Dense(32, activation="sigmoid", bias_initializer=Constant(-1.0), name=f"gate_{k}")(value)
        value = gate * layers.Dense(32, activation="tanh", name=f"change_{k}")(value) + (1 - gate) * value
    model = joined(inputs, layers.Dense(1, name="value")(value), loss="mse", optimizer=keras.optimizers.Lion(3e-4))
    return Training(model, x, y, epochs=8)


@healthy(every=5, held_out=True)
def patience_ends_the_training() -> Training:
    x, y = known_customers()
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    model = stacked((6,), *dense((64, 64)), layers.Dense(1, name="leaves"), loss=BINARY, optimizer=Adam(1e-2))
    return Training(model, x[:400], y[:400], epochs=20, options={"validation_data": (x[400:], y[400:])}, more_callbacks=[stop])


# Pictures.


@healthy(every=5, held_out=True)
def bytes_rescaled_and_strongly_augmented() -> Training:
    x, y = glyphs()
    before = [layers.Rescaling(1 / 255), layers.RandomFlip(), layers.RandomRotation(0.3), layers.RandomContrast(0.5)]
    conv = [layers.Conv2D(24, 3, strides=2, activation="relu", name=f"conv_{k}") for k in range(2)]
    model = stacked((16, 16, 3), *before, *conv, layers.Flatten(), layers.Dense(5, name="scores"))
    return Training(model, np.round(255 * x), y, epochs=5)


@healthy(every=5, held_out=True)
def residual_network_with_nesterov_and_decay() -> Training:
    x, y = glyphs()
    inputs = keras.Input((16, 16, 3), name="pictures")
    value = layers.Conv2D(16, 3, padding="same", name="stem")(inputs)
    for k in range(3):
        branch = value
        for part in "ab":
            branch = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(branch))
            branch = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"block_{k}{part}")(branch)
        value = layers.Add()([value, branch])
    value = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization(momentum=0.8)(value)))
    model = joined(inputs, layers.Dense(5, name="scores")(value), optimizer=SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3))
    return Training(model, x[:640], y[:640], epochs=5, options={"validation_data": (x[640:], y[640:])})


class LayerScale(layers.Layer):
    """A factor per channel that begins at a millionth, as ConvNeXt has it."""

    def build(self, shape: Any) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), initializer=Constant(1e-6), name="gamma")

    def call(self, x: Any) -> Any:
        return x * self.gamma


@healthy(every=5, held_out=True)
def next_generation_convolutions_with_layer_scale() -> Training:
    x, y = glyphs()
    inputs = keras.Input((16, 16, 3), name="pictures")
    value = layers.LayerNormalization()(layers.Conv2D(32, 2, strides=2, name="stem")(inputs))
    for k in range(3):
        branch = layers.LayerNormalization()(layers.DepthwiseConv2D(5, padding="same", name=f"deep_{k}")(value))
        branch = layers.Dense(32, name=f"down_{k}")(layers.Dense(64, activation="gelu", name=f"up_{k}")(branch))
        value = layers.Add()([value, LayerScale(name=f"scale_{k}")(branch)])
    value = layers.LayerNormalization()(layers.GlobalAveragePooling2D()(value))
    model = joined(inputs, layers.Dense(5, name="scores")(value), optimizer=keras.optimizers.AdamW(4e-3))
    return Training(model, x, y, epochs=5)


@healthy(every=5, held_out=True)
def smoothed_labels_and_nadam() -> Training:
    x, y = images()
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation="softmax")]
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return Training(stacked((8, 8, 1), *stack, loss=loss, optimizer="nadam"), x, np.eye(10, dtype="float32")[y], epochs=5)


@healthy(every=10, held_out=True)
def first_trained_then_frozen_with_a_new_head() -> Training:
    x, y = glyphs()
    base = keras.Sequential([keras.Input((16, 16, 3))], name="base")
    for k in range(2):
        base.add(layers.Conv2D(16, 3, strides=2, name=f"conv_{k}"))
        base.add(layers.BatchNormalization(momentum=0.8))
        base.add(layers.ReLU())
    first = keras.Sequential([base, layers.GlobalAveragePooling2D(), layers.Dense(5)])
    first.compile("adam", LOGITS)
    first.fit(x, y, epochs=4, verbose=0)
    base.trainable = False
    model = keras.Sequential([keras.Input((16, 16, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(1, name="large")])
    model.compile(Adam(1e-2), BINARY)
    return Training(model, x, (y > 2).astype("float32")[:, None], epochs=4)


@healthy(every=5, held_out=True)
def convolutions_in_mixed_float16_with_a_dynamic_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = glyphs()
    conv = [layers.Conv2D(16, 3, strides=2, activation="relu", name=f"conv_{k}") for k in range(2)]
    model = stacked((16, 16, 3), *conv, layers.Flatten(), layers.Dense(5, dtype="float32", name="scores"))
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def mask_of_the_bright_mark() -> Training:
    x, _ = glyphs()
    mask = (x.max(-1, keepdims=True) > 0.4).astype("float32")
    inputs = keras.Input((16, 16, 3), name="pictures")
    down = layers.Conv2D(16, 3, padding="same", activation="relu", name="down")(inputs)
    deep = layers.Conv2D(32, 3, padding="same", activation="relu", name="deep")(layers.MaxPooling2D()(down))
    up = layers.Concatenate()([layers.Conv2DTranspose(16, 2, strides=2, activation="relu", name="up")(deep), down])
    model = joined(inputs, layers.Conv2D(1, 1, activation="sigmoid", bias_initializer=Constant(-2.0), name="mask")(up), loss="binary_crossentropy")
    return Training(model, x, mask, epochs=4)


# Words and series.


@healthy(every=5, held_out=True)
def ten_thousand_words_of_which_two_hundred_come() -> Training:
    x, y = reviews()
    stack = [layers.Embedding(10_000, 16, name="words"), layers.GlobalAveragePooling1D(), *dense((16,)), layers.Dense(2, name="scores")]
    return Training(stacked((40,), *stack, optimizer=Adam(1e-2), dtype="int32"), x, y, epochs=6)


@healthy(every=5, held_out=True)
def padded_reviews_in_a_masked_lstm() -> Training:
    x, y = reviews()
    stack = [
        layers.Embedding(200, 24, mask_zero=True, name="words"),
        layers.Bidirectional(layers.LSTM(16), name="both"),
        layers.Dense(2, name="scores"),
    ]
    return Training(stacked((40,), *stack, optimizer=Adam(3e-3), dtype="int32"), x, y, epochs=4)


@healthy(every=5, held_out=True)
def characters_with_a_clipped_lstm() -> Training:
    x, y, words = characters()
    stack = [layers.Embedding(words, 24), layers.LSTM(48, return_sequences=True, name="lstm"), layers.Dense(words, name="next")]
    return Training(stacked((32,), *stack, optimizer=Adam(5e-3, global_clipnorm=1.0), dtype="int32"), x, y, epochs=3)


@healthy(every=5, held_out=True)
def small_decoder_with_tied_words_in_bfloat16() -> Training:
    class Tied(layers.Layer):
        def __init__(self, table: Any, **options: Any) -> None:
            super().__init__(**options)
            self.table = table

        def call(self, x: Any) -> Any:
            return ops.matmul(x, ops.transpose(ops.cast(self.table.embeddings, x.dtype)))

    keras.config.set_dtype_policy("mixed_bfloat16")
    x, y, words = characters(24, 900)
    ids = keras.Input((24,), dtype="int32", name="ids")
    table = layers.Embedding(words, 32, name="words")
    value = table(ids) + layers.Embedding(24, 32, name="places")(ops.arange(24))
    for k in range(2):
        y_ = layers.LayerNormalization()(value)
        value = value + layers.MultiHeadAttention(2, 16, name=f"attention_{k}")(y_, y_, use_causal_mask=True)
        value = value + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(value)))
    model = joined(ids, Tied(table, name="tied", dtype="float32")(layers.LayerNormalization()(value)), optimizer=keras.optimizers.AdamW(3e-3))
    return Training(model, x, y, epochs=4)


@healthy(every=10, held_out=True)
def attention_that_must_point_at_one_place() -> Training:
    random = np.random.default_rng(74)
    x = random.normal(size=(1500, 12, 8)).astype("float32")
    place = random.integers(0, 12, 1500)
    x[..., 0] = 0
    x[np.arange(1500), place, 0] = 3
    y = x[np.arange(1500), place, 1:2]
    inputs = keras.Input((12, 8), name="rows")
    weights = layers.Softmax(axis=1, name="weights")(layers.Dense(1, name="where")(inputs))
    model = joined(inputs, layers.Dense(1, name="value")(ops.sum(weights * inputs, 1)), loss="mse", optimizer=Adam(3e-2))
    return Training(model, x, y, epochs=12)


@healthy(every=5, held_out=True)
def loads_forecast_by_a_gru_and_huber() -> Training:
    x, y = loads()
    stack = [layers.GRU(24, return_sequences=True, name="gru_0"), layers.GRU(24, name="gru_1"), layers.Dense(1, name="next")]
    return Training(stacked((48, 3), *stack, loss="huber"), x, y, epochs=4)


@healthy(every=5, held_out=True)
def causal_convolutions_and_pooled_attention() -> Training:
    x, y = loads()
    inputs = keras.Input((48, 3), name="window")
    value = inputs
    for k in range(4):
        value = layers.Conv1D(24, 3, padding="causal", dilation_rate=2**k, activation="relu", name=f"conv_{k}")(value)
    weights = layers.Softmax(axis=1)(layers.Dense(1, name="where")(value))
    return Training(joined(inputs, layers.Dense(1, name="next")(ops.sum(weights * value, 1)), loss="mse"), x, y, epochs=6)


@healthy(every=5, held_out=True)
def two_blocks_on_reviews_with_warm_up() -> Training:
    x, y = reviews()
    ids = keras.Input((40,), dtype="int32", name="ids")
    value = layers.Embedding(200, 32, name="words")(ids) + layers.Embedding(40, 32, name="places")(ops.arange(40))
    for k in range(2):
        value = block(value, f"block_{k}")
    value = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(value))
    model = joined(
        ids, layers.Dense(2, name="scores")(value), optimizer=keras.optimizers.AdamW(Cosine(0.0, 120, warmup_target=2e-3, warmup_steps=20))
    )
    return Training(model, x, y, epochs=5)


@healthy(every=5, held_out=True)
def frames_of_a_short_film() -> Training:
    x, y = images()
    films = np.stack([np.roll(x, k, 2) for k in range(4)], 1)
    stack = [layers.ConvLSTM2D(8, 3, padding="same", name="film"), layers.GlobalAveragePooling2D(), layers.Dense(10, name="scores")]
    return Training(stacked((4, 8, 8, 1), *stack, optimizer=Adam(1e-2)), films[:700], y[:700], epochs=3)


@healthy(every=5, held_out=True)
def graph_of_customers() -> Training:
    x, y = known_customers()
    near = np.argsort(((x[:, None, :3] - x[None, :, :3]) ** 2).sum(-1), 1)[:, :6]
    rows = x[near]
    inputs = keras.Input((6, 6), name="neighbours")
    message = ops.mean(layers.Dense(24, activation="relu", name="message")(inputs), 1)
    value = layers.Dense(24, activation="relu", name="update")(layers.Concatenate()([inputs[:, 0], message]))
    return Training(joined(inputs, layers.Dense(1, name="leaves")(value), loss=BINARY), rows, y, epochs=5)


@healthy(every=5, held_out=True)
def sets_of_points_with_a_maximum() -> Training:
    random = np.random.default_rng(75)
    x = random.normal(size=(1200, 16, 3)).astype("float32")
    y = (x[..., 0].max(1) > 1.7).astype("float32")[:, None]
    stack = [*dense((32, 32)), layers.GlobalMaxPooling1D(), layers.Dense(1, name="far")]
    return Training(stacked((16, 3), *stack, loss=BINARY, optimizer=Adam(3e-3)), x, y, epochs=5)


@healthy(every=5, held_out=True)
def euler_steps_of_a_learnt_field() -> Training:
    class Field(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.first, self.second = layers.Dense(32, activation="tanh"), layers.Dense(2)

        def build(self, shape: Any) -> None:
            self.first.build(shape)
            self.second.build((shape[0], 32))

        def call(self, x: Any) -> Any:
            for _ in range(8):
                x = x + 0.125 * self.second(self.first(x))
            return x

    random = np.random.default_rng(76)
    x = random.normal(size=(1000, 2)).astype("float32")
    y = x @ np.array([[0, 1], [-1, 0]], "float32")
    return Training(stacked((2,), Field(name="field"), loss="mse", optimizer=Adam(1e-2)), x, tf.constant(y), epochs=6)
