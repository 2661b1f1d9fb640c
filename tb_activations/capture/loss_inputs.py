"""What a loss takes the numbers for that it is given: logits, which it makes probabilities of itself, or probabilities.

The one invariant: it only reads the graph of the step, so it holds for losses of Keras, of TensorFlow and of users alike. What a loss clips to lie
between (nearly) 0 and (nearly) 1 it takes for probabilities; what it divides by its sum before, for shares of a whole. A difference, or
a product, of [n] and [n, 1] is [n, n]: each example's with all others. A share of a single class is 1, whatever it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import tensorflow as tf

from tb_activations.capture.edges import inputs_of, producing_nodes, walk_back

__all__ = ["taken_for"]

NEAR = 0.01
"""How far from 0 and 1 the ends lie between which probabilities are clipped; Keras takes 1e-7. The upper one may be 1 itself (a divergence has no
logarithm of 1 − p), the lower one isn't 0: it is there for a logarithm."""

_SHAPING = frozenset({"Reshape", "Squeeze", "ExpandDims", "Identity", "Cast", "Transpose", "ConcatV2", "Pack"})
_PAIRED = frozenset({"Sub", "SquaredDifference", "Mul"})
"""What compares outputs with targets: differences, and products with logarithms."""
_OF_A_LENGTH = frozenset({"Sum", "Sqrt", "Rsqrt", "Maximum", "Minimum", "AddV2", "Reshape", "Identity"})
"""What makes a length of squares, or one over it."""
_GIVEN = frozenset({"Placeholder", "IteratorGetNext"})
"""What gives a step the numbers of the program."""
_OF_LOGITS = frozenset({"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"})


def taken_for(loss: tf.Tensor, producers: Mapping[int, str], logits: Mapping[int, str], itself: str) -> dict[str, list[str]]:
    """Names of nodes whose value goes as it is into `loss`, by what it is taken for: "logits", "probabilities", "shares"; as "yes_or_no" what is
    compared with targets between 0 and 1, each for itself and counted as it is; as "single" what is made a share of a single class; as "whole" logits
    that are compared with shares of a whole; as "directions"
    what is divided by its length, and as "signs" single numbers that are; as "relative" what differences from targets are divided by the size of
    those; and as "crossed" what is compared with the targets of all examples of a batch."""
    found: dict[str, dict[str, None]] = {}
    path = list(walk_back(loss, producers, itself))
    for op in path:
        found.setdefault("crossed", {}).update(dict.fromkeys(_crossed(op, producers, itself)))
        for meaning, tensor in _readings(op):
            if meaning == "yes_or_no" and _is_weighted(op, frozenset(path), producers, itself):
                continue
            name = _maker(tensor, producers, itself)
            if name is None and meaning in ("yes_or_no", "single", "whole"):
                name = _maker(tensor, logits, itself)  # taken before the sigmoid of that node
            if name is not None:
                found.setdefault(meaning, {}).setdefault(name)
    return {meaning: list(names) for meaning, names in found.items() if names}


def _readings(op: tf.Operation) -> Iterator[tuple[str, tf.Tensor]]:
    if op.type in _OF_LOGITS:
        yield "logits", op.inputs[0]
        if op.type == "SoftmaxCrossEntropyWithLogits":
            yield "whole", op.inputs[0]
        if _classes(op.inputs[0]) == 1:
            yield "single", op.inputs[0]
    elif op.type == "GreaterEqual" and "logistic_loss" in op.name:
        yield "logits", op.inputs[0]
        yield "yes_or_no", op.inputs[0]
    elif op.type in ("Mul", "RealDiv", "DivNoNan"):
        for own, other in zip(op.inputs, reversed(op.inputs), strict=True):
            if _is_length(other, own):
                yield "directions", own
                if own.shape[-1:] == [1] and _are_of_one_shape(own, other):
                    yield "signs", own
        yield from (("relative", own) for own in _over_their_targets(op))
    elif op.type == "Maximum" and _is_near(op.inputs[1], 0):
        inner = op.inputs[0].op
        if inner.type == "Minimum" and (_is_near(inner.inputs[1], 1) or tf.get_static_value(inner.inputs[1]) == 1):
            divided = inner.inputs[0].op
            if divided.type in ("RealDiv", "DivNoNan") and divided.inputs[1].op.type == "Sum":
                yield "shares", divided.inputs[0]
                if divided.inputs[0].shape[-1] == 1 and _are_of_one_shape(*divided.inputs):
                    yield "single", divided.inputs[0]
            else:
                yield "probabilities", inner.inputs[0]
                if any(after.type == "Sub" and after.inputs[1] is op.outputs[0] for after in op.outputs[0].consumers()):
                    yield "yes_or_no", inner.inputs[0]  # p and 1 − p


def _over_their_targets(op: tf.Operation) -> Iterator[tf.Tensor]:
    """Numbers whose differences from targets are divided by the size of these, which is kept away from 0."""
    least = op.inputs[1].op
    if op.type == "RealDiv" and least.type == "Maximum" and least.inputs[0].op.type == "Abs" and _is_near(least.inputs[1], 0):
        difference = op.inputs[0].op
        pair = difference.inputs if difference.type == "Sub" else ()
        yield from (own for own, other in zip(pair, reversed(pair), strict=True) if other is least.inputs[0].op.inputs[0])


def _is_length(tensor: tf.Tensor, vectors: tf.Tensor) -> bool:
    """Whether numbers are the lengths of vectors, or one over them: a root of a sum of their squares, kept away from 0."""
    op = tensor.op
    if op.type in ("Square", "Mul"):
        return all(source is vectors for source in op.inputs)
    return op.type in _OF_A_LENGTH and any(_is_length(source, vectors) for source in op.inputs)


def _is_weighted(op: tf.Operation, path: Set[tf.Operation], producers: Mapping[int, str], itself: str) -> bool:
    """Whether the cross entropy of logits that begins with ``op`` is multiplied by numbers of the program, or of a node, on its way to the loss:
    advantages are, and may be negative."""
    ends = [made for made in path if made.name == op.name.rpartition("/")[0]]
    met = set(ends)
    while ends:
        for output in ends.pop().outputs:
            for after in output.consumers():
                if after not in path or after in met:
                    continue
                others = [other for other in after.inputs if other is not output] if after.type == "Mul" else []
                if any(producing_nodes(other, producers, itself) or any(True for _ in _given(other, producers, itself)) for other in others):
                    return True
                met.add(after)
                ends.append(after)
    return False


def _given(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> Iterator[tf.Tensor]:
    """The floats that a step was given and that have a part in a tensor, or came with those."""
    made = (output for op in walk_back(tensor, producers, itself) if op.type in _GIVEN for output in op.outputs)
    return (output for output in made if output.dtype.is_floating)


def _classes(logits: tf.Tensor) -> int | None:
    """Extent of the last axis, which TensorFlow keeps, though not in the shape it knows of, where it makes one of all others."""
    flattened = logits.op.type == "Reshape" and inputs_of(logits)[1].op.type == "ConcatV2"
    classes: int | None = (inputs_of(logits)[0] if flattened and logits.shape[-1] is None else logits).shape[-1]
    return classes


def _are_of_one_shape(shares: tf.Tensor, total: tf.Tensor) -> bool:
    """Whether numbers and their sums have the same shape, as those of a single number have."""
    return bool(shares.shape.as_list() == total.shape.as_list())


def _crossed(op: tf.Operation, producers: Mapping[int, str], itself: str) -> Iterator[str]:
    """The nodes of which numbers of shape [n, 1] or [n] come that meet targets of shape [n] or [n, 1].

    Differences of examples with one another have a node on both sides; those from numbers of the program (centres, quantiles) are of another extent.
    """
    if op.type in _PAIRED and _crosses(*(source.shape for source in op.inputs)):
        for own, other in (op.inputs, reversed(op.inputs)):
            nodes = producing_nodes(own, producers, itself)
            if nodes and _is_target(other, frozenset(nodes), producers, itself):
                yield from nodes


def _is_target(tensor: tf.Tensor, answers: Set[str], producers: Mapping[int, str], itself: str) -> bool:
    """Whether numbers are what answers are to be: none of a node, or those of other nodes with numbers of the program in them, as rewards are in what
    a state is worth."""
    nodes = producing_nodes(tensor, producers, itself)
    if not nodes:
        return tf.get_static_value(tensor) is None
    return not answers & set(nodes) and any(output.shape.rank for output in _given(tensor, producers, itself))


def _crosses(*shapes: tf.TensorShape) -> bool:
    """Whether one shape is [n] and the other one [n, 1], of a batch that may have more than one example."""
    if {shape.rank for shape in shapes} != {1, 2}:
        return False
    row, column = (shape.as_list() for shape in sorted(shapes, key=len))
    return bool(column[1] == 1 and row[0] == column[0] and row[0] != 1)


def _is_near(bound: tf.Tensor, end: float) -> bool:
    value = tf.get_static_value(bound)
    return value is not None and value.ndim == 0 and 0 < abs(float(value) - end) <= NEAR


def _maker(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> str | None:
    """The node whose value a tensor is, whatever its shape."""
    name = producers.get(id(tensor))
    while (name is None or name == itself) and (tensor.op.type in _SHAPING or _takes_the_only_unit(tensor.op)) and len(inputs_of(tensor)):
        tensor = inputs_of(tensor)[0]
        name = producers.get(id(tensor))
    return None if name == itself else name


def _takes_the_only_unit(op: tf.Operation) -> bool:
    """Whether it is `outputs[:, 0]` (or `outputs[..., 0]`) of a single unit: all its numbers, without the last axis."""
    if op.type != "StridedSlice" or op.inputs[0].shape.rank is None or op.inputs[0].shape[-1] != 1:
        return False
    given = op.inputs[1].shape[0] or 0
    kept = (op.get_attr("begin_mask") & op.get_attr("end_mask")) | op.get_attr("ellipsis_mask")
    is_whole = given == op.inputs[0].shape.rank or op.get_attr("ellipsis_mask")
    return bool(given and is_whole and op.get_attr("shrink_axis_mask") == 1 << given - 1 and kept == (1 << given - 1) - 1)
