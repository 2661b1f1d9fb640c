"""Applies all rules to a run, once or again and again while it grows.

The one invariant: a `Diagnosis` shows every capture to every rule once and in order. What it reports after any number of updates is what one cold
evaluation of the same captures reports. When the past of a run changed (another graph, steps trained anew), it begins again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.causes import link_consequences
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import SEVERITIES, Finding, QuietRule, Report
from tb_activations.diagnosis.losses import LossHistory
from tb_activations.diagnosis.rule import Rule, Watch
from tb_activations.diagnosis.rules import all_rules
from tb_activations.store.run import Run
from tb_activations.store.schema import Quantity

__all__ = ["Diagnosis", "evaluate"]

_logger = logging.getLogger(__name__)


def evaluate(run: Run, rules: Sequence[Rule] | None = None) -> Report:
    """Everything that the rules find in the captures that ``run`` holds now."""
    return Diagnosis(run, rules).update()


class Diagnosis:
    """The findings of a run that may still grow. Used by one thread at a time.

    Args:
      run: the run. It is not refreshed here.
      rules: all rules by default.
    """

    def __init__(self, run: Run, rules: Sequence[Rule] | None = None) -> None:
        self._run = run
        self._rules = tuple(all_rules() if rules is None else rules)
        self._steps = np.empty(0, np.int64)
        self._begin()

    def _begin(self) -> None:
        self._graph, nodes = self._run.graph, self._run.nodes
        self._facts = Facts(nodes)
        self._watches: dict[str, tuple[Rule, Watch]] = {}
        self._problems: list[str] = []
        for rule in self._rules:
            self._guard(rule, lambda rule=rule: self._watches.update({rule.name: (rule, rule.watch(self._facts))}))  # type: ignore[misc]
        self._history = LossHistory()
        self._steps = np.empty(0, np.int64)

    def update(self) -> Report:
        """Shows the rules what is new, and returns what they say about all of it."""
        steps = self._run.steps()
        if self._run.graph != self._graph or not np.array_equal(steps[: len(self._steps)], self._steps):
            self._begin()
        if len(steps) > len(self._steps):
            self._take_in(self._block(int(self._steps[-1]) if len(self._steps) else -1))
        return self._report()

    def _block(self, after: int) -> Block:
        captures = self._run.captures()
        new = captures.step > after
        steps = captures.step[new]

        def read(statistic: str, quantity: Quantity) -> Floats:
            return self._run.column(statistic, quantity, after)[1][:, : len(steps)]

        return Block(steps, captures.loss_scale[new], read)

    def _take_in(self, block: Block) -> None:
        losses = self._facts.losses
        if len(losses):
            block.progress = self._history.progress(block.column("mean")[losses[0]])
        with np.errstate(all="ignore"):
            for rule, watch in tuple(self._watches.values()):
                self._guard(rule, lambda watch=watch: watch.update(block))  # type: ignore[misc]
        self._steps = np.concatenate([self._steps, block.steps])

    def _guard(self, rule: Rule, action: object) -> None:
        """Runs one rule; one that fails is given up and named."""
        try:
            action()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001  (a rule may be a user's; no rule may take the others with it)
            self._watches.pop(rule.name, None)
            self._problems.append(f"Rule {rule.name} failed and is left out: {type(error).__name__}: {error}")
            _logger.warning(self._problems[-1])

    def _report(self) -> Report:
        found = [finding for _, watch in self._watches.values() for finding in watch.findings()]
        linked = link_consequences(found, self._facts)
        quiet = tuple(QuietRule(rule.name, rule.title) for rule, watch in self._watches.values() if not watch.findings())
        order = {name: position for position, name in enumerate(self._facts.names)}
        linked.sort(key=lambda finding: _place(finding, order.get(finding.node, -1)))
        return Report(tuple(linked), quiet, len(self._steps), tuple(self._problems))


def _place(finding: Finding, position: int) -> tuple[bool, int, int, int]:
    return finding.consequence_of is not None, -SEVERITIES.index(finding.severity), finding.first_step, position
