"""Keeps TensorFlow's graph optimizer adding and multiplying in the order in which it does without recording.

The one invariant: an operation of the step whose result one other takes, and nobody else, still has one taker when it is recorded.

The optimizer makes `(a + c) + b` of `a + (b + c)` where that is cheaper, and puts constants together: a bias or a normalization in front of a
residual sum, `gelu` in front of a dropout. It does so only where nobody else looks at what is in between; another order rounds differently. So of
such an operation a copy is recorded, which computes the same number from the same inputs.

A sum of three or more begins with the one whose memory it may take over, which is that nobody else takes. So numbers that are summed up, as the parts
of a loss are, are computed once more for the copy. Of large tensors that costs too much, and another order shows in one of many elements, so that
steps that are compared tell; of a single number it may round the same for many steps.

A product of matrices is joined with its bias, and with the sum or the activation that takes it, into one operation that rounds once. No copy helps:
it would take the product. That shows in the first comparison, but where the result is cut down to float16, as behind a layer that is kept in float32
in a network of mixed precision, the difference may come late. So such a step is told (`is_joined`), and always runs on the side. These operations are
those of oneDNN. TensorFlow's own, which run on a CPU where oneDNN is off, add the bias and take the activation as if they were not joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

from tb_activations.capture.edges import OF_SHAPES
from tb_activations.capture.operations import is_ours

__all__ = ["is_joined", "joins_products", "leaving_the_order"]

_FUSED = (tf.float32, tf.bfloat16)
_REGROUPED = frozenset({"Add", "AddN", "AddV2", "Div", "Mul", "RealDiv", "Sub"})
_ADDING = frozenset({"Add", "AddV2"})
"""What a bias is added by where the user adds it himself."""
_SUMS = _ADDING | {"AddN"}
_RECTIFYING = frozenset({"Elu", "Relu", "Relu6"})
_JOINED = _SUMS | {"Elu", "Sigmoid", "Tanh"}
"""What a product with its bias is joined with to another effect: a ReLU rounds nothing, and with a convolution the last bits stayed the same."""
_PASSING_ON = frozenset({"Identity", "IdentityN", "StopGradient"})
_REDUCING = frozenset({"Max", "Mean", "Min", "Prod", "Sum"})


def leaving_the_order(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The same numbers, in the graph of a step that is complete. Takers of what is returned don't count as takers of ``tensors``."""
    copies: dict[tf.Operation, tf.Tensor] = {}
    return {key: _copy(tensor, copies) for key, tensor in tensors.items()}


def joins_products() -> bool:
    """Whether the operations into which products are joined here round otherwise. Of those of other devices than CPUs nothing is known."""
    return _pywrap_util_port.IsMklEnabled() or any(device.device_type != "CPU" for device in tf.config.list_logical_devices())


def is_joined(tensor: tf.Tensor) -> bool:
    """Whether ``tensor`` would never be made by itself, if it weren't recorded: a product with its bias, which one operation of the step takes.

    So it is, too, where a copy of ``tensor`` takes such a product, of which nothing else is recorded.
    """
    made = _made(tensor)
    return _is_joined(made) or _is_what_fails(made) or (_is_regrouped(made) and any(map(is_joined, made.op.inputs)))


def _is_joined(made: tf.Tensor) -> bool:
    """In float32: a number of fewer digits shows at once how often it was rounded."""
    if _is_biased_product(made.op, "DepthwiseConv2dNative"):  # at which, and a sum, the graph optimizer fails as in `_is_what_fails`
        return made.dtype in _FUSED and _is_taken_by_one(made, _SUMS)
    if not _is_biased_product(made.op):
        return False
    if made.dtype != tf.float32:
        return any(map(_is_what_fails, (output for taker in _takers(made) for output in taker.outputs)))
    return _is_taken_by_one(made, _JOINED) and not _is_spread(made)


def _is_what_fails(made: tf.Tensor) -> bool:
    """Whether ``made`` is a sum with a product that a ReLU takes: TensorFlow 2.21 fails to join these, and leaves the whole graph as it is.

    With the product or the sum recorded it doesn't fail, so that operations anywhere in the step are joined that aren't without recording.
    """
    if made.dtype not in _FUSED or made.op.type not in _SUMS or not _is_taken_by_one(made, _RECTIFYING):
        return False
    return any(_is_biased_product(_made(added).op) and _is_taken_by_one(_made(added), _SUMS) for added in made.op.inputs)


def _is_taken_by_one(made: tf.Tensor, types: frozenset[str]) -> bool:
    takers = _takers(made)
    return len(takers) == 1 and all(taker.type in types for taker in takers)


def _is_spread(made: tf.Tensor) -> bool:
    """Whether what takes ``made`` repeats it to get a larger shape, as the value of a state by the advantages of actions: then nothing is joined."""
    return any(not made.shape.is_compatible_with(output.shape) for taker in _takers(made) for output in taker.outputs)


def _is_biased_product(op: tf.Operation, product: str = "MatMul") -> bool:
    if op.type == "BiasAdd":
        return bool(_made(op.inputs[0]).op.type == product)
    return op.type in _ADDING and any(_made(one).op.type == product and other.shape.rank == 1 for one, other in permutations(op.inputs, 2))


def _made(tensor: tf.Tensor) -> tf.Tensor:
    """What is handed on as ``tensor``."""
    while _passes_on(tensor.op):
        tensor = tensor.op.inputs[tensor.value_index]
    return tensor


def _passes_on(op: tf.Operation) -> bool:
    """Whether ``op`` gives what it is given, so that the optimizer looks through it: metrics of Keras take the sum of a loss that is one number."""
    if op.type in _REDUCING:
        return bool(op.inputs[0].shape.rank == 0)
    if op.type == "Cast":
        return bool(op.inputs[0].dtype == op.outputs[0].dtype)
    if op.type == "Reshape":
        return bool(op.inputs[0].shape.is_fully_defined() and op.inputs[0].shape == op.outputs[0].shape)
    return op.type in _PASSING_ON


def _is_regrouped(tensor: tf.Tensor) -> bool:
    is_number = _is_computed_number(tensor)
    if is_ours(tensor.op.name) or not (tensor.op.type in _REGROUPED or is_number):
        return False
    takers = _takers(tensor)
    regrouping = [taker for taker in takers if taker.type in _REGROUPED]
    if is_number and any(taker.outputs[0].shape.rank == 0 for taker in regrouping):
        return True  # one that a metric takes as well: a sum takes over its memory if the metric is done with it
    return len(takers) == len(regrouping) == 1


def _is_computed_number(tensor: tf.Tensor) -> bool:
    """Whether ``tensor`` is a single number that an operation computes from what it is given, and from nothing else."""
    op = tensor.op
    is_alone = tensor.shape.rank == 0 and len(op.inputs) > 0 and len(op.outputs) == 1
    return is_alone and op.op_def is not None and not op.op_def.is_stateful and not any(attr.HasField("func") for attr in op.node_def.attr.values())


def _takers(tensor: tf.Tensor) -> set[tf.Operation]:
    """The step's own operations that need the number itself."""
    takers: set[tf.Operation] = set()
    for taker in tensor.consumers():
        if _passes_on(taker):
            takers.update(*(_takers(output) for output in taker.outputs if taker.inputs[output.value_index] is tensor))
        elif taker.type not in OF_SHAPES and not is_ours(taker.name):
            takers.add(taker)
    return takers


def _copy(tensor: tf.Tensor, copies: dict[tf.Operation, tf.Tensor]) -> tf.Tensor:
    """``tensor``, computed once more; what it is made of, too, where that must not have another taker either."""
    made = _made(tensor)
    if not _is_regrouped(made):
        return tensor
    op = made.op
    if op not in copies:
        inputs = [_copy(taken, copies) for taken in op.inputs]
        # The attribute tells the copy apart from the original: the optimizer makes one of two operations that are alike.
        with tf.device(op.device), tf.xla.experimental.jit_scope(compile_ops=False):
            copies[op] = op.graph.create_op(op.type, inputs, [tensor.dtype], attrs=dict(op.node_def.attr)).outputs[0]
    return copies[op]
