"""Which part each node of a run plays: what is a kernel, a table, an output, and which kernels come before or beside one another.

The one invariant: facts follow from the graph alone, never from recorded numbers, so they hold for the whole life of a graph.
"""

from __future__ import annotations

import math
import re
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import closure, members, union
from tb_activations.diagnosis.flow import Flow, Rows, path_of
from tb_activations.diagnosis.kinds import (
    FACTORS,
    MASKING,
    MODELS,
    NORMALIZATIONS,
    OFFSETS,
    RECURRENT,
    TRANSPARENT,
    UNITS,
    WEIGHTED,
    is_float,
    is_of_users,
)
from tb_activations.store.nodes import Node

__all__ = ["Facts"]

MOST_NODES = 20_000
"""Nodes of the largest graph that rules look at: who depends on whom then takes some 100 MB."""

MOST_KERNELS = 4_096
"""Kernels of such a graph: their gradients are compared in pairs."""

_KERNEL_NAME = re.compile(r"(.*_)?kernel|w|w_?\d+|w_[a-z]+|weights?|weight_matrix|matrix", re.IGNORECASE)
"""Names of weights that a layer multiplies its input by, in Keras and in layers of users."""

_NO_KERNEL_NAME = re.compile(r"bias|gamma|beta|scale|lora|emb|pos|token|code|cent|proto", re.IGNORECASE)
"""Parts of names of weights that are no kernel, whatever their shape."""


class Facts(Flow):
    """Facts about the nodes of one graph."""

    @cached_property
    def problem(self) -> str | None:
        """Why no rule looks at this graph; None: they do."""
        if len(self.nodes) > MOST_NODES:
            return f"The graph has {len(self.nodes):,} nodes: no rule looks at more than {MOST_NODES:,}. List fewer operations by means of `ops=`."
        if len(self.kernels) > MOST_KERNELS:
            return f"The graph has {len(self.kernels):,} kernels: no rule looks at more than {MOST_KERNELS:,}."
        return None

    @cached_property
    def kernels(self) -> Rows:
        """Trainable weight matrices and filters: what a layer multiplies its input by. No bias, scale, table or low-rank adapter.

        In a layer of a user a weight may have any name, or none; that it takes in as many numbers as come in tells.
        """
        trained = [row for row in self.variables.tolist() if self.nodes[row].trainable is not False]
        return np.array([row for row in trained if _is_kernel(self.nodes[row]) or self._fits_its_input(row)], np.int64)

    @cached_property
    def changing(self) -> int:
        """Bit set of the layer calls with a kernel that an optimizer changes."""
        return union(1 << place for kernel in self.kernels.tolist() if self.is_recorded(kernel, "update") for place in self.places(kernel))

    @cached_property
    def trained_in_vain(self) -> tuple[int, ...]:
        """The kernels that an optimizer changes, where no loss depends on anything that it changes; else none."""
        changed = [row for row in self.variables.tolist() if self.is_recorded(row, "update")]
        if not len(self.losses) or any(self.reaches_loss(place) for row in changed for place in self.places(row)):
            return ()
        return tuple(np.intersect1d(self.kernels, changed).tolist())

    @cached_property
    def output_kernels(self) -> Rows:
        """Those of `kernels` after which no weights come."""
        return np.array([row for row in self.kernels.tolist() if self.is_output(row)], np.int64)

    def _fits_its_input(self, variable: int) -> bool:
        node, owner = self.nodes[variable], self.owners[variable]
        shape = node.shape or ()
        if len(shape) < 2 or owner is None or _NO_KERNEL_NAME.search(node.name.rsplit("/", 1)[-1]):
            return False
        class_name = self.nodes[owner].class_name
        if class_name in NORMALIZATIONS or class_name in WEIGHTED or class_name == "Embedding":
            return False
        return shape[-2] != 1 and any(self.takes_in(variable, source) for source in self.inputs[owner])

    def takes_in(self, kernel: int, source: int) -> bool:
        """Whether a kernel has as many rows as the output of ``source`` has numbers."""
        shape, given = self.nodes[kernel].shape or (), self.nodes[source].shape or ()
        return len(shape) >= 2 and len(given) >= 1 and given[-1] == shape[-2]

    @cached_property
    def kernel_layers(self) -> int:
        """Bit set of the layer calls that own a kernel."""
        return union(1 << place for kernel in self.kernels.tolist() for place in self.places(kernel))

    def is_frozen(self, row: int) -> bool:
        """Whether a node is computed with kernels, and no step trains anything that it is computed with."""
        before = self.upstream[row] | 1 << self.inside.get(row, row)
        return bool(before & self._frozen_layers) and not before & self._trained_layers

    def is_counted(self, row: int) -> bool:
        """Whether a node is made of the data without any kernel, and not differentiated: a length, a position, which others may be told by."""
        is_cut = self.reason(row, "gradient") in ("gradient_stopped", "non_differentiable")
        return is_cut and not (self.upstream[row] | 1 << row) & self.kernel_layers

    @cached_property
    def _frozen_layers(self) -> int:
        frozen = [row for row in self.variables.tolist() if self.nodes[row].trainable is False and _is_kernel(self.nodes[row])]
        return union(1 << place for row in frozen for place in self.places(row))

    @cached_property
    def _trained_layers(self) -> int:
        trained = [row for row in self.variables.tolist() if self.nodes[row].trainable is not False]
        return union(1 << place for row in trained for place in self.places(row))

    @cached_property
    def scaled(self) -> Rows:
        """What comes out of layers and operations, but where masks put large negative numbers."""
        return np.array([row for row in self.computed.tolist() if self.nodes[row].class_name not in MASKING], np.int64)

    @cached_property
    def scaled_back(self) -> frozenset[int]:
        """What brings the output of the last weights into the unit of the targets: a `Rescaling`, or a product with a constant and a sum with one."""
        return frozenset(row for loss in self.losses.tolist() for output in self.inputs[loss] for row in self._ways_back(output))

    def made_by(self, row: int) -> int:
        """The layer inside of models whose output is theirs."""
        while self.nodes[row].class_name in MODELS and len(self.inputs[row]) == 1:
            row = self.inputs[row][0]
        return row

    def bias_of(self, row: int) -> int | None:
        """The bias among the weights of a layer."""
        return next((own for own in self.owned.get(row, ()) if self.names[own].endswith("bias")), None)

    def may_mask(self, row: int) -> bool:
        """Whether a node may put large negative numbers where something must not be chosen. A layer of a user may hold any operation."""
        node = self.nodes[self.made_by(row)]
        return node.class_name in MASKING or (node.kind == "layer" and is_of_users(node.class_name))

    def _ways_back(self, row: int) -> list[int]:
        """The nodes from an output back to the last weights, where they do no more than that; else none."""
        way, classes = [], set()
        while row not in self.owned or self.nodes[row].class_name in UNITS | MODELS:
            name = self.nodes[row].class_name
            if len(self.inputs[row]) != 1 or name not in UNITS | FACTORS | OFFSETS | TRANSPARENT | MODELS:
                return []
            way.append(row)
            classes.add(name)
            row = self.inputs[row][0]
        return way if classes & UNITS or (classes & FACTORS and classes & OFFSETS) else []

    @cached_property
    def computed(self) -> Rows:
        """What comes out of layers and operations, as floating-point numbers."""
        return self.select(lambda node: _is_inside(node) and is_float(node.dtype))

    @cached_property
    def recurrences(self) -> dict[int, tuple[int, int]]:
        """For each of `kernels` (its position) by which a recurrent layer multiplies its input: the node of the layer and of that input."""
        found = {}
        for position, kernel in enumerate(self.kernels.tolist()):
            place = self.places(kernel)[0]
            reads_input = not self.names[kernel].endswith("recurrent_kernel")
            is_recurrent = self.nodes[place].class_name in RECURRENT or self._is_recurrence_by_hand(kernel, place)
            if reads_input and is_recurrent and self.inputs[place]:
                found[position] = (place, self.inputs[place][0])
        return found

    def _is_recurrence_by_hand(self, kernel: int, place: int) -> bool:
        """Whether a kernel takes in a sequence in a layer of a user that gives one state, and has another kernel that makes states of states."""
        node, sources = self.nodes[place], self.inputs[place]
        if not is_of_users(node.class_name) or len(sources) != 1 or len(node.shape or ()) != 2 or len(self.nodes[sources[0]].shape or ()) != 3:
            return False
        units = (node.shape or (0,))[-1]
        shapes = [self.nodes[other].shape for other in self.owned.get(place, ()) if other != kernel and self.nodes[other].trainable]
        return self.takes_in(kernel, sources[0]) and (self.nodes[kernel].shape or (0,))[-1] == units and (units, units) in shapes

    @cached_property
    def siblings(self) -> Rows:
        """For each of `kernels` all variables of its layer, [kernels, most]; where there are fewer, the kernel itself."""
        found = [self.owned.get(self.places(kernel)[0], (kernel,)) for kernel in self.kernels.tolist()]
        most = max(map(len, found), default=1)
        return np.array([(*own, *[kernel] * (most - len(own))) for own, kernel in zip(found, self.kernels.tolist(), strict=True)], np.int64)

    @cached_property
    def _kernels_at(self) -> dict[int, int]:
        """For each node that applies kernels a bit set of their positions among `kernels`."""
        at: dict[int, int] = {}
        for position, kernel in enumerate(self.kernels.tolist()):
            for place in self.places(kernel):
                at[place] = at.get(place, 0) | 1 << position
        return at

    @cached_property
    def _kernels_after(self) -> tuple[int, ...]:
        """For each of `kernels` a bit set of the positions, among them, of those that come later towards the loss."""
        at = self._kernels_at
        below = closure(self.consumers, [at.get(index, 0) for index in range(len(self.nodes))])
        return tuple(
            union(below[place] for place in self.places(kernel)) & ~(1 << position) & self._group(kernel)
            for position, kernel in enumerate(self.kernels.tolist())
        )

    @cached_property
    def later_kernels(self) -> tuple[tuple[int, ...], ...]:
        """For each of `kernels` the positions of those that come next towards the loss; what comes after those is left out."""
        at = self._kernels_at
        marks = [at.get(index, 0) for index in range(len(self.nodes))]
        following = closure([() if index in at else targets for index, targets in enumerate(self.consumers)], marks)
        found = []
        for kernel in self.kernels.tolist():
            places = self.places(kernel)
            reached = union(marks[target] | following[target] for place in places for target in self.consumers[place])
            own = union(marks[place] for place in places)  # a layer that is called again comes after itself
            found.append(tuple(members(reached & ~own & self._group(kernel))))
        return tuple(found)

    @cached_property
    def kernels_not_after(self) -> npt.NDArray[np.float32]:
        """For each of `kernels` (row) which others stand before or beside it, [kernels, kernels] of 0 and 1."""
        table = np.zeros((len(self.kernels), len(self.kernels)), np.float32)
        for row, (kernel, after) in enumerate(zip(self.kernels.tolist(), self._kernels_after, strict=True)):
            table[row, list(members(self._group(kernel) & ~after & ~(1 << row)))] = 1
        return table

    @cached_property
    def tables(self) -> Rows:
        """Trained weights with rows that are no kernels: tables of words, of positions."""
        kernels = set(self.kernels.tolist())
        trained = [row for row in self.variables.tolist() if self.nodes[row].trainable is not False and row not in kernels]
        return np.array([row for row in trained if len(self.nodes[row].shape or ()) == 2 and not self.names[row].endswith("bias")], np.int64)

    @cached_property
    def tables_not_after(self) -> npt.NDArray[np.bool_]:
        """For each of `kernels` which of `tables` stand before or beside it, [kernels, tables]."""
        places = [union(1 << place for place in self.places(table)) for table in self.tables.tolist()]
        after = [union(self.downstream[place] for place in self.places(kernel)) for kernel in self.kernels.tolist()]
        return np.array([[not place & below for place in places] for below in after], np.bool_).reshape(len(after), len(places))

    def _group(self, variable: int) -> int:
        """Bit set of the `kernels` whose gradients can be compared with that of ``variable``: with several losses, those of the same part of the
        model."""
        return self._groups[self._part(variable)]

    @cached_property
    def _groups(self) -> dict[str, int]:
        groups: dict[str, int] = {}
        for position, kernel in enumerate(self.kernels.tolist()):
            groups[self._part(kernel)] = groups.get(self._part(kernel), 0) | 1 << position
        return groups

    def _part(self, variable: int) -> str:
        return self.names[variable].split("/")[0] if len(self.losses) > 1 else ""

    def is_output(self, index: int) -> bool:
        """Whether no weights come after the node: it is what the loss is computed from. Inside a layer of a user nobody can tell weights from other
        tensors, so there whatever is multiplied by a matrix is none."""
        if index in self.inside and not self.nodes[index].attributes.get("last"):
            return False
        return all(not self.downstream[place] & self.kernel_layers & ~self._same_layer(place) for place in self.places(index))

    def _same_layer(self, place: int) -> int:
        """Bit set of the node and of the layers that contain it, whose output may be the same tensor."""
        names = path_of(self.nodes[place]).split("/")
        return union(self._containers.get("/".join(names[:depth]), 0) for depth in range(1, len(names) + 1))

    @cached_property
    def _containers(self) -> dict[str, int]:
        """For each path of a layer that owns a kernel the bit set of its calls."""
        containers: dict[str, int] = {}
        for index in self.flow.tolist():
            if self.kernel_layers >> index & 1:
                path = path_of(self.nodes[index])
                containers[path] = containers.get(path, 0) | 1 << index
        return containers

    def fan_in(self, index: int) -> int:
        """Numbers that one output of a kernel is a sum of. Of an `EinsumDense` (queries and keys of attention) those are the first axes, as many as
        end the input too."""
        shape = [extent or 1 for extent in self.nodes[index].shape or ()]
        place = self.places(index)[0]
        if self.nodes[place].class_name == "EinsumDense" and self.inputs[place]:
            given = self.nodes[self.inputs[place][0]].shape or ()
            summed = next((axes for axes in range(len(shape) - 1, 0, -1) if given[-axes:] == tuple(shape[:axes])), len(shape) - 1)
            return max(1, math.prod(shape[:summed]))
        if self.names[index].endswith("depthwise_kernel") or self.nodes[place].class_name.startswith("Depthwise"):
            return max(1, math.prod(shape[:-2]))
        return max(1, math.prod(shape[:-1]))

    def fan_out(self, index: int) -> int:
        """Numbers that one input of a kernel is a part of."""
        shape = [extent or 1 for extent in self.nodes[index].shape or ()]
        return math.prod(shape[:-2]) * shape[-1]

    def usual_norm(self, kernel: int) -> float:
        """L2 norm of a kernel that keeps the variance."""
        return math.sqrt(math.prod(extent or 1 for extent in self.nodes[kernel].shape or ()) / self.fan_in(kernel))

    @cached_property
    def usual_norms(self) -> npt.NDArray[np.float32]:
        """`usual_norm` of all kernels, [kernels, 1]."""
        return np.array([self.usual_norm(kernel) for kernel in self.kernels.tolist()], np.float32)[:, None]


def _is_kernel(node: Node) -> bool:
    base = node.name.rsplit("/", 1)[-1]
    return _KERNEL_NAME.fullmatch(base) is not None and len(node.shape or ()) >= 2 and "lora" not in node.name


def _is_inside(node: Node) -> bool:
    """Whether a node is computed: also what is fed to a model inside the model."""
    return node.kind in ("layer", "op", "probe") or (node.kind == "input" and bool(node.inputs))
