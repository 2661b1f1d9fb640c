"""A small model with a dropout, and batches for it."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

L = keras.layers


def batches(count, seed=0):
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield tf.constant(random.normal(size=(8, 3)), tf.float32), tf.constant(random.normal(size=(8, 1)), tf.float32)


def make_model():
    keras.utils.set_random_seed(4)
    layers = [L.Input((3,)), L.Dense(4, activation="tanh", name="hidden"), L.Dropout(0.3, seed=2, name="drop"), L.Dense(1, name="out")]
    return keras.Sequential(layers, name="tiny")
