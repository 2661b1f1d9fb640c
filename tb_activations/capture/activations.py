"""Activation functions that layers of users compute themselves: operations of their `call`, which no layer or operation of Keras tells of.

The one invariant: it only reads the graph of the step. Only what leads to the output of the call counts, and only a function in its own right: those
that are part of another one (the tanh of a GELU, the two halves of a leaky ReLU, a hinge) say nothing about units.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from tb_activations.capture.recorder import Recorder

__all__ = ["Activation", "OwnCall", "activation_of", "activations_inside", "is_masked", "is_of_users", "is_other_than"]

_ACTIVATIONS = {"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Softmax": "softmax", "Tanh": "tanh"}
"""The operations whose values findings know how to judge."""

_MOST = 8
"""Of one call. More come out of a loop in Python, one for each time step, and are alike."""

_MOST_OF_STEP = 256

_SUMS = frozenset({"Add", "AddV2", "Sub"})
_PRODUCTS = frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Einsum", "MatMul"})
_PASSING = frozenset(
    ["Cast", "ExpandDims", "Identity", "IdentityN", "Pack", "Reshape", "Slice", "Split", "SplitV", "Squeeze", "StridedSlice", "Transpose", "Unpack"]
)

_MASKED = -1e4
"""A number that is added to scores, or put in their place, so that the softmax makes 0 of them. Masks of float16 have −1e4, others −1e9."""

_LARGEST_CONSTANT = 1_000_000


class OwnCall(NamedTuple):
    """A call of a layer whose `call` doesn't come with Keras. Its operations are those from number ``first`` to before number ``end``.

    Attributes:
      name: of the layer's node; "" for the model.
      outputs: what it returned; of a call that was noted the tensors.
    """

    name: str
    first: int
    end: int
    outputs: Any


class Activation(NamedTuple):
    """What is known of such an operation.

    Attributes:
      in_model: the model itself computes it, so that it stands beside the model's layers.
      batch: axis 0 counts examples.
      facts: attributes of its node.
    """

    name: str
    in_model: bool
    batch: bool
    facts: dict[str, Any]


def is_of_users(op: keras.Operation) -> bool:
    """Whether the `call` of a layer doesn't come with Keras."""
    owner = next((kind for kind in type(op).__mro__ if "call" in vars(kind)), keras.Layer)
    return owner.__module__.partition(".")[0] != "keras"


def activation_of(tensor: Any) -> str | None:
    """Name of the activation function that ``tensor`` was made by; eager tensors don't know."""
    made = getattr(tensor, "op", None)
    return _ACTIVATIONS.get(made.type) if made is not None and _stands_alone(made) else None


def is_other_than(activation: str | None, tensor: Any) -> bool:
    """Whether a layer that keeps this activation function gives something else: a sum or a product, as where a residual sum follows the function."""
    made = getattr(tensor, "op", None)
    return made is not None and activation in _ACTIVATIONS.values() and made.type in _SUMS | _PRODUCTS | {"AddN", "BiasAdd", "Mul"}


def is_masked(softmax: tf.Operation) -> bool:
    """Whether a softmax is told which entries count, by large negative numbers among what its scores are made of."""
    waiting, met = [softmax.inputs[0]], set[tf.Operation]()
    while waiting:
        op = waiting.pop().op
        if op in met or op.type in _PRODUCTS:
            continue
        met.add(op)
        if op.type == "Const" and _is_far_below(op.outputs[0]):
            return True
        waiting.extend(op.inputs)
    return False


def activations_inside(recorder: Recorder) -> dict[tf.Operation, Activation]:
    """The activation functions in the calls that ``recorder`` noted, by their operations, in the order in which these were made."""
    if recorder.graph is None or not recorder.own_calls:
        return {}
    made = {op: owner for op, owner in recorder.operations.innermost(recorder.graph) if op.type in _ACTIVATIONS}
    places = {op: place for place, op in enumerate(made)}
    operations = recorder.graph.get_operations()
    found: dict[tf.Operation, Activation] = {}
    for call in recorder.own_calls:
        if any(id(output) in recorder.producers for output in call.outputs):
            within = _within(call, operations)
            own = [op for op, owner in made.items() if op in within and owner == call.name and id(op.outputs[0]) not in recorder.producers]
            alone = [op for op in own if _stands_alone(op) and not _is_half_a_gate(op, within)]
            found.update({op: _describe(op, call, within) for op in alone[:_MOST]})
    return dict(sorted(found.items(), key=lambda item: places[item[0]])[:_MOST_OF_STEP])


def _within(call: OwnCall, operations: Sequence[tf.Operation]) -> frozenset[tf.Operation]:
    """The operations of a call that lead to its outputs."""
    made, found = set(operations[call.first : call.end]), set[tf.Operation]()
    waiting = [output.op for output in call.outputs]
    while waiting:
        op = waiting.pop()
        if op in made and op not in found:
            found.add(op)
            waiting.extend(source.op for source in op.inputs)
    return frozenset(found)


def _stands_alone(op: tf.Operation) -> bool:
    """Whether a function is one of its own: not `relu(-x)`, half of a leaky ReLU, nor `relu(1 - x)`, a hinge or a hat."""
    if not op.type.startswith("Relu"):
        return True
    given = op.inputs[0]
    is_negated = any(other.type == "Neg" for other in (given.op, *given.consumers()))
    return not is_negated and not (given.op.type in _SUMS and any(map(_is_number, given.op.inputs)))


def _is_half_a_gate(op: tf.Operation, within: Collection[tf.Operation]) -> bool:
    """Whether 1 is added to a tanh, as in a GELU: that makes a sigmoid of it."""
    return op.type == "Tanh" and any(taker.type in _SUMS and any(map(_is_one, taker.inputs)) for taker in _takers(op.outputs[0], within))


def _is_number(tensor: tf.Tensor) -> bool:
    return bool(tensor.op.type == "Const" and tensor.shape.rank == 0)


def _is_one(tensor: tf.Tensor) -> bool:
    return _is_number(tensor) and float(tf.get_static_value(tensor)) == 1.0


def _is_far_below(constant: tf.Tensor) -> bool:
    size = constant.shape.num_elements()
    if not constant.dtype.is_floating or not size or size > _LARGEST_CONSTANT:
        return False
    return bool(tf.get_static_value(constant).min() <= _MASKED)


def _takers(tensor: tf.Tensor, within: Collection[tf.Operation]) -> Iterator[tf.Operation]:
    """The operations that compute with the numbers of ``tensor``, also where these are put into another shape first."""
    for taker in tensor.consumers():
        if taker in within and taker.type in _PASSING:
            for passed in taker.outputs:
                yield from _takers(passed, within)
        elif taker in within:
            yield taker


def _describe(op: tf.Operation, call: OwnCall, within: Collection[tf.Operation]) -> Activation:
    shape = op.outputs[0].shape
    extents = {output.shape[0] for output in call.outputs if output.shape.rank}
    facts: dict[str, Any] = {"inside": call.name or "the model"}
    if op.type == "Sigmoid" and any(taker.type == "Mul" for taker in _takers(op.outputs[0], within)):
        facts["gate"] = True
    if op.type == "Softmax" and is_masked(op):
        facts["masked"] = True
    if not _meets_a_product(op, within):
        facts["last"] = True
    return Activation(_ACTIVATIONS[op.type], not call.name, bool(shape.rank and (shape[0] is None or shape[0] in extents)), facts)


def _meets_a_product(op: tf.Operation, within: Collection[tf.Operation]) -> bool:
    """Whether a matrix is multiplied by it, or what is made of it, before the call returns."""
    waiting, met = [op], {op}
    while waiting:
        following = {taker for output in waiting.pop().outputs for taker in output.consumers() if taker in within} - met
        if any(taker.type in _PRODUCTS for taker in following):
            return True
        met |= following
        waiting.extend(following)
    return False
