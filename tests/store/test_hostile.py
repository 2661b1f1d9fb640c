"""Files that nobody of ours wrote: any byte and any number may be anything, and the reader answers all the same."""

from __future__ import annotations

import itertools
import random
import shutil
from contextlib import suppress

import numpy as np
import safetensors.numpy

from tb_activations.errors import ActivationsError
from tb_activations.store.run import Run
from tb_activations.store.schema import QUANTITIES
from tb_activations.store.segments import open_segment
from tests.builders import capture_of, normal_values, parse_nodes, segments_of, write_segments

GRAPH = parse_nodes("input x [3]; layer dense [2,?] <- x relu gradient; variable kernel update")


def test_damage_anywhere_costs_the_file_and_nothing_else(tmp_path):
    """Random bytes changed, cut out or added in random places of every file: the reader answers, and every damaged file is whole or left out."""
    captures = [capture_of(GRAPH, normal_values(GRAPH), step) for step in range(3)]
    write_segments(tmp_path / "whole", GRAPH, [[capture] for capture in captures])
    draw = random.Random(2)
    for attempt in range(150):
        run_dir = tmp_path / f"damaged{attempt}"
        shutil.copytree(tmp_path / "whole", run_dir)
        victim = draw.choice(sorted((run_dir / "plugins/tb_activations").iterdir()))
        content = bytearray(victim.read_bytes())
        # Most damage to the header, where it matters.
        position = draw.randrange(len(content) if draw.random() < 0.3 else min(len(content), 2500))
        kind = draw.choice(("flip", "cut", "insert", "number"))
        if kind == "flip":
            content[position] ^= 1 << draw.randrange(8)
        elif kind == "cut":
            del content[position : position + draw.randrange(1, 9)]
        elif kind == "insert":
            content[position:position] = draw.randbytes(draw.randrange(1, 9))
        else:
            content[position : position + 1] = str(draw.randrange(10**6)).encode()
        victim.write_bytes(content)
        run = Run(run_dir)
        for node in run.nodes:
            for quantity in ("value", "gradient"):
                run.statistics(node.name, quantity)
                run.histogram(node.name, quantity)
        run.column("mean")
        assert len(run.steps()) + (len(run.problems) > 0) >= 1
        assert len(run.nodes) + len(run.problems) >= 1
        shutil.rmtree(run_dir)


def test_numbers_that_no_writer_writes_cost_an_answer_at_most(tmp_path):
    """Numbers of a segment exchanged for the largest, the smallest and others: whatever is asked, the answer is one, or an error of ours."""
    whole = tmp_path / "whole"
    write_segments(whole, GRAPH, [[capture_of(GRAPH, normal_values(GRAPH), step) for step in steps] for steps in ((0, 1), (2,))], dropped=[7])
    victim, *_ = segments_of(whole)
    metadata, arrays = open_segment(victim).file.metadata, safetensors.numpy.load_file(victim)
    draw = random.Random(3)
    for name, last in itertools.product(sorted(arrays), ("max", "min", None)):
        changed = arrays[name].copy()
        limits = np.iinfo(changed.dtype) if changed.dtype.kind in "iu" else np.finfo(changed.dtype)
        if last:
            changed.flat[-1] = getattr(limits, last)
        else:
            for _ in range(draw.choice((1, 50))):
                changed.flat[draw.randrange(changed.size)] = draw.choice((0, 1, 2, limits.max, limits.min))
        safetensors.numpy.save_file({**arrays, name: changed}, victim, metadata)
        run = Run(whole)
        for question in questions(run):
            with suppress(ActivationsError):
                question()


def questions(run):
    """Everything that may be asked of a run, some of it at every node."""
    yield from (lambda: run.nodes, run.captures, run.chapters, run.operations)
    for quantity in QUANTITIES:
        yield lambda quantity=quantity: run.window(quantity, start=0, stop=9)
        yield lambda quantity=quantity: run.column("l2_norm", quantity)
        yield lambda quantity=quantity: run.column("elements", quantity)
        for ask in (run.steps, run.statistics, run.histogram, run.sample_steps):
            yield from (lambda ask=ask, node=node, quantity=quantity: ask(node.name, quantity) for node in run.nodes)
        for step in run.steps()[[0, -1]].tolist() if len(run.steps()) else ():
            yield lambda step=step, quantity=quantity: run.snapshot(step, quantity)
            yield from (lambda node=node, step=step, quantity=quantity: run.value(node.name, step, quantity) for node in run.nodes)
