"""The twenty-third set, blind: programs with nothing wrong, some of which look odd."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, healthy
from benchmarks.programs.twenty_third import CLASSES, Adam, Attention, Coder, Function, of_digits
from benchmarks.programs.twenty_third_steps import Adversaries


@healthy(held_out=True)
def transfer_with_a_frozen_encoder() -> Training:
    encoder = keras.Sequential([layers.Conv2D(16, 3, activation="relu", name="edges"), layers.Flatten(name="flat")], name="encoder")
    encoder.trainable = False
    return of_digits(encoder, layers.Dense(32, "relu", name="hidden"), pictures=True)


@healthy(held_out=True)
def warm_up_from_nothing() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(0.0, 200, warmup_target=3e-3, warmup_steps=60)
    return of_digits(layers.Dense(48, "gelu", name="fc1"), layers.Dense(48, "gelu", name="fc2"), optimizer=Adam(rate))


@healthy(held_out=True)
def residual_blocks_that_begin_as_identities() -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(12, 3, padding="same", name="stem")(inputs)
    for i in range(3):
        b = layers.ReLU(name=f"relu_{i}")(layers.BatchNormalization(momentum=0.9, name=f"norm_{i}a")(h))
        b = layers.Conv2D(12, 3, padding="same", use_bias=False, name=f"conv_{i}")(b)
        b = layers.BatchNormalization(momentum=0.9, gamma_initializer="zeros", name=f"norm_{i}b")(b)
        h = layers.Add(name=f"add_{i}")([h, b])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.GlobalAveragePooling2D(name="mean")(h)))
    model.compile(Adam(3e-3), CLASSES)
    return Training(model, x[:1400], y[:1400], epochs=6, options={"validation_data": (x[1400:], y[1400:])})


@healthy(held_out=True)
def autoencoder_with_variation() -> Training:
    x, _ = data.standardized("breast_cancer")
    model = Coder(lambda a: ops.exp(0.5 * a))
    model.out = layers.Dense(30, name="out")
    model.compile(Adam(2e-3), "mse")
    return Training(model, x, x, epochs=15)


@healthy(held_out=True)
def adversaries_in_balance() -> Training:
    x, _ = data.digits()
    model = Adversaries(1e-3)
    model.compile(Adam(1e-3))
    return Training(model, x, epochs=8)


@healthy(held_out=True)
def recommender_with_ids_that_are_rare() -> Training:
    random = np.random.default_rng(3)
    users, items = random.zipf(1.5, 3000) % 200, random.zipf(1.5, 3000) % 300
    y = np.clip(3 + random.normal(size=200)[users] * 0.6 + random.normal(size=300)[items] * 0.6, 1, 5).astype("float32")[:, None]
    pair = [keras.Input((), dtype="int32", name=name) for name in ("user", "item")]
    tables = [layers.Embedding(n, 12, name=f"{part.name}_table")(part) for n, part in zip((200, 300), pair, strict=True)]
    h = layers.Dense(24, "relu", name="hidden")(layers.Concatenate(name="both")(tables))
    model = keras.Model(pair, layers.Dense(1, name="stars")(h))
    model.compile(Adam(3e-3), "mse")
    return Training(model, [users, items], y, epochs=4)


@healthy(held_out=True)
def transformer_of_digits_with_a_mask() -> Training:
    x, y, words = data.lines()
    ids = keras.Input((24,), dtype="int32", name="ids")
    h = layers.Embedding(words, 32, mask_zero=True, name="letters")(ids)
    for i in range(2):
        a = layers.MultiHeadAttention(4, 8, dropout=0.1, name=f"attention_{i}")(h, h)
        h = layers.LayerNormalization(name=f"norm_{i}a")(layers.Add(name=f"add_{i}a")([h, a]))
        f = layers.Dense(32, name=f"down_{i}")(layers.Dense(64, "relu", name=f"up_{i}")(h))
        h = layers.LayerNormalization(name=f"norm_{i}b")(layers.Add(name=f"add_{i}b")([h, f]))
    model = keras.Model(ids, layers.Dense(1, "sigmoid", name="answer")(layers.GlobalAveragePooling1D(name="mean")(h)))
    model.compile(Adam(1e-3), "binary_crossentropy")
    return Training(model, x, y)


@healthy(held_out=True)
def attention_of_the_users_own() -> Training:
    x, y = data.digits()
    inputs = keras.Input((8, 8), name="inputs")
    h = layers.Dense(32, name="rows")(inputs)
    h = layers.Add(name="add")([h, Attention(32, 32**-0.5, "attend")(h)])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.Flatten(name="flat")(h)))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x.reshape(-1, 8, 8), y)


@healthy(held_out=True)
def weights_in_float16_and_a_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    convs = [layers.Conv2D(12, 3, activation="relu", name=name) for name in ("conv_a", "conv_b")]
    return of_digits(*convs, layers.Flatten(name="flat"), pictures=True)


@healthy(held_out=True)
def bfloat16_where_it_may_be() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    return of_digits(layers.Dense(64, "relu", name="fc1"), layers.Dense(64, "relu", name="fc2"))


@healthy(held_out=True)
def recurrence_over_series_with_dropout() -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1), name="inputs"), layers.LSTM(24, return_sequences=True, dropout=0.1, name="lstm_1")])
    model.add(layers.GRU(16, name="gru"))
    model.add(layers.Dense(1, name="next"))
    model.compile(Adam(3e-3, clipnorm=1.0), "huber")
    return Training(model, x, y, epochs=6)


@healthy(held_out=True)
def normalization_that_was_adapted() -> Training:
    x, y = data.raw("wine")
    norm = layers.Normalization(name="standardize")
    norm.adapt(x)
    model = keras.Sequential(
        [keras.Input((13,), name="inputs"), norm, layers.Dense(16, "relu", name="hidden"), layers.Dense(3, "softmax", name="scores")]
    )
    model.compile(Adam(5e-3), CLASSES)
    return Training(model, x, y, epochs=25)


@healthy(held_out=True)
def scaled_units_of_their_own() -> Training:
    selu = [layers.Dense(32, "selu", kernel_initializer="lecun_normal", name=f"fc{i}") for i in range(5)]
    return of_digits(*selu, layers.AlphaDropout(0.05, name="drop"))


@healthy(held_out=True)
def straight_through_codes() -> Training:
    x, _ = data.digits()
    through = Function(lambda a: a + ops.stop_gradient(ops.sign(a) - a), "binary")
    steps: list[Any] = [layers.Dense(48, "relu", name="down"), layers.Dense(24, "tanh", name="codes"), through, layers.Dense(48, "relu", name="up")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *steps, layers.Dense(64, "sigmoid", name="again")])
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, x)


@healthy(held_out=True)
def two_heads_of_two_kinds() -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(12, 3, activation="relu", padding="same", name="edges")(inputs)
    h = layers.MaxPooling2D(name="pool")(h)
    h = layers.Flatten(name="flat")(layers.SeparableConv2D(16, 3, activation="relu", name="parts")(h))
    outputs = {"scores": layers.Dense(10, "softmax", name="scores")(h), "ink": layers.Dense(1, name="ink")(h)}
    model = keras.Model(inputs, outputs)
    model.compile(Adam(2e-3), {"scores": CLASSES, "ink": "mse"}, loss_weights={"scores": 1.0, "ink": 0.3})
    ink = x.mean((1, 2)) * 5
    return Training(model, x, {"scores": y, "ink": ink.astype("float32")})


@healthy(every=3, held_out=True)
def loop_with_gradients_that_are_summed_up() -> Training:
    """Two halves of a batch, one update."""
    x, y = data.digits()
    hidden = [layers.Dense(32, "relu", name=name) for name in ("fc1", "fc2")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *hidden, layers.Dense(10, name="scores")])
    optimizer, loss_function = Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        sums, total = None, 0.0
        for part in range(2):
            with tf.GradientTape() as tape:
                loss = loss_function(y[part * 16 : part * 16 + 16], model(x[part * 16 : part * 16 + 16], training=True))
            own = tape.gradient(loss, model.trainable_variables)
            sums = own if sums is None else [a + b for a, b in zip(sums, own, strict=True)]
            total += loss / 2
        optimizer.apply([a / 2 for a in sums], model.trainable_variables)
        return total

    return Training(model, x, y, epochs=3, loop=step)


@healthy(held_out=True)
def weighted_classes_that_are_rare() -> Training:
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,), name="inputs"), layers.Dense(32, "relu", name="fc1"), layers.Dense(1, "sigmoid", name="is_seven")])
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, (y == 7).astype("float32")[:, None], options={"class_weight": {0: 1.0, 1: 9.0}})


@healthy(held_out=True)
def contrast_of_pairs() -> Training:
    """Codes of unit length, compared within the batch at a temperature."""
    x, y = data.digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(16, name="code")(layers.Dense(48, "relu", name="hidden")(inputs))
    model = keras.Model(inputs, layers.UnitNormalization(name="unit")(h))

    def loss(true: Any, code: Any) -> Any:
        labels = ops.reshape(true, (-1,))
        near = ops.matmul(code, ops.transpose(code)) / 0.2 - 1e9 * ops.eye(ops.shape(code)[0])
        same = ops.cast(ops.equal(labels[:, None], labels[None]), "float32") * (1 - ops.eye(ops.shape(code)[0]))
        return -ops.sum(same * ops.log_softmax(near), -1) / ops.maximum(ops.sum(same, -1), 1)

    model.compile(Adam(2e-3), loss)
    return Training(model, x, y[:, None].astype("float32"))


@healthy(held_out=True)
def counts_by_poisson() -> Training:
    random = np.random.default_rng(5)
    x = random.normal(size=(1200, 6)).astype("float32")
    y = random.poisson(np.exp(0.5 * x[:, 0] - 0.3 * x[:, 1] + 0.5)).astype("float32")[:, None]
    model = keras.Sequential([keras.Input((6,), name="inputs"), layers.Dense(16, "relu", name="hidden"), layers.Dense(1, "exponential", name="rate")])
    model.compile(Adam(3e-3), "poisson")
    return Training(model, x, y, epochs=6)


@healthy(held_out=True)
def mixture_of_experts_with_a_gate() -> Training:
    x, y = data.standardized("diabetes")
    inputs = keras.Input((10,), name="inputs")
    experts = [layers.Dense(1, name=f"says_{i}")(layers.Dense(12, "relu", name=f"expert_{i}")(inputs)) for i in range(3)]
    gate = layers.Dense(3, "softmax", name="gate")(inputs)
    value = layers.Dot(1, name="value")([layers.Concatenate(name="all")(experts), gate])
    model = keras.Model(inputs, value)
    model.compile(Adam(3e-3), "mse")
    return Training(model, x, y[:, None], epochs=12)
