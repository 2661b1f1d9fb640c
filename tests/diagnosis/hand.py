"""Histories made by hand: a few lines of graph, a few arrays of statistics, and what a rule says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tb_activations.diagnosis.beginning import Beginning
from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.losses import LossHistory
from tb_activations.diagnosis.rule import Rule, Watch
from tb_activations.store.nodes import Node, QuantityState, describe_nodes, join_generations
from tests.builders import parse_nodes

COUNTS = ("elements", "nan_count", "pos_inf_count", "neg_inf_count")
STEPS = range(0, 200, 10)
DEEP = "input x [?,8];" + ";".join(
    f"layer d{i} Dense [?,8] <- {f'd{i - 1}' if i else 'x'} sigmoid gradient; variable d{i}/kernel [8,8] gradient update;"
    f" variable d{i}/bias [8] gradient update"
    for i in range(5)
) + "; loss loss [] <- d4"  # fmt: skip


def nodes_of(text: str, **changes: Mapping[str, Any]) -> tuple[Node, ...]:
    """The nodes of a drawing; ``changes``: name with ``/`` as ``__`` -> fields of the node to replace."""
    joined = join_generations([("0" * 16, parse_nodes(text))])
    captured = {
        q: np.array([q in r.quantities and r.quantities[q].reason is None for r in joined.records], np.int64) for q in ("value", "gradient", "update")
    }
    nodes = describe_nodes(joined, captured, {q: flags.astype(bool) for q, flags in captured.items()})
    by_name = {name.replace("__", "/"): fields for name, fields in changes.items()}
    return tuple(replace(node, **by_name.get(node.name, {})) for node in nodes)


RELU = """
    input x [?,8]
    layer hidden Dense [?,64] <- x relu
    variable hidden/kernel [8,64]
    layer output Dense [?,3] <- hidden softmax
    variable output/kernel [64,3]
    loss loss [] <- output
"""
"""A network with one hidden layer, which ends in a ReLU."""


class History:
    """Statistics of the nodes of a drawing over captures; whatever is not set was not recorded, but elements, which are 320."""

    def __init__(self, text: str, steps: Sequence[int], loss_scale: Any = np.nan, **changes: Mapping[str, Any]) -> None:
        self.facts = Facts(nodes_of(text, **changes))
        self.steps = np.asarray(steps, np.int64)
        self.loss_scale = np.broadcast_to(np.asarray(loss_scale, np.float32), self.steps.shape)
        self.trains = True
        self.progress = np.zeros(len(self.steps), bool)
        self.columns: dict[tuple[str, str], np.ndarray] = {}

    def set(self, node: str, quantity: str = "value", **statistics: Any) -> History:
        """Sets statistics of one node: a number, or one number per capture."""
        statistics = {"elements": 320, "nan_count": 0, "pos_inf_count": 0, "neg_inf_count": 0, **statistics}
        for name, values in statistics.items():
            column = self.columns.setdefault((name, quantity), np.full((len(self.facts.names), len(self.steps)), np.nan, np.float32))
            column[self.facts.names.index(node)] = values
        return self

    def block(self, start: int = 0, stop: int | None = None) -> Block:
        """The captures from ``start`` to ``stop``."""
        part = slice(start, stop)
        return Block(
            self.steps[part],
            self.loss_scale[part],
            lambda name, quantity: self.columns.get((name, quantity), np.full((len(self.facts.names), len(self.steps)), np.nan, np.float32))[:, part],
        )

    def watch(self, rule: Rule, pieces: int = 1) -> Watch:
        """A watch that has seen the history, in so many pieces."""
        watch, losses, beginning = rule.watch(self.facts), LossHistory(), Beginning(self.facts, self.trains)
        bounds = np.linspace(0, len(self.steps), pieces + 1).astype(int)
        with np.errstate(all="ignore"):
            for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                if stop > start:
                    block = self.block(start, stop)
                    losses.feed(
                        block, block.column("mean")[self.facts.names.index("loss")] if "loss" in self.facts.names else np.full(stop - start, np.nan)
                    )
                    beginning.feed(block)
                    block.progress |= self.progress[start:stop]
                    watch.update(block)
        return watch

    def find(self, rule: Rule) -> list[Finding]:
        """What a rule finds; the same whatever pieces the history comes in."""
        whole = self.watch(rule).findings()
        for pieces in (2, 3, len(self.steps)):
            assert repr(self.watch(rule, pieces).findings()) == repr(whole)
        return whole


def without_gradient(reason: str) -> dict[str, Any]:
    """Quantities of a variable whose gradient has a reason."""
    return {"quantities": {"value": QuantityState("materialized"), "gradient": QuantityState("unreachable", reason, sentence="Cut.", remedy="Join.")}}


def deep(**kernels):
    """Five layers; ``d2={"gradient": …}`` changes one of them."""
    history = History(DEEP, STEPS)
    for index in range(5):
        name, changes = f"d{index}", kernels.get(f"d{index}", {})
        numbers = np.arange(20) * 0.01 if changes.get("moves", True) else 0.0
        weights = {"l2_norm": np.asarray(8.0) + numbers, "mean": numbers, "min": -2.0, "max": 2.0, "std": 1.0, **changes.get("value", {})}
        history.set(f"{name}/kernel", elements=64, **weights)
        history.set(f"{name}/kernel", "gradient", elements=64, l2_norm=changes.get("gradient", 0.1))
        history.set(f"{name}/kernel", "update", elements=64, l2_norm=changes.get("update", 0.01))
    return history
