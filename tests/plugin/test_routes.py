"""Every route through TensorBoard's own WSGI application, compared with `open_run`; bad input as a table."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tb_activations import open_run
from tb_activations.plugin import matrix, views
from tb_activations.store import index as index_module
from tb_activations.store.schema import COUNTS, Operation, Source
from tests.builders import build_run, capture_of, normal_values, open_writer, parse_nodes, put
from tests.plugin.client import NODES, STEPS, PluginClient

RUN = "digits/train"


@pytest.fixture(scope="module")
def run(logdir):
    return open_run(logdir / RUN)


def test_runs(client, logdir, run):
    answer = client.json("runs")
    assert answer["logdir"] == str(logdir)
    assert answer["problem"] is None
    assert answer["first_steps"] is None
    assert answer["runs"] == [
        {
            "run": RUN,
            "version": run.version,
            "graph": client.json("graph", run=RUN)["graph"],
            "sessions": answer["runs"][0]["sessions"],  # below
            "nodes": 6,
            "captures": 10,
            "first_step": 0,
            "last_step": 63,
            "last_wall_time": run.captures().wall_time[-1],
            "dropped": 0,
            "problems": [],
        }
    ]


def test_a_run_tells_when_other_sessions_recorded_it(tmp_path):
    def told():
        (run,) = PluginClient(tmp_path).json("runs")["runs"]
        return run["graph"], run["sessions"]

    graph = parse_nodes(NODES)
    build_run(tmp_path / "train", NODES, range(0, 40, 10))
    before = told()
    build_run(tmp_path / "train", NODES, range(40, 80, 10))  # goes on
    resumed = told()
    shutil.rmtree(tmp_path / "train")
    build_run(tmp_path / "train", NODES, range(0, 80, 10))  # begun anew, of as many steps
    assert before[0] == resumed[0] == told()[0]
    assert len({before[1], resumed[1], told()[1]}) == 3
    with open_writer(tmp_path / "train", graph) as writer:  # goes on, and is read in between
        put(writer, 80, [capture_of(graph, normal_values(graph), 80)])
        writer.flush()
        growing = told()
        put(writer, 90, [capture_of(graph, normal_values(graph), 90)])
    assert told() == growing


def test_graph(client, run):
    answer = client.json("graph", run=RUN)
    assert answer["statistics"] == list(run.columns)
    assert answer["model"] == {"name": "model", "class": "Functional"}
    assert [node["name"] for node in answer["nodes"]] == [node.name for node in run.nodes]
    dense = answer["nodes"][1]
    assert dense["shape"] == [None, 8]
    assert dense["inputs"] == [0]
    assert dense["source"] == {"file": "model.py", "line": 11, "function": "build"}
    assert answer["states"][dense["quantities"]["gradient"]] == {"state": "materialized", "reason": None, "captures": 10, "sampled": True}
    for node, expected in zip(answer["nodes"], run.nodes, strict=True):
        for quantity, state in expected.quantities.items():
            given = answer["states"][node["quantities"][quantity]]
            words = [given.get(key, "").replace("\0", expected.name) for key in ("title", "sentence", "remedy", "code")]
            assert words == [state.title, state.sentence, state.remedy, state.code_to_paste]
            assert (given["state"], given["reason"], given["captures"]) == (state.state, state.reason, state.captures)
    assert answer["states"][answer["nodes"][2]["quantities"]["gradient"]]["state"] == "available"


def test_the_words_of_a_reason_are_sent_once_for_all_nodes_that_have_it(tmp_path):
    build_run(tmp_path / "train", parse_nodes("\n".join(f"layer dense_{number} Dense [?,3] gradient=not_on_loss_path" for number in range(50))))
    answer = PluginClient(tmp_path).json("graph", run="train")
    assert len(answer["states"]) == 2
    assert {tuple(node["quantities"].values()) for node in answer["nodes"]} == {(0, 1)}


def test_operations(tmp_path):
    source = Source("model.py", 7, "call")
    operations = [Operation(f"dense/MatMul_{number}", "MatMul", "float32", (None, 3), source) for number in range(300)]
    relu = Operation("dense/act", "Relu", None, None, None, (0, 299))
    graph = dataclasses.replace(parse_nodes("layer dense Dense [?,3]"), operations=(*operations, relu))
    build_run(tmp_path / "train", graph)
    client = PluginClient(tmp_path)
    everything = client.json("operations", run="train")
    assert (everything["total"], everything["found"], len(everything["operations"])) == (301, 301, 200)
    assert everything["operations"][7] == {
        "name": "dense/MatMul_7",
        "type": "MatMul",
        "dtype": "float32",
        "shape": [None, 3],
        "source": {"file": "model.py", "line": 7, "function": "call"},
        "inputs": [],
    }
    found = client.json("operations", run="train", text="RELU")
    inputs = ["dense/MatMul_0", "dense/MatMul_299"]
    expected = {"name": "dense/act", "type": "Relu", "dtype": None, "shape": None, "source": None, "inputs": inputs}
    assert found == {"total": 301, "found": 1, "operations": [expected]}


def test_operations_that_come_later_are_not_hidden_by_what_a_browser_keeps(tmp_path):
    """As where a run is copied file by file: the file of operations is the last."""
    build_run(tmp_path / "train", dataclasses.replace(parse_nodes("layer dense"), operations=(Operation("dense/act", "Relu"),)))
    (path,) = tmp_path.rglob("operations-*.json")
    content = path.read_bytes()
    path.unlink()
    client = PluginClient(tmp_path)
    seen = set()
    for total in (0, 1, 0):
        version = client.json("runs")["runs"][0]["version"]
        response = client.open("operations", run="train", v=version)
        assert (json.loads(response.get_data())["total"], "max-age" in response.headers["Cache-Control"]) == (total, True)
        seen.add(version)
        path.unlink() if total else path.write_bytes(content)
    assert len(seen) == 2


def test_another_version_of_this_package_has_other_words(tmp_path, monkeypatch):
    build_run(tmp_path / "train", NODES)
    before = PluginClient(tmp_path).json("runs")["runs"][0]["version"]
    assert PluginClient(tmp_path).json("runs")["runs"][0]["version"] == before
    monkeypatch.setattr(index_module, "__version__", "0.2.0")
    assert PluginClient(tmp_path).json("runs")["runs"][0]["version"] != before


def test_a_run_without_operations_says_so(client):
    assert client.json("operations", run=RUN) == {"total": 0, "found": 0, "operations": []}


def test_steps(client, run):
    arrays = client.arrays("steps", run=RUN)
    captures = run.captures()
    for name in ("step", "wall_time", "epoch", "overhead", "loss_scale", "dropped"):
        np.testing.assert_array_equal(arrays[name], getattr(captures, name).astype(arrays[name].dtype))
    np.testing.assert_array_equal(arrays["loss"], run.statistics("loss")["mean"])
    assert {name: array.dtype.str for name, array in arrays.items()} == {
        "step": "<f8",
        "wall_time": "<f8",
        "dropped": "<f8",
        "epoch": "<i4",
        "overhead": "<f4",
        "loss": "<f4",
        "loss_scale": "<f4",
    }


@pytest.mark.parametrize("quantity", ["value", "gradient", "update"])
def test_snapshot(client, run, quantity):
    arrays = client.arrays("snapshot", run=RUN, step=14, quantity=quantity)
    statistics, counts = run.snapshot(14, quantity)
    np.testing.assert_array_equal(arrays["statistics"], statistics)
    np.testing.assert_array_equal(arrays["counts"], counts)


@pytest.mark.parametrize("node", ["x", "encoder/dense", "encoder/dense/kernel"])
def test_statistics(client, run, node):
    arrays = client.arrays("statistics", run=RUN, node=node, quantity="value")
    expected = run.statistics(node)
    assert arrays["step"].tolist() == list(STEPS)
    for column, name in enumerate(client.json("graph", run=RUN)["statistics"]):
        np.testing.assert_array_equal(arrays["statistics"][:, column], expected[name])
    for column, name in enumerate(COUNTS):
        np.testing.assert_array_equal(arrays["counts"][:, column], expected[name])


def test_histogram(client, run):
    expected = run.histogram("encoder/dense", "gradient")
    arrays = client.arrays("histogram", run=RUN, node="encoder/dense", quantity="gradient")
    assert arrays["start"].tolist() == arrays["stop"].tolist() == list(STEPS)
    np.testing.assert_array_equal(arrays["counts"], expected.counts)
    np.testing.assert_array_equal(arrays["range"], expected.edges[:, [0, -1]].astype(np.float32))
    assert arrays["elements"].tolist() == [32] * 10
    merged = client.arrays("histogram", run=RUN, node="encoder/dense", quantity="gradient", columns=3)
    assert (merged["start"].tolist(), merged["stop"].tolist()) == ([0, 21, 42], [14, 35, 63])
    assert merged["elements"].tolist() == [96, 96, 128]
    np.testing.assert_allclose(merged["counts"].sum(axis=1), [96, 96, 128], rtol=1e-6)
    np.testing.assert_array_equal(merged["range"][0], [expected.edges[:3].min(), expected.edges[:3].max()])


def test_value(client, run):
    response = client.open("value", run=RUN, node="encoder/dense", step=21, quantity="gradient")
    content = response.get_data()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"elements": "32", "batch_axis": "0", "strides": "1,1"}
    arrays = client.arrays("value", run=RUN, node="encoder/dense", step=21, quantity="gradient")
    np.testing.assert_array_equal(arrays["value"], run.value("encoder/dense", 21, "gradient"))
    np.testing.assert_array_equal(arrays["value"], normal_values(parse_nodes(NODES))("encoder/dense", "gradient", 21))
    kernel = client.open("value", run=RUN, node="encoder/dense/kernel", step=21, quantity="update").get_data()
    assert b'"batch_axis": ""' in kernel or b'"batch_axis":""' in kernel


def test_a_matrix_of_very_many_nodes_has_fewer_columns_and_all_extremes(client, run, monkeypatch):
    monkeypatch.setattr(views, "_MATRIX_CELLS", 3 * len(run.nodes) + 1)
    query = {"run": RUN, "quantity": "value", "statistic": "max"}
    bounded, asked = client.arrays("matrix", columns=4096, **query), client.arrays("matrix", columns=3, **query)
    assert bounded["high"].shape == (len(run.nodes), 3)
    for name, array in asked.items():
        np.testing.assert_array_equal(bounded[name], array)


def test_matrix_shows_every_extreme(client, run):
    statistic, columns = "max", 4
    arrays = client.arrays("matrix", run=RUN, quantity="gradient", statistic=statistic, columns=columns)
    assert (arrays["start"].tolist(), arrays["stop"].tolist()) == ([0, 14, 35, 49], [7, 28, 42, 63])
    for index, node in enumerate(run.nodes):
        history = run.statistics(node.name, "gradient")
        for column in range(columns):
            inside = (history["step"] >= arrays["start"][column]) & (history["step"] <= arrays["stop"][column])
            numbers = history[statistic][inside]
            expected = (numbers.min(), numbers.max()) if len(numbers) else (np.nan, np.nan)
            np.testing.assert_array_equal((arrays["low"][index, column], arrays["high"][index, column]), expected)
    assert not arrays["nonfinite"].any()


@pytest.mark.parametrize(("first", "last"), [(0, 63), (7, 21), (8, 20), (63, 2**53), (64, 70), (10, 10)])
def test_a_matrix_of_some_steps_is_that_part_of_the_whole(client, run, first, last):
    whole = client.arrays("matrix", run=RUN, quantity="value", statistic="std")
    part = client.arrays("matrix", run=RUN, quantity="value", statistic="std", first_step=first, last_step=last)
    inside = (whole["start"] >= first) & (whole["stop"] <= last)
    assert part["start"].tolist() == run.steps()[(run.steps() >= first) & (run.steps() <= last)].tolist()
    for name in ("start", "stop"):
        np.testing.assert_array_equal(part[name], whole[name][inside])
    for name in ("low", "high", "nonfinite"):
        np.testing.assert_array_equal(part[name], whole[name][:, inside])


def test_one_end_of_the_steps_is_enough(client, run):
    query = {"run": RUN, "quantity": "value", "statistic": "std"}
    steps = run.steps()
    assert client.arrays("matrix", **query, first_step=30)["start"].tolist() == steps[steps >= 30].tolist()
    assert client.arrays("matrix", **query, last_step=30)["start"].tolist() == steps[steps <= 30].tolist()


def test_matrix_of_update_ratios(client, run):
    arrays = client.arrays("matrix", run=RUN, quantity="update", statistic="update_ratio")
    kernel = [node.name for node in run.nodes].index("encoder/dense/kernel")
    update, weight = (run.statistics("encoder/dense/kernel", quantity)["l2_norm"] for quantity in ("update", "value"))
    np.testing.assert_array_equal(arrays["low"][kernel], update / weight)
    assert np.isnan(arrays["low"][0]).all()


@pytest.fixture(scope="module")
def broken_numbers(tmp_path_factory):
    """A run in which everything that is not finite occurs, in the tensors and in their statistics."""
    root = tmp_path_factory.mktemp("broken_numbers")
    graph = parse_nodes("input x [4]; layer good [4] <- x; layer rare [4] <- x")

    def values(name, quantity, step):
        if name == "rare" and step % 2:
            return None
        tensors = {3: [np.nan, 1, 2, 3], 5: [np.inf, -np.inf, np.nan, 0], 7: [np.nan] * 4, 8: [2e38, 2e38, 0, 0]}
        return np.array(tensors.get(step, [1, 2, 3, 4]) if name == "x" else [1, 2, 3, step], np.float32)

    build_run(root / "train", graph, range(10), values)
    return PluginClient(root)


def test_nan_and_infinities_arrive_as_they_are(broken_numbers):
    value = broken_numbers.arrays("value", run="train", node="x", step=5, quantity="value")["value"]
    assert value.tobytes() == np.array([np.inf, -np.inf, np.nan, 0], np.float32).tobytes()
    statistics = broken_numbers.arrays("statistics", run="train", node="x", quantity="value")
    assert statistics["counts"][5].tolist() == [4, 1, 1, 1]
    assert np.isnan(statistics["statistics"][7, :5]).all()
    snapshot = broken_numbers.arrays("snapshot", run="train", step=3, quantity="value")
    assert snapshot["counts"][0].tolist() == [4, 1, 0, 0]
    assert snapshot["counts"][2].tolist() == [-1, 0, 0, 0]


def test_matrix_flags_what_is_not_finite(broken_numbers):
    arrays = broken_numbers.arrays("matrix", run="train", quantity="value", statistic="mean", columns=5)
    assert arrays["nonfinite"].tolist() == [[0, 1, 1, 1, 0], [0] * 5, [0] * 5]
    nans = broken_numbers.arrays("matrix", run="train", quantity="value", statistic="nan_count")
    assert nans["high"][0].tolist() == [0, 0, 0, 1, 0, 1, 0, 4, 0, 0]
    infinities = broken_numbers.arrays("matrix", run="train", quantity="value", statistic="inf_count")
    assert infinities["high"][0].tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    assert np.isnan(infinities["high"][2][1::2]).all()


def test_a_matrix_is_the_same_however_it_is_cut_into_stretches(client, run, monkeypatch):
    whole = {
        statistic: client.arrays("matrix", run=RUN, quantity="update", statistic=statistic, columns=7)
        for statistic in ("mean", "nan_count", "update_ratio")
    }
    for numbers in (1, 13, 20):
        monkeypatch.setattr(matrix, "_STRETCH_NUMBERS", numbers)
        for statistic, expected in whole.items():
            arrays = client.arrays("matrix", run=RUN, quantity="update", statistic=statistic, columns=7)
            for name, array in expected.items():
                np.testing.assert_array_equal(arrays[name], array)


BAD = [
    ("graph", {}, 400, "Expected the argument `run`"),
    ("graph", {"run": "nothing"}, 404, "No run 'nothing' holds activations. These do: 'digits/train'."),
    ("graph", {"run": "digits/trains"}, 404, "Did you mean 'digits/train'?"),
    ("graph", {"run": "../digits/train"}, 404, "No run"),
    ("graph", {"run": "/etc"}, 404, "No run"),
    ("graph", {"run": "digits"}, 404, "No run"),
    ("graph", {"run": "digits/train\x00"}, 404, "No run"),
    ("graph", {"run": "x" * 5000}, 404, "No run"),
    ("steps", {"run": ""}, 404, "No run ''"),
    ("snapshot", {"run": RUN, "quantity": "value"}, 400, "Expected the argument `step`"),
    ("snapshot", {"run": RUN, "step": "0"}, 400, "Expected the argument `quantity`"),
    ("snapshot", {"run": RUN, "step": "seven", "quantity": "value"}, 400, "step='seven'"),
    ("snapshot", {"run": RUN, "step": "-1", "quantity": "value"}, 400, "step='-1'"),
    ("snapshot", {"run": RUN, "step": "1e3", "quantity": "value"}, 400, "step='1e3'"),
    ("snapshot", {"run": RUN, "step": "9" * 30, "quantity": "value"}, 400, "an integer from 0 to"),
    ("snapshot", {"run": RUN, "step": "8", "quantity": "value"}, 404, "7, 14"),
    ("snapshot", {"run": RUN, "step": "0", "quantity": "values"}, 400, "one of value, gradient, update"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "median"}, 400, "one of min, max, mean"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "min", "columns": "0"}, 400, "from 1 to 4096"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "min", "columns": "4097"}, 400, "from 1 to 4096"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "min", "first_step": "9", "last_step": "8"}, 400, "first_step=9, last_step=8"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "min", "first_step": "-1"}, 400, "`first_step` to be an integer from 0"),
    ("matrix", {"run": RUN, "quantity": "value", "statistic": "min", "last_step": "end"}, 400, "`last_step` to be an integer from 0"),
    ("statistics", {"run": RUN, "quantity": "value"}, 400, "Expected the argument `node`"),
    ("statistics", {"run": RUN, "node": "encoder/dens", "quantity": "value"}, 404, "'encoder/dense'"),
    ("statistics", {"run": RUN, "node": "../../etc/passwd", "quantity": "value"}, 404, "Expected the name of a node"),
    ("statistics", {"run": RUN, "node": "x", "quantity": "value", "rank": "first"}, 400, "rank='first'"),
    ("statistics", {"run": RUN, "node": "x", "quantity": "value", "rank": "1"}, 404, "Expected the rank of a recorded replica: 0."),
    ("histogram", {"run": RUN, "node": "x", "quantity": "value", "columns": "many"}, 400, "columns='many'"),
    ("histogram", {"run": RUN, "node": "<script>alert(1)</script>", "quantity": "value"}, 404, "<script>"),
    ("value", {"run": RUN, "node": "x", "step": "8", "quantity": "value"}, 404, "7, 14"),
    ("value", {"run": RUN, "node": "x", "step": "7", "quantity": "gradient"}, 404, "gradient"),
    ("static/nothing.js", {}, 404, "nothing.js"),
]


@pytest.mark.parametrize(("route", "query", "status", "words"), BAD)
def test_bad_input_is_answered_with_a_sentence(client, logdir, route, query, status, words):
    response = client.open(route, **query)
    text = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (status, "text/plain"), text
    assert words in text
    assert len(text) < 1000
    assert str(logdir) not in text
    assert response.headers["X-Content-Type-Options"] == "nosniff"


ROUTES = ("runs", "graph", "operations", "steps", "snapshot", "matrix", "statistics", "histogram", "value", "findings", "static/index.js")


_TEXTS = (
    st.sampled_from(["", RUN, "x", "7", "value", "mean", "9" * 40, "-1", "1.0", "٣", "\0", "é", "a" * 3000, "[]", "%", "null", "../.."]) | st.text()
)
_QUERIES = st.dictionaries(
    st.sampled_from(["run", "node", "step", "quantity", "statistic", "columns", "first_step", "last_step", "rank", "text", "v"]), _TEXTS
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), query=_QUERIES, most=st.booleans())
def test_whatever_is_asked_is_answered_or_refused_with_a_sentence(client, route, query, most):
    """``most``: what isn't said is right, so that requests get past the first argument."""
    right = {"run": RUN, "node": "x", "step": "7", "quantity": "value", "statistic": "mean"} if most else {}
    response = client.open(route, **{**right, **query})
    text = response.get_data()
    assert response.status_code in (200, 400, 404), text
    if response.status_code != 200:
        assert (response.mimetype, text.rstrip()[-1:]) == ("text/plain", b".")
        assert b"Traceback" not in text


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_and_head(client, route, method):
    response = client.open(route, method=method)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_quantities_that_a_run_lacks_are_empty_not_an_error(client):
    assert len(client.arrays("statistics", run=RUN, node="x", quantity="gradient")["step"]) == 0
    assert client.arrays("histogram", run=RUN, node="x", quantity="gradient")["counts"].shape[0] == 0


def test_only_answers_that_name_the_present_version_may_be_kept(tmp_path):
    root = tmp_path / "train"
    build_run(root, NODES, range(3))
    client = PluginClient(tmp_path)
    version = client.json("runs")["runs"][0]["version"]
    query = {"run": "train", "node": "x", "quantity": "value"}
    assert client.open("statistics", **query, v=version).headers["Cache-Control"] == "private, max-age=86400"
    assert "max-age" not in client.open("statistics", **query).headers["Cache-Control"]
    assert "max-age" not in client.open("statistics", **query, v="other").headers["Cache-Control"]
    build_run(root, NODES, range(3, 6), marker=False)
    newest = client.arrays("statistics", **query)
    assert newest["step"].tolist() == [0, 1, 2, 3, 4, 5]
    assert "max-age" not in client.open("statistics", **query, v=version).headers["Cache-Control"]
    assert client.json("runs")["runs"][0]["version"] != version


def test_an_answer_during_which_the_run_changed_may_not_be_kept(tmp_path, monkeypatch):
    """It may be of the version that was asked for, or of the next one."""
    build_run(tmp_path / "train", "input x [4]", range(3))
    client = PluginClient(tmp_path)
    version = client.json("runs")["runs"][0]["version"]
    steps = views.RUN_VIEWS["/steps"]

    def grow(run, arguments):
        build_run(tmp_path / "train", "input x [4]", range(3, 5), marker=False)
        assert run.refresh()
        return steps(run, arguments)

    assert "max-age" in client.open("steps", run="train", v=version).headers["Cache-Control"]
    monkeypatch.setattr(views, "RUN_VIEWS", {**views.RUN_VIEWS, "/steps": grow})
    assert "max-age" not in client.open("steps", run="train", v=version).headers["Cache-Control"]
