"""How fast a run is read, and how much memory that takes.

    python -m benchmarks.reading /tmp/large/train

The one invariant: each figure is of a `Run` that has answered nothing before, except where it says "again"; what is measured is the product's
public reader. The page cache is warm or cold as the machine has it: the second call of the command shows warm figures.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tb_activations import open_run

REPEATS = 60


def anonymous_megabytes() -> float:
    """Memory of this process that belongs to no file, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1e3


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def print_row(name: str, times: list[float], goal: str = "") -> None:
    print(f"{name:58} {np.median(times):9.1f} {np.percentile(times, 95):9.1f}  {goal}")


def measure(path: Path) -> None:
    before = anonymous_megabytes()
    print(f"{'':58} {'p50 ms':>9} {'p95 ms':>9}  goal")
    print_row("open all segments", [milliseconds(lambda: open_run(path)) for _ in range(5)], "300 ms")
    print_row("open and list all nodes with their states", [milliseconds(lambda: open_run(path).nodes) for _ in range(5)], "300 ms")
    run = open_run(path)
    names = [node.name for node in run.nodes if node.state == "materialized"]
    steps = run.steps().tolist()
    pick = random.Random(0)
    print(f"{run!r}, {len(list((run.path / 'plugins/tb_activations').iterdir()))} files")
    print_row("one node's statistics over all steps", repeat(lambda: run.statistics(pick.choice(names))), "p95 10 ms")
    print_row("one node's histograms over all steps", repeat(lambda: run.histogram(pick.choice(names))))
    print_row("all nodes at one step", repeat(lambda: run.snapshot(pick.choice(steps))), "p95 20 ms")
    print_row("one statistic of everything", repeat(lambda: run.column("mean"), 5), "300 ms")
    print_row("one count of everything", repeat(lambda: run.column("nan_count"), 5))
    print_row("one statistic of everything, the last 50 captures", repeat(lambda: run.column("mean", after=steps[-51]), 5))
    print_row("refresh, nothing new", repeat(run.refresh))
    print(f"{'anonymous memory, growth':58} {anonymous_megabytes() - before:9.1f} MB         200 MB")


def repeat(call: Callable[[], object], times: int = REPEATS) -> list[float]:
    return [milliseconds(call) for _ in range(times)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints how fast a run is read.")
    parser.add_argument("run", type=Path)
    measure(parser.parse_args().run)


if __name__ == "__main__":
    main()
