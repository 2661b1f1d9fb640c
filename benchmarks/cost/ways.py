"""The ways of training that are compared: without anything, with this project in its modes, and with what else there is to see inside.

The one invariant: all of them train the same model on the same data, and what sees inside does so at every step.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import models
import numpy as np
import tensorflow as tf
from modes import MODES

import tb_activations as tba

_DEBUGGER = "Debugger V2 "


class Way(NamedTuple):
    """How a model is compiled and which callbacks `fit` gets."""

    compile: dict[str, bool]
    callbacks: list[keras.callbacks.Callback]


def way(name, directory):
    """Makes a way of training ready in this process; Debugger V2 changes TensorFlow for all of it."""
    if name.startswith(_DEBUGGER):
        tf.debugging.experimental.enable_dump_debug_info(directory, name.removeprefix(_DEBUGGER), circular_buffer_size=-1)
    if MODES.get(name) is not None:
        return Way({}, [tba.ActivationsCallback(directory, print_findings=False, **MODES[name])])
    return {
        "TensorBoard weight histograms": lambda: Way({}, [WeightHistograms(directory, histogram_freq=1, write_graph=False)]),
        "run_eagerly": lambda: Way({"run_eagerly": True}, []),
        "second forward pass": lambda: Way({}, [SecondForwardPass()]),
    }.get(name, lambda: Way({}, []))()


class WeightHistograms(keras.callbacks.TensorBoard):
    """Keras's own callback, made to write histograms of all weights at every step."""

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        self._log_weights(batch)


class SecondForwardPass(keras.callbacks.Callback):
    """What is done without a plugin: a second model of all outputs, run beside the training. It has no gradients."""

    def on_train_begin(self, logs=None):
        outputs = keras.Model(self.model.inputs, [layer.output for layer in self.model.layers])
        self._batch = tf.random.normal([models.BATCH, *self.model.input_shape[1:]])
        self._pass = tf.function(lambda x: [(tf.reduce_mean(y), tf.math.reduce_std(y)) for y in outputs(x, training=False)], autograph=False)

    def on_train_batch_begin(self, batch, logs=None):
        tf.nest.map_structure(np.asarray, self._pass(self._batch))
