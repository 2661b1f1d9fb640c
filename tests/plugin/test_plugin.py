"""What TensorBoard asks of the plugin, and what the documentation promises about its routes."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.backend import application
from tensorboard.plugins import base_plugin

from tb_activations.plugin import assets
from tb_activations.plugin.loader import ActivationsLoader
from tests.builders import build_run
from tests.plugin.client import PluginClient

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "http_api.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## `GET (/[^`?]*)(?:\?([^`]*))?`$", re.MULTILINE)
ROUTES = {match[1]: match[2] or "" for match in HEADING.finditer(DOCUMENT)}
GOOD = {
    "run": "digits/train",
    "node": "x",
    "step": "7",
    "quantity": "value",
    "statistic": "mean",
    "rank": "0",
    "columns": "5",
    "first_step": "0",
    "last_step": "40",
    "text": "MatMul",
    "v": "1",
}


def _loaded(logdir, **context):
    return ActivationsLoader().load(base_plugin.TBContext(logdir=str(logdir), flags=SimpleNamespace(logdir_spec=""), **context))


def test_the_documented_routes_are_the_routes(client):
    assert {route.replace("<file>", "*") for route in ROUTES} == set(client.plugin.get_plugin_apps())


@pytest.mark.parametrize(("route", "query"), ROUTES.items())
def test_documented_arguments_are_the_arguments(client, route, query):
    required = re.findall(r"(\w+)=", re.sub(r"\[.*?\]", "", query))
    everything = {name: GOOD[name] for name in re.findall(r"(\w+)=", query)}
    assert client.open(route[1:], **everything).status_code == (404 if "<file>" in route else 200)
    for name in required:
        response = client.open(route[1:], **{key: value for key, value in everything.items() if key != name})
        assert response.status_code == 400
        assert f"`{name}`" in response.get_data(as_text=True)


def _shape(value):
    """The keys of a JSON value, as deep as objects and the first items of lists go."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    return [_shape(item) for item in value[:1]] if isinstance(value, list) else None


def _lacks(example, answer, path=""):
    if isinstance(example, dict) and isinstance(answer, dict):
        missing = [f"{path}/{key}" for key in example if key not in answer]
        return missing + [lack for key in example if key in answer for lack in _lacks(example[key], answer[key], f"{path}/{key}")]
    if isinstance(example, list) and isinstance(answer, list) and example and answer:
        return _lacks(example[0], answer[0], f"{path}[]")
    return []


@pytest.mark.parametrize("route", ["/runs", "/graph", "/findings"])
def test_answers_have_every_key_of_the_documented_example(client, route):
    section = DOCUMENT[DOCUMENT.index(f"`GET {route}") :]
    example = json.loads(re.search(r"```json\n(.*?)```", section, re.DOTALL)[1])
    answer = client.json(route[1:], run="digits/train")
    for open_ended in ("configuration", "versions", "attributes"):
        example.pop(open_ended, None)
    for node in example.get("nodes", []):
        node["quantities"] = {}
    for finding in example.get("findings", []):
        finding["evidence"] = {}
    assert _lacks(_shape(example), _shape(answer)) == []


def test_the_metadata_is_constant_and_points_at_the_front_end(client):
    metadata = client.plugin.frontend_metadata()
    assert (metadata.es_module_path, metadata.tab_name, metadata.disable_reload) == ("/static/index.js", "Activations", False)
    assert metadata == client.plugin.frontend_metadata()
    assert client.plugin.plugin_name == "tb_activations"


def test_the_tab_is_active_once_a_run_is_known(client, tmp_path):
    client.json("runs")
    assert client.plugin.is_active()
    plugin = _loaded(tmp_path)
    assert not plugin.is_active()


def test_asking_whether_it_is_active_looks_at_no_file(client, monkeypatch):
    """A walk may start, but on another thread: the thread of the request itself does nothing that could take time."""
    client.json("runs")
    asking = threading.get_ident()

    def refuse(event, _):
        if event in ("open", "os.scandir", "os.listdir") and threading.get_ident() == asking:
            raise AssertionError(event)

    active = True
    sys.addaudithook(lambda event, arguments: refuse(event, arguments) if active else None)
    try:
        assert client.plugin.is_active()
    finally:
        active = False


@pytest.mark.parametrize("error", [ImportError("no such thing\nin two lines"), SyntaxError("broken"), RecursionError(), MemoryError()])
def test_a_plugin_that_can_not_be_made_is_left_out_with_one_line(monkeypatch, caplog, error):
    class Broken:
        def __getattr__(self, name):
            raise error

    monkeypatch.setitem(sys.modules, "tb_activations.plugin.plugin", Broken())
    with caplog.at_level(logging.WARNING):
        assert ActivationsLoader().load(base_plugin.TBContext(logdir="logs")) is None
    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.strip()
    assert type(error).__name__ in caplog.text


def test_tensorboard_takes_the_loader_as_it_takes_any(logdir):
    flags = SimpleNamespace(logdir=str(logdir), logdir_spec="", samples_per_plugin={}, window_title="", path_prefix="")
    loader = application.make_plugin_loader(ActivationsLoader)
    app = application.TensorBoardWSGIApp(flags, [loader], None)
    assert "/data/plugin/tb_activations/runs" in app.exact_routes


def test_the_loader_adds_no_flag():
    assert ActivationsLoader.define_flags is base_plugin.TBLoader.define_flags
    assert ActivationsLoader.fix_flags is base_plugin.TBLoader.fix_flags


TRAVERSAL = [
    "",
    ".",
    "..",
    "../plugin.py",
    "..%2fplugin.py",
    "%2e%2e/plugin.py",
    "%2e%2e%2fplugin.py",
    "..%5cplugin.py",
    "..\\plugin.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "./index.js",
    "x/../index.js",
    "index.js/",
    "index.js/.",
    "index.js%00",
    "index.js%00.css",
    "INDEX.JS",
    "index.js ",
    "C:%5cwindows%5cwin.ini",
    "secret.py",
    "inner/index.js",
    "link.js",
    "nul.js",
]


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "index.js").write_text("inner")
    (folder / "index.js").write_text("export function render() {}")
    (folder / "index.css").write_text("body {}")
    (folder / "secret.py").write_text("secret")
    (tmp_path / "plugin.py").write_text("secret")
    monkeypatch.setattr(assets, "STATIC_FOLDER", folder)
    return PluginClient(tmp_path)


@pytest.mark.parametrize("name", TRAVERSAL)
def test_static_files_are_those_of_the_manifest_only(static, name):
    response = static.open_path(f"static/{name}")
    assert response.status_code == 404, response.get_data()
    assert b"secret" not in response.get_data().replace(b"'secret.py'", b"")


def test_static_files_have_their_content_type(static):
    script, style = static.open("static/index.js"), static.open("static/index.css")
    assert script.get_data(as_text=True) == "export function render() {}"
    assert (script.mimetype, style.mimetype) == ("text/javascript", "text/css")
    assert script.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-cache" in script.headers["Cache-Control"]


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a/b\\c",
    "ünïcode 🎉",
    "x" * 4000,
    "rtl \u202e name",
    "%2e%2e%2f",
    "../../etc/passwd",
    "a&run=b",
    "?#",
    "null",
]


def test_names_of_nodes_are_any_text(tmp_path):
    from tb_activations.store.schema import Graph, NodeRecord, QuantityPlan

    nodes = tuple(NodeRecord(name, "layer", "Dense", "float32", (4,), quantities={"value": QuantityPlan()}) for name in HOSTILE)
    build_run(tmp_path / "train", Graph(nodes), range(2))
    client = PluginClient(tmp_path)
    assert [node["name"] for node in client.json("graph", run="train")["nodes"]] == HOSTILE
    for name in HOSTILE:
        assert client.arrays("statistics", run="train", node=name, quantity="value")["step"].tolist() == [0, 1]
        assert client.arrays("value", run="train", node=name, step=1, quantity="value")["value"].shape == (4,)


def test_the_plugin_serves_without_tensorflow_and_keras(logdir):
    import subprocess

    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "jax", "torch"):
            raise AssertionError(f"{{name}} is imported")
sys.meta_path.insert(0, Blocked())
from tests.plugin.client import PluginClient
client = PluginClient({str(logdir)!r})
client.json("runs"), client.json("graph", run="digits/train"), client.json("findings", run="digits/train")
query = dict(run="digits/train", quantity="value", node="x", step=7, statistic="mean")
for route in ("steps", "snapshot", "matrix", "statistics", "histogram", "value"):
    client.arrays(route, **query)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
