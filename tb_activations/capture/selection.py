"""Which nodes and quantities are captured.

The one invariant: whatever is left out gets a reason that names the option which leaves it out. Pure: no tensor library.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

from tb_activations.errors import ArgumentError
from tb_activations.store.schema import QUANTITIES, Graph, Kind, Quantity, QuantityPlan

__all__ = ["KINDS", "Names", "Selection"]

KINDS: tuple[Kind, ...] = get_args(Kind)

_LONGEST_LIST = 200
"""Characters."""

Names = str | re.Pattern[str] | Callable[[str], bool] | Iterable[str | re.Pattern[str]]


class Selection:
    """What is captured.

    Args:
      include: regular expressions searched for in a node's name, or a function of the name; None includes every node.
      exclude: the same, for nodes to leave out; wins over ``include``.
      kinds: kinds of nodes.
      quantities: `"value"`, `"gradient"`, `"update"`.
      slots: whether the variables of optimizers are nodes too.
      ops: TensorFlow operations: None lists none, "list" lists all and records none, regular expressions searched for in names (or matching
        types) list and record what they find.
    """

    def __init__(
        self,
        include: Names | None = None,
        exclude: Names | None = None,
        kinds: Sequence[Kind] = KINDS,
        quantities: Sequence[Quantity] = QUANTITIES,
        ops: Names | None = None,
        slots: bool = False,
    ) -> None:
        self.include = None if include is None else _Matcher("include", include)
        self.exclude = None if exclude is None else _Matcher("exclude", exclude)
        self.kinds = _subset("kinds", kinds, KINDS)
        self.quantities = _subset("quantities", quantities, QUANTITIES)
        if not isinstance(slots, bool):
            raise ArgumentError(f"`slots` must be True or False. Received: slots={slots!r}")
        self.slots = slots
        self._by_name: dict[str, QuantityPlan] = {}
        self.lists_all_ops = isinstance(ops, str) and ops == "list"
        self.ops = None if ops is None or self.lists_all_ops else _Matcher("ops", ops)

    def plan(self, name: str, kind: str, quantity: Quantity) -> QuantityPlan:
        """Whether the options select a quantity of a node, and if not, which option leaves it out."""
        if kind not in self.kinds:
            return QuantityPlan("kind_off", {"kind": kind, "kinds": repr([*self.kinds, kind])})
        if name not in self._by_name:
            self._by_name[name] = self._plan_by_name(name)
        if self._by_name[name].reason is None and quantity not in self.quantities:
            return QuantityPlan("quantity_off", {"quantity": quantity})
        return self._by_name[name]

    def _plan_by_name(self, name: str) -> QuantityPlan:
        if self.exclude is not None and self.exclude(name):
            return QuantityPlan("filtered", {"option": "`exclude`", "arguments": self._arguments_with(name)})
        if self.include is not None and not self.include(name):
            return QuantityPlan("filtered", {"option": "`include`", "arguments": self._arguments_with(name)})
        return QuantityPlan()

    def _arguments_with(self, name: str) -> str:
        """What `include` and `exclude` would have to be for the node ``name`` to be selected as well, as further arguments of a call."""
        include = "" if self.include is None else f", include={self.include.finding(name)}"
        exclude = "" if self.exclude is None else self.exclude.sparing(name)
        return include + (exclude and f", exclude={exclude}")

    def selects(self, name: str, kind: str, quantity: Quantity) -> bool:
        return self.plan(name, kind, quantity).reason is None

    def selects_op(self, name: str, type_name: str) -> bool:
        """Whether a TensorFlow operation is recorded; the other options are about layers and have no say."""
        return self.ops is not None and (self.ops(name) or self.ops(type_name))

    def unmatched(self, graph: Graph) -> list[str]:
        """One sentence for each pattern that no name in ``graph`` matches, with the names nearest to it."""
        nodes = [node.name for node in graph.nodes]
        sentences = [sentence for matcher in (self.include, self.exclude) if matcher is not None for sentence in matcher.unmatched(nodes, "node")]
        if self.ops is None:
            return sentences
        if not graph.operations:
            return [*sentences, "`ops` records nothing, as no operations were found: a step that runs eagerly has none."]
        operations = [name for operation in graph.operations for name in (operation.name, operation.type_name)]
        return sentences + self.ops.unmatched(operations, "operation")

    @property
    def description(self) -> dict[str, Any]:
        return {
            "include": self.include and self.include.description,
            "exclude": self.exclude and self.exclude.description,
            "kinds": list(self.kinds),
            "quantities": list(self.quantities),
            "slots": self.slots,
            "ops": "list" if self.lists_all_ops else self.ops and self.ops.description,
        }


class _Matcher:
    def __init__(self, argument: str, names: Names) -> None:
        self._argument = argument
        self._function: Callable[[str], bool] | None = None
        self._patterns: list[re.Pattern[str]] = []
        if callable(names):
            self._function = names
        else:
            listed = [names] if isinstance(names, (str, re.Pattern)) else names
            if not isinstance(listed, Iterable):
                raise _not_names(argument, names)
            self._patterns = [_pattern(argument, name) for name in listed]
        self._written = [_quoted(each.pattern) if each.flags == re.UNICODE else repr(each) for each in self._patterns]

    def __call__(self, name: str) -> bool:
        if self._function is not None:
            return bool(self._function(name))
        return any(pattern.search(name) for pattern in self._patterns)

    def finding(self, name: str) -> str:
        """Python for what finds ``name``, and all that is found now."""
        found = self(name)
        if self._function is not None:
            called = _called(self._function)
            return called if found else f"lambda name: name == {name!r} or {called}(name)"
        own = [] if found else [_quoted(f"^{re.escape(name)}$")]
        return _list([*self._written, *own], f"[*{self._argument}, {', '.join(own)}]")

    def sparing(self, name: str) -> str:
        """Python for what finds all that is found now by what doesn't find ``name``; empty where that is nothing."""
        if self._function is not None:
            return f"lambda name: name != {name!r} and {_called(self._function)}(name)"
        left = [written for pattern, written in zip(self._patterns, self._written, strict=True) if not pattern.search(name)]
        return _list(left, f"[pattern for pattern in {self._argument} if not re.search(pattern, {name!r})]") if left else ""

    def unmatched(self, names: Sequence[str], what: str) -> list[str]:
        lonely = [pattern.pattern for pattern in self._patterns if not any(pattern.search(name) for name in names)]
        return [f"`{self._argument}` names {pattern!r}, which matches no {what} of the graph.{_nearest(pattern, names)}" for pattern in lonely]

    @property
    def description(self) -> Any:
        if self._function is not None:
            return getattr(self._function, "__qualname__", repr(self._function))
        return [pattern.pattern for pattern in self._patterns]


def _pattern(argument: str, name: Any) -> re.Pattern[str]:
    if not isinstance(name, (str, re.Pattern)):
        raise _not_names(argument, name)
    try:
        return re.compile(name)
    except re.error as error:
        raise ArgumentError(f"`{argument}` must hold regular expressions ({error}). Received: {argument}={name!r}") from None


def _not_names(argument: str, names: Any) -> ArgumentError:
    return ArgumentError(f"`{argument}` must be a regular expression, a list of them, or a function of a node's name. Received: {argument}={names!r}")


def _nearest(pattern: str, names: Sequence[str]) -> str:
    by_ending = {name.rsplit("/", 1)[-1]: name for name in reversed(names)}
    near = difflib.get_close_matches(pattern, names, 3, 0.5) or [
        by_ending[end] for end in difflib.get_close_matches(pattern, list(by_ending), 3, 0.5)
    ]
    return f" The nearest names are {', '.join(near)}." if near else ""


def _list(patterns: Sequence[str], otherwise: str) -> str:
    """A list of what is written, or ``otherwise`` where that is long: each node that isn't selected has these words."""
    written = f"[{', '.join(patterns)}]"
    return written if len(written) <= _LONGEST_LIST else otherwise


def _quoted(pattern: str) -> str:
    is_plain = pattern.isprintable() and '"' not in pattern and not pattern.endswith("\\")
    return f'r"{pattern}"' if is_plain else repr(pattern)


def _called(function: Callable[[str], bool]) -> str:
    """The name of a function; one without a name is to be given one."""
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "your_function"


def _subset(argument: str, chosen: Any, allowed: Sequence[Any]) -> tuple[Any, ...]:
    listed = (chosen,) if isinstance(chosen, str) else tuple(chosen) if isinstance(chosen, Iterable) else ()
    unknown = [item for item in listed if item not in allowed]
    if unknown or not listed:
        raise ArgumentError(f"`{argument}` must hold one or more of {', '.join(map(repr, allowed))}. Received: {argument}={chosen!r}")
    return tuple(item for item in allowed if item in listed)
