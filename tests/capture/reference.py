"""Another way to the same numbers: the model runs eagerly, its layers' outputs are kept, and a tape is asked for the gradients directly."""

from __future__ import annotations

import keras
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.structure import Structure


def reference(model, x, y):
    """Values and gradients of every output of every call of every layer, of every probe and of every weight, as {name: array}, and the loss."""
    values, calls, scopes = {}, {}, [""]
    original = keras.Operation.__call__
    structure = Structure(model)

    def kept(name, outputs):
        calls[name] = calls.get(name, 0) + 1
        numbered = name if calls[name] == 1 else f"{name}@{calls[name]}"
        leaves = [copied(leaf) for leaf in tf.nest.flatten(outputs)]
        values.update({numbered + key: leaf for key, leaf in zip(keys(outputs), leaves, strict=True)})
        return tf.nest.pack_sequence_as(outputs, leaves)

    def keeping(op, *args, **kwargs):
        name = "" if op is model else structure.name_of(op, "")
        scopes.append(name + "/" if name else "")
        outputs = original(op, *args, **kwargs)
        scopes.pop()
        return kept(name, outputs) if op is not model and all(map(tf.is_tensor, tf.nest.flatten(outputs))) else outputs

    for name, weight, _ in structure.owners():
        values[name] = tf.identity(weight.value)
    recompute, probe = tf.recompute_grad, tba.probe
    keras.Operation.__call__, tf.recompute_grad = keeping, lambda function: function  # nothing to recompute: the tape sees all
    tba.probe = lambda x, name: kept(scopes[-1] + name, x)
    try:
        with tf.GradientTape(persistent=True) as tape:
            predicted = model(tf.nest.map_structure(tf.constant, x), training=True)
            total = model.compute_loss(x, y, predicted)
    finally:
        keras.Operation.__call__, tf.recompute_grad, tba.probe = original, recompute, probe
    sources = dict(values) | {name: weight.value for name, weight, _ in structure.owners() if weight.trainable}
    gradients = {name: tape.gradient(total, source) for name, source in sources.items() if source.dtype.is_floating}
    return values, {name: gradient for name, gradient in gradients.items() if gradient is not None}, float(total)


def copied(leaf):
    """A tensor of its own to differentiate by, from which Keras' losses still know the logits."""
    copy = tf.identity(leaf)
    if hasattr(leaf, "_keras_logits"):
        copy._keras_logits = leaf._keras_logits
    return copy


def keys(outputs):
    """What the names of a call's outputs end in: nothing for the first, its place for each other."""
    if isinstance(outputs, dict):
        return ["" if index == 0 else f":{key}" for index, key in enumerate(sorted(outputs))]
    return ["" if index == 0 else f":{index}" for index in range(len(tf.nest.flatten(outputs)))]
