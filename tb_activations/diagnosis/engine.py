"""Applies all rules to a run, once or again and again while it grows.

The one invariant: a `Diagnosis` shows every capture to every rule once and in order. What it reports after any number of updates is what one cold
evaluation of the same captures reports. When the graph changes, what was found in the old one ends, and stays; when the past of a run changed (steps
trained anew, validation that came before the graph it belongs to), it begins again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.beginning import Beginning
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.causes import causes_first, link_consequences
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding, QuietRule, Report
from tb_activations.diagnosis.losses import LossHistory
from tb_activations.diagnosis.rule import Rule, Watch
from tb_activations.diagnosis.rules import all_rules
from tb_activations.store.chapters import Chapter
from tb_activations.store.container import FileChangedError
from tb_activations.store.index import as_slice
from tb_activations.store.run import Captures, Run, open_validation
from tb_activations.store.schema import COUNTS, NOT_RECORDED, Quantity

__all__ = ["Diagnosis", "evaluate"]

_ATTEMPTS = 4

_logger = logging.getLogger(__name__)


def evaluate(run: Run, rules: Sequence[Rule] | None = None) -> Report:
    """Everything that the rules find in the captures that ``run`` holds now."""
    return Diagnosis(run, rules).update()


class Diagnosis:
    """The findings of a run that may still grow. Used by one thread at a time.

    Args:
      run: the run. It is not refreshed here; the validation run beside it is.
      rules: all rules by default, and what rules recorded that are not known here.
    """

    def __init__(self, run: Run, rules: Sequence[Rule] | None = None) -> None:
        self._live, self._run = run, run.pinned()
        self._beside: Run | None = None
        self._unread: tuple[str, ...] = ()
        self._rules = tuple(all_rules() if rules is None else rules)
        self._shows_recorded = rules is None
        self._begin()

    def _begin(self) -> None:
        self._seen = _Seen(self._run)
        self._validation: _Seen | None = None
        self._history = LossHistory()
        self._problems: list[str] = []
        self._chapters: list[_Chapter] = []
        self._given_up: set[str] = set()

    def update(self) -> Report:
        """Shows the rules what is new, and returns what they say about all of it, as of one moment of the run."""
        for _ in range(_ATTEMPTS):
            self._run = self._seen.run = self._live.pinned()
            try:
                return self._update()
            except FileChangedError:  # steps were trained anew while they were read: some rules have seen what others have not
                self._live.refresh()
                self._run = self._live.pinned()
                self._begin()
        raise FileChangedError("The files of this run change faster than they can be read.")

    def _update(self) -> Report:
        if not len(self._seen.steps) or self._seen.is_past_changed() or self._is_overtaken():
            self._begin()
        if self._seen.facts.problem:
            return Report(problems=(self._seen.facts.problem,))
        for facts, block in self._seen.blocks():
            chapter = self._chapter_of(facts, int(block.steps[0]))
            with np.errstate(all="ignore"):
                if len(facts.losses):
                    self._history.feed(block, block.column("mean")[facts.losses[0]])
                chapter.beginning.feed(block)
            self._show(chapter, lambda watch, block=block: watch.update(block))  # type: ignore[misc]
        if not self._chapters:
            self._chapter_of(self._seen.facts, 0)
        self._compare()
        return self._report()

    def _chapter_of(self, facts: Facts, step: int) -> _Chapter:
        """The chapter that has these facts, begun if it is new."""
        if not self._chapters or self._chapters[-1].facts is not facts:
            trains = self._run.path.name not in _NO_TRAINING and not self._chapters
            chapter = _Chapter(facts, step, Beginning(facts, trains))
            self._chapters.append(chapter)
            for rule in self._rules:
                if rule.name not in self._given_up:
                    self._guard(rule.name, lambda rule=rule: chapter.watches.update({rule.name: rule.watch(facts)}))  # type: ignore[misc]
        return self._chapters[-1]

    def _is_overtaken(self) -> bool:
        """Whether a chapter arrives that began before validation that was already shown to the one before it."""
        steps, chapters = self._run.steps(), self._run.chapters()[len(self._chapters) :]
        return self._validation is not None and any(
            chapter.start < len(steps) and steps[chapter.start] < self._validation.last_step for chapter in chapters
        )

    def _compare(self) -> None:
        """Shows the rules what is new in the validation run, if there is one."""
        pinned = self._pin_validation()
        if pinned is not None:
            self._validation = self._validation or _Seen(pinned)
            self._validation.run = pinned
            if self._validation.is_past_changed():
                self._validation = _Seen(self._validation.run, after=self._validation.last_step)
            for facts, block in self._validation.blocks():
                for chapter, part in self._by_chapter(block):
                    self._show(chapter, lambda watch, part=part, facts=facts: watch.compare(part, facts))  # type: ignore[misc]

    def _by_chapter(self, block: Block) -> Iterator[tuple[_Chapter, Block]]:
        """What of a block of validation belongs to which chapter of training."""
        starts = np.searchsorted(block.steps, [chapter.first_step for chapter in self._chapters], side="right")
        for chapter, start, stop in zip(self._chapters, [0, *starts[1:].tolist()], [*starts[1:].tolist(), len(block.steps)], strict=True):
            if stop > start:
                yield chapter, block.part(start, stop)

    def _pin_validation(self) -> Run | None:
        try:
            self._beside = self._beside or open_validation(self._run.path)
            if self._beside is not None:
                self._beside.refresh()
            self._unread = ()
        except OSError as error:
            self._unread = (f"The validation run beside this one can't be read, so nothing is compared with it: {error.strerror}.",)
            return None
        return None if self._beside is None else self._beside.pinned()

    def _show(self, chapter: _Chapter, action: Callable[[Watch], None]) -> None:
        with np.errstate(all="ignore"):
            for name, watch in tuple(chapter.watches.items()):
                self._guard(name, lambda watch=watch: action(watch))  # type: ignore[misc]

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        """Runs one rule; one that fails is given up and named."""
        try:
            action()
        except FileChangedError:  # no fault of the rule
            raise
        except Exception as error:  # noqa: BLE001  (a rule may be a user's; no rule may take the others with it)
            self._given_up.add(name)
            for chapter in self._chapters:
                chapter.watches.pop(name, None)
            self._problems.append(f"Rule {name} failed and is left out: {type(error).__name__}: {error}")
            _logger.warning(self._problems[-1])

    def _report(self) -> Report:
        facts = self._seen.facts
        for chapter, after in pairwise(self._chapters):
            self._show(chapter, lambda watch, after=after: watch.close(after.first_step))  # type: ignore[misc]
        by_chapter = [self._found(chapter) for chapter in self._chapters]
        titles = {rule.name: rule.title for rule in self._rules if rule.name not in self._given_up}
        if self._shows_recorded:
            self._add_recorded(titles, by_chapter[-1])
        linked = [
            finding
            for chapter, found in zip(self._chapters, by_chapter, strict=True)
            for finding in link_consequences([each for name, some in found.items() if name in titles for each in some], chapter.facts)
        ]
        told = {finding.rule for finding in linked}
        quiet = tuple(QuietRule(name, title) for name, title in titles.items() if name not in told)
        return Report(tuple(causes_first(linked, facts)), quiet, len(self._seen.steps), (*self._problems, *self._unread))

    def _found(self, chapter: _Chapter) -> dict[str, list[Finding]]:
        """What each rule found in a chapter."""
        found: dict[str, list[Finding]] = {}
        with np.errstate(all="ignore"):
            for name, watch in tuple(chapter.watches.items()):
                self._guard(name, lambda name=name, watch=watch: found.update({name: watch.findings()}))  # type: ignore[misc]
        return found

    def _add_recorded(self, titles: dict[str, str], found: dict[str, list[Finding]]) -> None:
        """Adds what rules found that are functions in the process that trained. Those that are known here were asked anew."""
        recorded, nodes = self._run.recorded_findings, {"", *self._seen.facts.names}
        known = {rule.name for rule in self._rules}
        for name, title in recorded.rules.items():
            if name not in known:
                titles[name] = title
                found[name] = [Finding(**each) for each in recorded.findings if each["rule"] == name and each["node"] in nodes]


@dataclass
class _Chapter:
    """The rules as they follow the captures that have one graph."""

    facts: Facts
    first_step: int
    beginning: Beginning
    watches: dict[str, Watch] = field(default_factory=dict)


class _Seen:
    """How far a run was looked at. ``after``: captures up to this step are passed over."""

    def __init__(self, run: Run, after: int = -1) -> None:
        self.run = run
        self._facts: dict[str, Facts] = {}
        self._chapters: tuple[Chapter, ...] = ()
        self._remember(run.captures(), after)

    @property
    def facts(self) -> Facts:
        """Facts about the newest graph."""
        chapters = self.run.chapters()
        return self._facts_of(chapters[-1].graph) if chapters else Facts(())

    def _facts_of(self, graph: str) -> Facts:
        if graph not in self._facts:
            self._facts[graph] = Facts(self.run.planned_nodes(graph))
        return self._facts[graph]

    def _remember(self, captures: Captures, last: int) -> None:
        seen = captures.step <= last
        self._chapters = tuple(chapter for chapter in self.run.chapters() if chapter.start < seen.sum())
        self.steps, self._times, self._rows = captures.step[seen], captures.wall_time[seen], captures.rows[seen]

    @property
    def last_step(self) -> int:
        return int(self.steps[-1]) if len(self.steps) else -1

    def is_past_changed(self) -> bool:
        """Whether what was looked at isn't what the run holds now. Steps that were trained anew have their old numbers, and other times; those of
        which another worker's part arrived have more rows."""
        captures, count = self.run.captures(), len(self.steps)
        pairs = ((captures.step, self.steps), (captures.wall_time, self._times), (captures.rows, self._rows))
        chapters = tuple(chapter for chapter in self.run.chapters() if chapter.start < count)
        return chapters != self._chapters or not all(np.array_equal(now[:count], seen) for now, seen in pairs)

    def blocks(self) -> Iterator[tuple[Facts, Block]]:
        """The captures that are new, each once, a few at a time, with the facts about the graph that they have."""
        captures, chapters = self.run.captures(), self.run.chapters()
        index = {node.name: position for position, node in enumerate(self.run.nodes)}
        # The run may grow meanwhile: what came after `captures` was read is for the next time.
        ends = [*(min(chapter.start, len(captures.step)) for chapter in chapters[1:]), len(captures.step)]
        for chapter, end in zip(chapters, ends, strict=False):  # no chapter: there is no graph yet
            if end <= len(self.steps):
                continue
            facts = self._facts_of(chapter.graph)
            rows = as_slice(np.array([index[name] for name in facts.names], np.int64))
            width = max(1, _BLOCK_NUMBERS // max(1, len(index)))
            for start in range(max(len(self.steps), chapter.start), end, width):
                stop = min(start + width, end)
                reader = _Reader(self.run, len(facts.nodes), rows, start, stop)
                yield facts, Block(captures.step[start:stop], captures.loss_scale[start:stop], reader)
                self._remember(captures, int(captures.step[stop - 1]))


_NO_TRAINING = frozenset({"validation", "predict", "probe"})
"""Runs of which each capture is one of a model as it is then."""

_BLOCK_NUMBERS = 1 << 19
"""Nodes times captures of a block: its arrays take some 40 MB for each quantity."""


class _Reader:
    """Reads the columns of a block, all of one quantity at a time: they lie together in the files."""

    def __init__(self, run: Run, nodes: int, rows: slice | npt.NDArray[np.int64], start: int, stop: int) -> None:
        self._run, self._nodes, self._rows, self._start, self._stop = run, nodes, rows, start, stop
        self._windows: dict[Quantity, tuple[Floats, Floats]] = {}

    def __call__(self, statistic: str, quantity: Quantity) -> Floats:
        if not self._run.holds(quantity):
            return self._nothing
        if quantity not in self._windows:
            statistics, counts = self._run.window(quantity, start=self._start, stop=self._stop)
            self._windows[quantity] = _by_column(statistics[self._rows]), _unknown_apart(_by_column(counts[self._rows]))
        statistics, columns = self._windows[quantity]
        if statistic in COUNTS:
            count: Floats = columns[COUNTS.index(statistic)]
            return count
        names = self._run.columns
        if statistic not in names:  # written by an older version
            return self._nothing
        column: Floats = statistics[names.index(statistic)]
        return column

    @cached_property
    def _nothing(self) -> Floats:
        return np.full((self._nodes, self._stop - self._start), np.nan, np.float32)


_CACHED_NODES = 16
"""Nodes whose numbers of a block a processor's cache holds."""


def _by_column(numbers: npt.NDArray[np.generic]) -> Floats:
    """[nodes, captures, columns] as float32 [columns, nodes, captures]: a few nodes at a time, which takes a quarter of the time."""
    nodes, captures, columns = numbers.shape
    result = np.empty((columns, nodes, captures), np.float32)
    for start in range(0, nodes, _CACHED_NODES):
        result[:, start : start + _CACHED_NODES] = np.moveaxis(numbers[start : start + _CACHED_NODES], -1, 0)
    return result


def _unknown_apart(columns: Floats) -> Floats:
    """Counts, NaN where nothing was recorded."""
    missing = columns[0] == NOT_RECORDED
    if missing.any():
        columns[:, missing] = np.nan
    return columns
