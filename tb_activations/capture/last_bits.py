"""Whether a traced step may end in other last bits for being recorded.

The one invariant: the graph is only read; a needless yes costs time, a wrong no costs the promise of this package. Known causes:

* The gradient of a tensor that several operations use is the sum of what flows back from each. What comes after a tap uses what the tap gives; but
  the layer that made the tensor, or a model that hands on what a layer of it gave, may use the tensor itself: then the tap adds up its part first.
* TensorFlow's graph optimizer joins an operation with the one that uses its result, where nothing else wants that result: factors are multiplied
  first, sums are added in another order, an activation becomes part of the multiplication of matrices before it. What is recorded is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import tensorflow as tf

from tb_activations.capture.operations import SCOPE

__all__ = ["may_differ"]

_OURS = re.compile(rf"(^|/){SCOPE}(_\d+)?/")
_GRADIENTS = re.compile(r"(^|/)gradient_tape(_\d+)?/")

_NOT_DIFFERENTIATED = frozenset(
    {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "StopGradient", "ArgMax", "Greater", "Equal", "NotEqual"}
)

_ARITHMETIC = frozenset({"Add", "AddV2", "AddN", "Sub", "Neg", "Mul", "RealDiv", "Div", "Square", "Sqrt", "Rsqrt", "Exp", "Log"})
_ACTIVATIONS = frozenset({"Elu", "Selu", "Tanh", "Sigmoid", "Softplus", "Softmax", "Erf"})
"""Those that are approximated. Where a ReLU is computed makes no difference."""
_CONTRACTIONS = frozenset({"MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "BiasAdd"})
_AFTER_CONTRACTIONS = _ACTIVATIONS | {"BiasAdd", "Add", "AddV2", "Mul", "FusedBatchNormV3"}


def _are_joined(first: str, second: str) -> bool:
    """Whether the graph optimizer may make one operation of two, the second of which is the only one that uses the first."""
    if first in _ARITHMETIC | _ACTIVATIONS:
        return second in _ARITHMETIC | _ACTIVATIONS
    return (first in _CONTRACTIONS and second in _AFTER_CONTRACTIONS) or (first == "Pad" and second in _CONTRACTIONS)


def may_differ(taps: Iterable[tuple[tf.Tensor, tf.Tensor]], recorded: Iterable[tf.Tensor]) -> bool:
    """Whether one of the causes is met.

    Args:
      taps: each tensor that was tapped, and what took its place.
      recorded: the tensors of the step's graph that are recorded.
    """
    after: dict[int, tuple[tf.Tensor, list[tf.Tensor]]] = {}
    for tensor, tapped in taps:
        after.setdefault(id(tensor), (tensor, []))[1].append(tapped)

    def users(tensor: tf.Tensor) -> Iterator[tf.Operation]:
        """The operations that would use ``tensor`` if there were no taps."""
        yield from (op for op in tensor.consumers() if not _OURS.search(op.name))
        for tapped in after.get(id(tensor), (tensor, []))[1]:
            yield from users(tapped)

    def is_regrouped(tensor: tf.Tensor, tapped: list[tf.Tensor]) -> bool:
        direct = [op for op in tensor.consumers() if not _OURS.search(op.name) and _is_differentiated(op)]
        # Of two parts the order doesn't matter.
        return len(direct) + len(tapped) > 1 and sum(map(_is_differentiated, users(tensor))) > 2

    def alone(tensor: tf.Tensor) -> str:
        """The type of the one operation that uses ``tensor``; "" where there are more."""
        types = {op.name: op.type for op in users(tensor)}
        return next(iter(types.values())) if len(types) == 1 else ""

    return any(is_regrouped(tensor, tapped) for tensor, tapped in after.values()) or any(
        _are_joined(_maker(tensor).type, alone(tensor)) for tensor in recorded
    )


def _maker(tensor: tf.Tensor) -> tf.Operation:
    """The operation that made ``tensor``; a tap of ours only handed it on."""
    op = tensor.op
    while _OURS.search(op.name) and op.inputs:
        op = op.inputs[0].op
    return op


def _is_differentiated(op: tf.Operation) -> bool:
    return op.type not in _NOT_DIFFERENTIATED and not _GRADIENTS.search(op.name)
