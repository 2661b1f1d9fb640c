"""A run that version 1 of the format wrote once and for all. Every later reader must read it, and read these numbers.

The files were made by `make_golden` (``python -m tests.store.test_golden``), and must never be made again: a format that needs that is version 2.
"""

from __future__ import annotations

import math
from pathlib import Path

import ml_dtypes
import numpy as np

from tb_activations import open_run
from tb_activations.store.schema import Capture, QuantityRecord
from tb_activations.store.session import Session
from tests.builders import parse_nodes, record_of

GOLDEN = Path(__file__).parent / "golden" / "train"
GRAPH = parse_nodes(
    "input image [?,2,2,1]; layer block/dense [?,3] <- image relu gradient; variable block/dense/kernel [2,3] update; layer unused value=not_called"
)


def make_golden() -> None:
    session = Session(GOLDEN, 7)
    session.token, session._started = "0123abcd", 1_763_800_000.25
    fingerprint = session.write_graph(GRAPH)
    for first in (0, 20):
        rows = [
            Capture(
                step,
                1_763_800_001.5 + step,
                {
                    "value": record_of(
                        {0: np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1), 1: np.array([[1, np.nan, -np.inf], [0, 2, step]], ml_dtypes.bfloat16)},
                        samples=step != 10,
                    ),
                    "gradient": record_of({1: np.full((2, 3), np.inf, np.float32)}, histograms=False, samples=False),
                    "update": QuantityRecord(np.array([2], np.int32), np.full((1, 10), 0.5, np.float32), np.array([[6, 0, 0, 0]])),
                },
                epoch=step // 20,
                overhead=0.125,
                loss_scale=1024.0 if first else math.nan,
            )
            for step in (first, first + 10)
        ]
        session.write_captures(rows, [first + 5], fingerprint)


def test_the_golden_run_is_read():
    run = open_run(GOLDEN)
    assert run.problems == ()
    assert run.graph == "87feca28db9ac07f"
    assert [(node.name, node.kind, node.state) for node in run.nodes] == [
        ("image", "input", "materialized"),
        ("block/dense", "layer", "materialized"),
        ("block/dense/kernel", "variable", "materialized"),
        ("unused", "layer", "unreachable"),
    ]
    assert run.nodes[1].inputs == (0,)
    assert run.nodes[1].shape == (None, 3)
    assert run.nodes[2].quantities["value"].reason == "not_captured_yet"
    captures = run.captures()
    assert captures.step.tolist() == [0, 10, 20, 30]
    assert captures.wall_time.tolist() == [1763800001.5, 1763800011.5, 1763800021.5, 1763800031.5]
    assert captures.epoch.tolist() == [0, 0, 1, 1]
    assert captures.overhead.tolist() == [0.125] * 4
    np.testing.assert_array_equal(captures.loss_scale, [np.nan, np.nan, 1024, 1024])
    assert captures.dropped.tolist() == [5, 25]


def test_the_numbers_of_the_golden_run():
    run = open_run(GOLDEN)
    history = run.statistics("block/dense")
    assert history["elements"].tolist() == [6, 6, 6, 6]
    assert history["nan_count"].tolist() == history["neg_inf_count"].tolist() == [1, 1, 1, 1]
    assert history["pos_inf_count"].tolist() == [0, 0, 0, 0]
    assert history["max"].tolist() == [2, 10, 20, 30]
    assert history["mean"].tolist() == [0.75, 3.25, 5.75, 8.25]
    np.testing.assert_allclose(history["l2_norm"], [math.sqrt(5 + step**2) for step in (0, 10, 20, 30)], rtol=1e-7)
    assert history["zero_fraction"].tolist() == [0.5, 0.25, 0.25, 0.25]
    gradient = run.statistics("block/dense", "gradient")
    assert gradient["pos_inf_count"].tolist() == [6, 6, 6, 6]
    assert np.isnan(gradient["mean"]).all()
    assert run.statistics("block/dense/kernel", "update")["batch_std"].tolist() == [0.5] * 4
    histogram = run.histogram("image")
    assert histogram.counts.shape == (4, 64)
    assert histogram.counts[0].nonzero()[0].tolist() == [0, 21, 42, 63]
    assert histogram.edges[0, [0, -1]].tolist() == [0, 3]


def test_the_samples_of_the_golden_run():
    run = open_run(GOLDEN)
    assert run.sample_steps("block/dense").tolist() == [0, 20, 30]
    value = run.value("block/dense", 20)
    assert value.dtype == ml_dtypes.bfloat16
    assert value.view(np.uint16).tolist() == [[0x3F80, 0x7FC0, 0xFF80], [0x0000, 0x4000, 0x41A0]]
    assert run.value("image", 0).tolist() == [[[[0], [1]], [[2], [3]]]]
    assert run.value("image", 0).dtype == np.uint8


if __name__ == "__main__":
    make_golden()
