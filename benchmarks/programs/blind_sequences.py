"""Healthy programs written blind: sequences, and steps and loops of one's own."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.blind_faulty import LOGITS, Adam, classifier
from benchmarks.programs.registry import Training, healthy

# Sequences.


@healthy(every=5, held_out=True)
def embedding_average() -> Training:
    ids, labels, size = data.lines()
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            layers.Embedding(size, 16, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(Adam(1e-2), "binary_crossentropy")
    return Training(model, ids, labels, epochs=4)


@healthy(every=5, held_out=True)
def clipped_lstm_of_characters() -> Training:
    x, y, size = data.characters(24, 800)
    model = keras.Sequential(
        [keras.Input((24,), dtype="int32"), layers.Embedding(size, 16), layers.LSTM(48, return_sequences=True), layers.Dense(size)]
    )
    model.compile(Adam(1e-2, clipnorm=1.0), LOGITS)
    return Training(model, x, y, epochs=4)


@healthy(every=5, held_out=True)
def transformer_in_mixed_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    x, y, size = data.characters(24, 800)
    inputs = keras.Input((24,), dtype="int32")
    z = layers.Embedding(size, 32)(inputs) + layers.Embedding(24, 32)(ops.arange(24))
    for _ in range(2):
        z = z + layers.MultiHeadAttention(4, 8)(layers.LayerNormalization()(z), layers.LayerNormalization()(z), use_causal_mask=True)
        z = z + layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(z)))
    model = keras.Model(inputs, layers.Dense(size, dtype="float32")(layers.LayerNormalization()(z)))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 100, warmup_target=1e-2, warmup_steps=25)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01), LOGITS)
    return Training(model, x, y, epochs=5)


@healthy(every=5, held_out=True)
def temporal_convolutions() -> Training:
    stack = [layers.Conv1D(16, 3, dilation_rate=2**n, padding="causal", activation="relu") for n in range(4)]
    model = keras.Sequential([keras.Input((30, 1)), *stack, layers.Lambda(lambda z: z[:, -1]), layers.Dense(1)])
    model.compile(Adam(3e-3), "mse")
    return Training(model, *data.series(), epochs=4)


@healthy(every=5, held_out=True)
def gru_with_attention_pooling() -> Training:
    images, labels = data.images()
    inputs = keras.Input((8, 8))
    states = layers.GRU(32, return_sequences=True)(inputs)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(16, activation="tanh")(states)))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(ops.sum(states * weights, axis=1)))
    model.compile(Adam(5e-3), "sparse_categorical_crossentropy")
    return Training(model, images[..., 0], labels, epochs=5)


# Loops and train steps of one's own.


@healthy(every=5, held_out=True)
def tape_loop() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])
    optimizer = Adam(3e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = LOGITS(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return Training(model, *data.digits(), epochs=2, loop=step)


@healthy(every=1, held_out=True)
def value_learning_with_a_target_network() -> Training:
    """Expected rewards of picking a class for a picture, bootstrapped with a slow copy."""

    def network() -> keras.Model:
        return keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])

    online, target = network(), network()
    target.set_weights(online.get_weights())
    target.trainable = False
    optimizer = Adam(3e-3)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        following = tf.roll(x, 1, axis=0)
        action = tf.random.uniform((tf.shape(x)[0],), 0, 10, tf.int64)
        reward = tf.cast(action == y, tf.float32)
        value = reward + 0.5 * tf.reduce_max(target(following), axis=-1)
        with tf.GradientTape() as tape:
            chosen = tf.gather(online(x), action, batch_dims=1)
            loss = tf.reduce_mean(tf.square(chosen - value))
        optimizer.apply(tape.gradient(loss, online.trainable_variables), online.trainable_variables)
        for slow, fast in zip(target.variables, online.variables, strict=True):
            slow.assign(0.95 * slow + 0.05 * fast)
        return loss

    return Training(online, *data.digits(), epochs=2, loop=step)


@healthy(every=5, held_out=True)
def frozen_teacher_in_the_step() -> Training:
    x, y = data.digits()
    teacher = classifier(64, layers.Dense(64, activation="relu"))
    teacher.fit(x, y, epochs=5, verbose=0)

    class Student(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.net = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(10, activation="softmax")], name="net")

        def call(self, x: Any) -> Any:
            return self.net(x)

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
            hard = ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred))
            return hard + ops.mean(keras.losses.kl_divergence(teacher(x, training=False), y_pred))

    model = Student()
    model.compile(Adam(5e-3))
    return Training(model, x, y, epochs=4)
