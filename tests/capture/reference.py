"""Another way to the same numbers: the model runs eagerly, its layers' outputs are kept, and a tape is asked for the gradients directly."""

from __future__ import annotations

import keras
import tensorflow as tf

from tb_activations.capture.structure import Structure


def reference(model, x, y, loss=None):
    """Values and gradients of every call of every layer, and of every weight, as {name: array}."""
    values, calls = {}, {}
    original = keras.Operation.__call__
    structure = Structure(model)

    def keeping(op, *args, **kwargs):
        outputs = original(op, *args, **kwargs)
        name = structure.name_of(op, "")
        calls[name] = calls.get(name, 0) + 1
        if tf.is_tensor(outputs) and op is not model:
            outputs = tf.identity(outputs)
            values[name if calls[name] == 1 else f"{name}@{calls[name]}"] = outputs
        return outputs

    recompute = tf.recompute_grad
    keras.Operation.__call__, tf.recompute_grad = keeping, lambda function: function  # nothing to recompute: the tape sees all
    try:
        with tf.GradientTape(persistent=True) as tape:
            predicted = model(tf.nest.map_structure(tf.constant, x), training=True)
            total = model.compute_loss(x, y, predicted)
    finally:
        keras.Operation.__call__, tf.recompute_grad = original, recompute
    gradients = {name: tape.gradient(total, value) for name, value in values.items() if value.dtype.is_floating}
    for name, weight, _ in structure.owners():
        values[name] = tf.convert_to_tensor(weight.value)
        if weight.trainable:
            gradients[name] = tape.gradient(total, weight.value)
    return values, {name: gradient for name, gradient in gradients.items() if gradient is not None}, float(total)
