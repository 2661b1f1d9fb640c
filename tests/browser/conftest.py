"""What the browser tests need: runs, TensorBoards that serve them, and the numbers that `open_run` reads from them.

The one invariant: the tests themselves (`frontend/tests/browser`) compute nothing. What must be on screen is computed here, by the reader that
users have, and handed over as one JSON file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from benchmarks.generate_run import generate
from tb_activations import diagnosis, open_run
from tb_activations.store.schema import COUNTS, QUANTITIES, Capture, Graph, NodeRecord, Operation, QuantityPlan, Source
from tests.builders import Values, build_run, capture_of, normal_values, parse_nodes, write_marker, write_segments
from tests.tensorboards import serve

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "test-results" / "browser"

SOURCE = "18 |     x = layers.Flatten()(x)\n19 |     unused = layers.Dense(4)(x)\n20 |     return x"


def _with_source(graph: Graph, name: str) -> Graph:
    nodes = [replace(node, attributes={"source_text": SOURCE}) if node.name == name else node for node in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


_NODES = """
input image [?,14,14,1]
layer encoder/conv2d Conv2D [?,14,14,8] <- image relu gradient
variable encoder/conv2d/kernel [3,3,1,8] gradient update
layer encoder/pool MaxPooling2D [?,7,7,8] <- encoder/conv2d gradient
layer encoder/attention MultiHeadAttention [?,2,6,6] <- encoder/pool softmax gradient
layer encoder/flatten Flatten [?,392] <- encoder/pool gradient=filtered
probe encoder/probe Probe [?,16] <- encoder/flatten gradient
layer head/dense Dense [?,10] <- encoder/flatten softmax gradient
variable head/dense/kernel [392,10] gradient update=not_trainable
layer unused Dense [?,4] <- image value=filtered gradient=not_on_loss_path
op lookup StringLookup [?] value=no_statistics_dtype
loss loss [] <- head/dense
"""
_OPERATIONS = (
    *(Operation(f"encoder/conv2d/Part_{number}", "Conv2D", "float32", (None, 14, 14, 8), Source("model.py", 12, "build")) for number in range(210)),
    Operation("encoder/pool/MaxPool", "MaxPool", "float32", (None, 7, 7, 8), None, (0, 209)),
    Operation("adam/<b>Assign</b>", "AssignVariableOp"),
)
DIGITS = replace(_with_source(parse_nodes(_NODES), "unused"), operations=_OPERATIONS)
"""A small convolutional network with every state and most shapes of tensors."""

COLORED = parse_nodes("""
input photo [?,8,8,3]
layer conv2d Conv2D [?,8,8,4] <- photo
""")

FIRST_NAN = 420
DROPPED = (3, 129, 500)
SAMPLE_STEP = 350
SAMPLED = ("encoder/conv2d", "encoder/attention", "head/dense")
STEPS = range(0, 700, 7)

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "&lt;b&gt;not bold&lt;/b&gt;",
    "a" * 300,
    "abc\u202edef",
    "🎉🧠👩‍👩‍👧‍👦",
    "javascript:alert(3)",
    "{{7*7}}${7*7}",
    "white   space\tand\nlines",
    "ends/with/slash/",
    "//",
    "%00%2e%2e",
    "#&?=+",
    "one,two/three,~4",
    "__proto__",
    "constructor",
)


def digits_values(seed: int) -> Values:
    """The tensors of `DIGITS`; with seed 0, `head/dense` and its gradient have NaN and infinities from `FIRST_NAN` on."""
    normal = normal_values(DIGITS, seed=seed)

    def values(name: str, quantity: str, step: int) -> np.ndarray:
        tensor = normal(name, quantity, step) * (1 + step / 500)
        if name == "head/dense" and step >= FIRST_NAN and seed == 0:
            tensor[0, :3] = np.nan, np.inf, -np.inf
        if name == "encoder/attention" and quantity == "value":
            tensor = np.exp(tensor) / np.exp(tensor).sum(-1, keepdims=True)
        return tensor if name != "loss" else np.asarray(2 * np.exp(-step / 300) + 0.01 * tensor, np.float32)

    return values


STRIDES = (1, 2, 3, 1)
"""Of `encoder/conv2d` in the run `second`, as if its images were larger."""


def _build_digits(run_dir: Path, seed: int, dropped: Sequence[int] = (), strides: Sequence[int] = ()) -> None:
    """Captures that cost more and more, in segments of 20."""
    captures = [replace(capture_of(DIGITS, digits_values(seed), step), overhead=0.001 + step / 1e5) for step in STEPS]
    if strides:
        captures = [_spread(capture, tuple(strides)) for capture in captures]
    write_segments(run_dir, DIGITS, [captures[start : start + 20] for start in range(0, len(captures), 20)], dropped=dropped)
    write_marker(run_dir)


def _spread(capture: Capture, strides: tuple[int, ...]) -> Capture:
    conv = next(index for index, node in enumerate(DIGITS.nodes) if node.name == "encoder/conv2d")
    return replace(capture, quantities={**capture.quantities, "value": replace(capture.quantities["value"], strides={conv: strides})})


def _hostile_values() -> Values:
    """Numbers that explode at every node, so that there is a finding of every name."""
    normal = normal_values(_hostile_graph())
    return lambda name, quantity, step: normal(name, quantity, step) * np.float32(3) ** step


def _colored_values() -> Values:
    """Photographs whose left half is red, and whose right half is blue."""
    normal = normal_values(COLORED)

    def values(name: str, quantity: str, step: int) -> np.ndarray:
        tensor = normal(name, quantity, step)
        if name == "photo":
            tensor[...] = 0
            tensor[:, :, :4, 0] = tensor[:, :, 4:, 2] = 1
        return tensor

    return values


def _write_scalar(run_dir: Path) -> None:
    """Gives TensorBoard a second tab to switch to."""
    writer = EventFileWriter(str(run_dir))
    value = summary_pb2.Summary.Value(tag="accuracy", simple_value=0.5)
    writer.add_event(event_pb2.Event(wall_time=1.0, step=1, summary=summary_pb2.Summary(value=[value])))
    writer.close()


def _hostile_graph() -> Graph:
    captured = {"value": QuantityPlan()}
    reason = {"value": QuantityPlan("filtered", {"option": "<b>include</b>", "arguments": "<i>x</i>"})}
    return Graph(
        tuple(
            NodeRecord(
                name, "layer", f"<u>{name[:20]}</u>", "float32", (None, 4), source=Source(f"{name[:40]}.py", 1, name[:40]), quantities=quantities
            )
            for name, quantities in [*((name, captured) for name in HOSTILE_NAMES), ("<b>available</b>", reason)]
        ),
        {"name": "<b>model</b>", "class": "<i>Functional</i>"},
    )


def _expected(path: Path) -> dict[str, Any]:
    run = open_run(path)
    steps = run.steps().tolist()
    return {
        "path": str(path),
        "steps": steps,
        "overhead": [_plain(seconds) for seconds in run.captures().overhead.tolist()],
        "dropped": run.captures().dropped.tolist(),
        "columns": [*run.columns, *COUNTS],
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                "state": node.state,
                "title": node.title,
                "sentence": node.sentence,
                "remedy": node.remedy,
                "code": node.code_to_paste,
                "source": node.attributes.get("source_text", ""),
            }
            for node in run.nodes
        ],
        "numbers": {quantity: [_snapshot(run, step, quantity) for step in steps] for quantity in QUANTITIES},
        "findings": [finding.to_json() for finding in diagnosis.evaluate(run).findings],
    }


def _samples(logs: Path) -> dict[str, Any]:
    whole, spread = open_run(logs / "digits" / "train"), open_run(logs / "second" / "train")
    return {
        "step": SAMPLE_STEP,
        "strides": STRIDES,
        "strided": spread.value("encoder/conv2d", SAMPLE_STEP).tolist(),
        "values": {name: whole.value(name, SAMPLE_STEP).tolist() for name in SAMPLED},
    }


def _snapshot(run: Any, step: int, quantity: Any) -> list[list[float | str]]:
    statistics, counts = run.snapshot(step, quantity)
    return [[_plain(number) for number in (*row, *count)] for row, count in zip(statistics.tolist(), counts.tolist(), strict=True)]


def _plain(number: float) -> float | str:
    return number if np.isfinite(number) else str(number)


@pytest.fixture(scope="session")
def handover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The path of the JSON file that the tests read."""
    with hand_over(tmp_path_factory.mktemp("browser")) as file:
        yield file


@contextmanager
def hand_over(root: Path) -> Iterator[Path]:
    """Makes runs and servers in ``root`` and yields the file that tells of them."""
    logs = root / "logs"
    _build_digits(logs / "digits" / "train", 0, DROPPED)
    _build_digits(logs / "second" / "train", 1, strides=STRIDES)
    build_run(logs / "<img src=x onerror=alert(4)>" / "train", _hostile_graph(), range(30), _hostile_values())
    _write_scalar(logs / "digits" / "train")
    generate(root / "large" / "many" / "train", 10_000, 10, per_segment=10, histograms=False)
    generate(root / "large" / "long" / "train", 1_000, int(os.environ.get("TBA_CAPTURES", "1000")), histograms=False)
    broken = parse_nodes("layer dense Dense [?,4]")
    build_run(root / "large" / "broken" / "train", broken, range(10), lambda *_: np.full((4, 4), np.nan, np.float32))
    build_run(root / "large" / "colored" / "train", COLORED, range(10), _colored_values())
    demo = root / "trained" / "demo"
    subprocess.run([sys.executable, "-m", "tests.browser.train_demo", str(demo)], cwd=ROOT, check=True, capture_output=True)
    for name in ("empty", "live"):
        (root / name).mkdir()
    SHOTS.mkdir(parents=True, exist_ok=True)
    ways = {
        "fast": ["--logdir", str(logs), "--load_fast=true"],
        "python": ["--logdir", str(logs), "--load_fast=false"],
        "prefixed": ["--logdir", str(logs), "--path_prefix=/some/where"],
        "specified": ["--logdir_spec", f"one:{logs / 'digits'}"],
        "trained": ["--logdir", str(root / "trained")],
        "large": ["--logdir", str(root / "large")],
        "empty": ["--logdir", str(root / "empty")],
        "live": ["--logdir", str(root / "live")],
    }
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serve(*arguments, "--reload_interval=2")).url for name, arguments in ways.items()}
        file = root / "handover.json"
        content = {
            "servers": servers,
            "runs": {
                str(path.relative_to(path.parent.parent)): _expected(path) for path in (*sorted(logs.glob("*/train")), root / "trained/demo/train")
            },
            "firstNan": FIRST_NAN,
            "samples": _samples(logs),
            "logs": str(logs),
            "live": str(root / "live"),
            "shots": str(SHOTS),
            "python": sys.executable,
            "root": str(ROOT),
        }
        file.write_text(json.dumps(content), encoding="utf-8")
        yield file
