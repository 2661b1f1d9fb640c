"""A training loop of one's own: (c) gradients of a `tf.GradientTape` step compiled with `tf.function`.

Inside the step a gradient is a symbolic tensor, and after the step it is gone. `watch` takes the step function as it is.
"""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

import tb_activations as tba
from demo import data

STEPS = 240


def model() -> keras.Model:
    """A small classifier that is never compiled."""
    inputs = keras.Input((16, 16, 1), name="images")
    x = layers.Flatten(name="flatten")(inputs)
    x = layers.Dense(64, activation="tanh", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="tape")


def train(log_dir: Path) -> str:
    """Trains for 240 steps with a compiled step; returns what plain code shows of the gradient inside it."""
    split, classifier = data.digits(), model()
    optimizer = keras.optimizers.SGD(0.1)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    printed: list[str] = []

    @tf.function
    def train_step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(y, classifier(x, training=True))
        gradients = tape.gradient(loss, classifier.trainable_variables)
        printed.append(str(gradients[0]))
        optimizer.apply(gradients, classifier.trainable_variables)
        return loss

    step = tba.watch(train_step, model=classifier, log_dir=log_dir / "tape", every=10)
    batches = tf.data.Dataset.from_tensor_slices((split.x, split.y)).shuffle(2048, seed=0).repeat().batch(64).take(STEPS)
    progress = keras.utils.Progbar(STEPS)
    for x, y in batches:
        progress.add(1, [("loss", step(x, y))])
    step.close()
    return printed[0]
