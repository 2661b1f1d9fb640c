"""The size budget of a worker: keeps less and less, in an order that costs the least, and says so.

The one invariant: what was written stays, and captures never take more than ``max_bytes`` (headers and a merge under way come on top). First fewer
samples are kept, then none, then no histograms, then captures are left out, twice as many each time half of the rest is used, so the rest never
ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tb_activations.store.assemble import size_of
from tb_activations.store.schema import Capture, QuantityRecord

__all__ = ["NO_ROOM", "STAGES", "Budget", "Stage"]

SAMPLE_EVERY = 8
"""In the stage `fewer_samples` one capture of so many keeps its samples."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How much is kept once a share of the budget is used.

    Attributes:
      code: as in the metadata of a segment.
      share: of the budget, from which on the stage holds.
      sentence: for the user.
    """

    code: str
    share: float
    sentence: str


STAGES = (
    Stage("", 0.0, ""),
    Stage("fewer_samples", 0.5, f"raw numbers are kept at one capture of {SAMPLE_EVERY} only"),
    Stage("no_samples", 0.75, "raw numbers are not kept any more; statistics and histograms go on"),
    Stage("no_histograms", 0.88, "raw numbers and histograms are not kept any more; statistics go on"),
    Stage("fewer_captures", 0.95, "only every second capture is kept, then every fourth, and so on, so that the budget is never used up"),
)

NO_ROOM = Stage("no_room", math.inf, "a single capture takes more than what is left of it")
"""No step of the ladder: says of captures that were left out why nothing is in their place."""


class Budget:
    """Counts bytes and decides what is kept. ``max_bytes`` None: everything."""

    def __init__(self, max_bytes: int | None, used_bytes: int = 0) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = used_bytes
        self._captures = 0

    @property
    def stage(self) -> Stage:
        """The stage that holds now."""
        share = self._share()
        return next(stage for stage in reversed(STAGES) if share >= stage.share)

    @property
    def stride(self) -> int:
        """One capture of so many is kept."""
        rest = 1 - self._share()
        if self.stage.code != "fewer_captures":
            return 1
        last = 1 - STAGES[-1].share
        return 1 << (62 if rest <= 0 else min(62, 1 + math.floor(math.log2(last / rest))))

    def fits(self, size_bytes: int) -> bool:
        """Whether so much more may be written."""
        return self.max_bytes is None or self.used_bytes + size_bytes <= self.max_bytes

    def thin(self, captures: Sequence[Capture]) -> tuple[Sequence[Capture], int]:
        """What is kept of the capture rows of one step, and how many bytes that is."""
        kept = [_without(capture, self._leave_out()) for capture in captures]
        self._captures += 1
        return kept, sum(map(size_of, kept))

    def _leave_out(self) -> frozenset[str]:
        code = self.stage.code
        if code == "" or (code == "fewer_samples" and self._captures % SAMPLE_EVERY == 0):
            return frozenset()
        return frozenset({"samples"}) if code in ("fewer_samples", "no_samples") else frozenset({"samples", "histograms"})

    def _share(self) -> float:
        return 0.0 if self.max_bytes is None else self.used_bytes / self.max_bytes


def _without(capture: Capture, left_out: frozenset[str]) -> Capture:
    if not left_out:
        return capture
    return replace(capture, quantities={quantity: _strip(record, left_out) for quantity, record in capture.quantities.items()})


def _strip(record: QuantityRecord, left_out: frozenset[str]) -> QuantityRecord:
    record = replace(record, samples={}, strides={})
    return replace(record, histogram=None, histogram_range=None) if "histograms" in left_out else record
