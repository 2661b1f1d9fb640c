"""The documents hold: code blocks run as they are printed, what is said to be printed is printed, links lead somewhere.

In a page, blocks of Python run one after the other in one process, in an empty directory. What a page presumes stands in `PRESUMED`. A ``text`` block
right after one of Python is what that one prints, warns or raises, line by line; ``…`` stands for anything.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

from tb_activations.store.run import Run

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)\"""")

_SMALL = """
import keras, numpy as np, tensorflow as tf, tb_activations
import tb_activations as tba
x = np.random.default_rng(0).normal(size=(32 * 420, 8, 8, 1)).astype("float32")
y = np.random.default_rng(1).integers(0, 10, len(x))
layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu", name="conv2d"), keras.layers.Flatten()]
encoder = keras.Sequential(layers, name="encoder")
inputs = keras.Input((8, 8, 1))
model = keras.Model(inputs, keras.layers.Dense(10, name="logits")(encoder(inputs)))
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(32).take(3)
log_dir, batches = "logs/presumed", dataset
"""

_STEP = """
loss_function, optimizer = keras.losses.SparseCategoricalCrossentropy(from_logits=True), keras.optimizers.SGD(0.01)
@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = loss_function(y, model(x, training=True))
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return loss
"""

_REPLICAS = """
strategy = tf.distribute.get_strategy()
def replica_step(x, y):
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, model(x, training=True))
    model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return loss
tf.distribute.MultiWorkerMirroredStrategy = tf.distribute.get_strategy  # several workers are more than one process: tests/capture/programs
"""

PRESUMED = {
    "README.md": _SMALL + _STEP,
    "docs/distribution.md": _SMALL + _REPLICAS,
    "docs/findings.md": _SMALL + _STEP,
    "docs/first_steps.md": "",
    "docs/format.md": "docs/first_steps.md",
    "docs/reading.md": "docs/first_steps.md",
    "docs/troubleshooting.md": "",
}
"""Page -> what its blocks presume: code, or the page that comes before."""

RUNNER = """
import contextlib, io, json, sys, traceback, warnings
warnings.simplefilter("always")
namespace = {}
for name, code, raises in json.load(sys.stdin):
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            exec(compile(code, name, "exec"), namespace)
    except Exception as error:
        if not raises:
            raise
        told.write("".join(traceback.format_exception_only(error)))
    print(json.dumps(told.getvalue()), file=sys.__stdout__)
"""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(page: str) -> list[tuple[str, str, str]]:
    """Of each block of Python its place, its code, and the text that follows at once (or nothing)."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    return [
        (
            f"{page}:{text[: block.start()].count(chr(10)) + 2}",
            block[2],
            after[2] if after and after[1] == "text" and _adjacent(text, block, after) else "",
        )
        for block, after in zip_longest(blocks, blocks[1:])
        if block[1] == "python"
    ]


def _adjacent(text: str, block: re.Match[str], after: re.Match[str]) -> bool:
    return not text[block.end() : after.start()].strip()


def _is_told(line: str, output: str) -> bool:
    return re.search(".*".join(map(re.escape, line.strip().split("…"))), output) is not None


@pytest.mark.slow
@pytest.mark.parametrize("page", PRESUMED)
def test_code_runs_as_it_is_printed(page, tmp_path):
    presumed = PRESUMED[page]
    before = [(place, code, "") for place, code, _ in _blocks(presumed)] if presumed in PRESUMED else [("presumed", presumed, "")]
    blocks = [*before, *_blocks(page)]
    answer = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps([(place, code, bool(told)) for place, code, told in blocks]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_ENVIRONMENT,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    for (place, _, told), output in zip(blocks, map(json.loads, answer.stdout.splitlines()), strict=True):
        missing = [line for line in told.splitlines() if not _is_told(line, output)]
        assert not missing, f"{place} prints:\n{output}"
    for command in re.findall(r"^tb-activations (.*?)(?: +#.*)?$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE):
        subprocess.run([sys.executable, "-m", "tb_activations", *shlex.split(command)], cwd=tmp_path, env=_ENVIRONMENT, check=True)


def test_every_page_with_code_is_run():
    assert {_name(page) for page in PAGES if _blocks(_name(page))} - set(PRESUMED) == {"ARCHITECTURE.md"}, "signatures stand there, no code to run"


def _anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    for found in LINK.finditer(page.read_text(encoding="utf-8")):
        target, _, anchor = (found[1] or found[2]).partition("#")
        if "://" not in target:
            path = (page.parent / target) if target else page
            assert path.exists(), found[0]
            assert not anchor or anchor in _anchors(path), found[0]


def test_what_architecture_says_of_a_run_exists():
    told = set(re.findall(r"^run\.(\w+)", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert told
    assert told <= set(dir(Run))


def test_the_files_that_architecture_names_exist():
    folders = ("tb_activations", "frontend/src", "frontend/tests", "tests", "docs", "demo", "benchmarks", "scripts")
    inside = [path for folder in folders for path in (ROOT / folder, *(ROOT / folder).rglob("*"))]
    paths = [f"/{_name(path)}{'/' if path.is_dir() else ''}" for path in (*ROOT.glob("*.*"), *(ROOT / "frontend").glob("*.ts"), *inside)]
    named = re.findall(r"`([\w./]+(?:\.(?:py|md|txt|ts|tsx)|/))`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert "capture/undo.py" in named
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in paths)] == []
