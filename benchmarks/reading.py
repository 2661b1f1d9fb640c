"""How fast a run is read, and how much memory that takes.

    python -m benchmarks.reading /tmp/large/train

The one invariant: what is measured is the product's public reader, on files that lie in the page cache or not as the machine has it: the second call
of the command shows warm figures. CPU time stands beside wall time, because other programs disturb the one less than the other.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.memory import anonymous_megabytes
from tb_activations import open_run

REPEATS = 60


def measure_calls(name: str, call: Callable[[], object], times: int = REPEATS, goal: str = "") -> None:
    """Prints a row: median and 95th percentile of wall and of CPU milliseconds."""
    wall, cpu = [], []
    for _ in range(times):
        start_wall, start_cpu = time.perf_counter(), time.process_time()
        call()
        wall.append((time.perf_counter() - start_wall) * 1e3)
        cpu.append((time.process_time() - start_cpu) * 1e3)
    figures = (np.median(wall), np.percentile(wall, 95), np.median(cpu), np.percentile(cpu, 95))
    print(f"{name:58}" + "".join(f"{figure:10.1f}" for figure in figures) + f"   {goal}")


def measure(path: Path) -> None:
    before = anonymous_megabytes()
    print(f"{'milliseconds':58}{'wall p50':>10}{'wall p95':>10}{'CPU p50':>10}{'CPU p95':>10}   goal")
    measure_calls("open all segments", lambda: open_run(path), 7, "300")
    measure_calls("open and list all nodes with their states", lambda: open_run(path).nodes, 7, "300")
    run = open_run(path)
    names = [node.name for node in run.nodes if node.state == "materialized"]
    steps = run.steps().tolist()
    pick = random.Random(0)
    measure_calls("one node's statistics over all steps", lambda: run.statistics(pick.choice(names)), goal="10")
    measure_calls("one node's histograms over all steps", lambda: run.histogram(pick.choice(names)))
    measure_calls("all nodes at one step", lambda: run.snapshot(pick.choice(steps)), goal="20")
    measure_calls("one statistic of everything", lambda: run.column("mean"), 7, "300")
    measure_calls("one count of everything", lambda: run.column("nan_count"), 7)
    measure_calls("one statistic of everything, the last segment only", lambda: run.column("mean", after=steps[-51]))
    measure_calls("refresh, nothing new", run.refresh)
    print(f"{run!r} in {len(list((run.path / 'plugins/tb_activations').iterdir()))} files; anonymous memory grew by ", end="")
    print(f"{anonymous_megabytes() - before:.0f} MB (goal: 200)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints how fast a run is read.")
    parser.add_argument("run", type=Path)
    measure(parser.parse_args().run)


if __name__ == "__main__":
    main()
