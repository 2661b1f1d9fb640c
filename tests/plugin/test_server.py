"""The plugin inside real TensorBoard processes: every way to name a log directory, both data loaders, and faults that must not stop TensorBoard."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tb_activations import open_run
from tests.builders import build_run, segments_of
from tests.tensorboards import serve

pytestmark = pytest.mark.slow

NODES = "input x [4]; layer dense [3] <- x gradient; loss loss [] <- dense"
QUERY = "quantity=value&node=dense"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    for name in ("a", "b"):
        build_run(root / "logs" / name / "train", NODES, range(0, 300, 3), per_segment=20)
    return root


def _wait_for(server, check):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status, body = server.get("runs")
        answer = json.loads(body)
        if status == 200 and check(answer):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"never came true: {answer}\n{server.log}")


def _names(answer):
    return [entry["run"] for entry in answer["runs"]]


WAYS = {
    "the default loader": (["--logdir", "{logs}"], ["a/train", "b/train"]),
    "the fast loader": (["--logdir", "{logs}", "--load_fast=true"], ["a/train", "b/train"]),
    "the Python loader": (["--logdir", "{logs}", "--load_fast=false"], ["a/train", "b/train"]),
    "a path prefix": (["--logdir", "{logs}", "--path_prefix=/some/where"], ["a/train", "b/train"]),
    "a relative directory": (["--logdir", "logs"], ["a/train", "b/train"]),
    "the home directory": (["--logdir", "~/logs"], ["a/train", "b/train"]),
    "one run": (["--logdir", "{logs}/a/train"], ["."]),
    "two named directories": (["--logdir_spec", "one:{logs}/a,two:{logs}/b"], ["one/train", "two/train"]),
}


@pytest.mark.parametrize(("arguments", "names"), WAYS.values(), ids=WAYS)
def test_every_way_to_name_a_log_directory_gives_the_numbers_of_open_run(home, arguments, names):
    arguments = [argument.format(logs=home / "logs") for argument in arguments]
    with serve(*arguments, "--reload_interval=1", cwd=home, env={"HOME": str(home)}) as server:
        assert _names(_wait_for(server, lambda answer: len(answer["runs"]) == len(names))) == names
        status, body = server.get(f"statistics?run={names[0]}&{QUERY}")
        assert status == 200
        history = open_run(home / "logs" / "a" / "train").statistics("dense")
        np.testing.assert_array_equal(safetensors.numpy.load(body)["statistics"][:, 0], history["min"])
        plugin = json.loads(server.get("/data/plugins_listing")[1])["tb_activations"]
        assert plugin["enabled"]
        assert plugin["tab_name"] == "Activations"
        assert plugin["loading_mechanism"]["module_path"].endswith("/data/plugin/tb_activations/static/index.js")
        assert server.get("static/index.js")[0] == 200
        assert "Traceback" not in server.log
        assert "In 3.0" not in server.log


def test_a_run_is_there_before_tensorboard_has_seen_it(tmp_path):
    with serve("--logdir", str(tmp_path), "--reload_interval=100000") as server:
        assert json.loads(server.get("runs")[1])["runs"] == []
        build_run(tmp_path / "train", NODES, range(3), marker=False)
        _wait_for(server, lambda answer: _names(answer) == ["train"])
        assert json.loads(server.get("/data/plugins_listing")[1])["tb_activations"]["enabled"]


BROKEN = {
    "a module of the plugin": "import sys; sys.modules['tb_activations.plugin.routes'] = None",
    "the construction": "from tb_activations.plugin import runs; runs.source_of = lambda context: 1 / 0",
}


@pytest.mark.parametrize("prelude", BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_does_not_stop_tensorboard(home, prelude):
    prelude = f"import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n{prelude}"
    with serve("--logdir", str(home / "logs"), prelude=prelude) as server:
        listing = json.loads(server.get("/data/plugins_listing")[1])
        assert "tb_activations" not in listing
        assert "scalars" in listing
        assert server.get("/data/runs")[0] == 200
        assert server.log.count("TensorBoard goes on without the Activations tab") == 1
        assert "Traceback" not in server.log


BROKEN_READERS = {
    "tb_activations.store.run": "import sys; sys.modules['tb_activations.store.run'] = None",
    "ml_dtypes": "import sys; sys.modules['ml_dtypes'] = None",
}


@pytest.mark.parametrize(("missing", "prelude"), BROKEN_READERS.items(), ids=BROKEN_READERS)
def test_what_is_missing_to_read_runs_is_told_on_the_page_and_in_one_line_of_the_log(home, missing, prelude):
    prelude = f"import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n{prelude}"
    with serve("--logdir", str(home / "logs"), prelude=prelude) as server:
        answer = _wait_for(server, lambda answer: len(answer["runs"]) == 2)
        sentence = f"The installation of tb-activations is not whole: {missing} can't be imported. Reinstalling tb-activations may help."
        assert [run["problems"] for run in answer["runs"]] == [[sentence], [sentence]]
        assert server.get("graph?run=a/train") == (500, sentence.encode())
        assert server.get("static/index.js")[0] == 200
        assert json.loads(server.get("/data/plugins_listing")[1])["scalars"]
        assert server.log.count(sentence) == 1
        assert "Traceback" not in server.log


def _damage_everything(folder: Path) -> None:
    for number, segment in enumerate(segments_of(folder)):
        content = bytearray(segment.read_bytes())
        content[number * 37 % len(content)] ^= 0xFF
        segment.write_bytes(content[: len(content) - number * 100])
    (folder / "graph-0000000000000000.json").write_bytes(b"\x00" * 1000)


def test_corrupt_files_do_not_stop_tensorboard(tmp_path):
    build_run(tmp_path / "good" / "train", NODES, range(3))
    _damage_everything(build_run(tmp_path / "bad" / "train", NODES, range(100), per_segment=5) / "plugins" / "tb_activations")
    with serve("--logdir", str(tmp_path)) as server:
        answer = _wait_for(server, lambda answer: len(answer["runs"]) == 2)
        assert answer["runs"][0]["problems"]
        for route in ("graph?", "steps?", f"statistics?{QUERY}&", f"histogram?{QUERY}&", "matrix?quantity=value&statistic=mean&", "findings?"):
            assert server.get(f"{route}run=good/train")[0] == 200
            assert server.get(f"{route}run=bad/train")[0] in (200, 404, 422)
        assert json.loads(server.get("/data/plugins_listing")[1])["scalars"]
        assert "Traceback" not in server.log


def test_other_methods_and_unknown_routes_are_refused(home):
    with serve("--logdir", str(home / "logs")) as server:
        assert server.get("runs", method="DELETE")[0] == 405
        assert server.get("runs", method="HEAD") == (200, b"")
        assert server.get("nothing")[0] == 404
        assert server.get("static/%2e%2e/plugin.py")[0] == 404
        assert server.get("static/..%2f..%2fsetup.py")[0] == 404
