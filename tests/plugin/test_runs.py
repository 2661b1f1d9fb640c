"""Where runs come from, and what a broken one does to the others."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.plugins import base_plugin

from tb_activations.errors import NotFoundError
from tb_activations.plugin import runs as runs_module
from tb_activations.plugin.runs import Runs, Source, source_of
from tb_activations.store import container
from tb_activations.store.discovery import Discovery
from tests.builders import build_run, capture_of, normal_values, open_writer, parse_nodes, put, segments_of
from tests.plugin.client import PluginClient
from tests.rights import forbidden, needs_rights

NODES = "input x [4]; layer dense [3] <- x"


def _context(logdir, **arguments):
    return base_plugin.TBContext(logdir=logdir, **{"flags": SimpleNamespace(logdir_spec=""), **arguments})


def _names(logdir, **arguments):
    return [entry["run"] for entry in Runs(source_of(_context(logdir, **arguments))).listing()]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    for name in ("logs/a/train", "logs/b/train"):
        build_run(root / name, NODES, range(2))
    return root


def test_a_log_directory_is_read_as_tensorboard_reads_it(logs, monkeypatch):
    expected = ["a/train", "b/train"]
    assert _names(str(logs / "logs")) == expected
    assert _names(str(logs / "logs") + os.sep) == expected
    assert _names(str(logs / "logs" / "a" / "train")) == ["."]
    monkeypatch.chdir(logs)
    assert _names("logs") == expected
    monkeypatch.setenv("HOME", str(logs))
    assert _names("~/logs") == expected
    assert _names("~nobody_of_this_name/logs") == []


def test_a_relative_log_directory_stays_the_same_when_the_process_moves(logs, monkeypatch, tmp_path):
    monkeypatch.chdir(logs)
    runs = Runs(source_of(_context("logs")))
    monkeypatch.chdir(tmp_path)
    assert [entry["run"] for entry in runs.listing()] == ["a/train", "b/train"]


def test_a_run_needs_no_event_file(tmp_path):
    build_run(tmp_path / "new" / "train", NODES, range(2), marker=False)
    assert _names(str(tmp_path)) == ["new/train"]


@pytest.mark.parametrize(("logdir", "words"), [("", "--logdir"), (None, "--logdir"), ("gs://bucket/logs", "local directory"), ("s3://b", "local")])
def test_without_a_place_to_look_the_reason_is_said(logdir, words):
    runs = Runs(source_of(_context(logdir)))
    assert words in runs.problem
    assert runs.listing() == []
    assert not runs


def test_a_log_directory_that_does_not_exist_yet_is_no_problem_but_is_told(tmp_path):
    runs = Runs(source_of(_context(str(tmp_path / "later"))))
    assert runs.listing() == []
    assert "does not exist" in runs.problem
    (tmp_path / "later").mkdir()
    assert runs.problem is None


def test_a_log_directory_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert Runs(source_of(_context(str(tmp_path / "file")))).problem == f"The log directory {tmp_path / 'file'} is not a directory."


@needs_rights
@pytest.mark.parametrize("below", ["", "logs"])
def test_a_log_directory_that_may_not_be_read_is_told(tmp_path, below):
    build_run(tmp_path / "closed" / "logs" / "train", NODES, range(2))
    logdir = str(tmp_path / "closed" / below)
    runs = Runs(source_of(_context(logdir)))
    with forbidden(tmp_path / "closed"):
        assert runs.problem == f"The log directory {logdir} may not be read."


def test_a_run_that_appears_is_found_and_one_that_goes_away_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(runs_module, "_WALK_PAUSE", 0.0)
    client = PluginClient(tmp_path)
    assert client.json("runs")["runs"] == []
    path = build_run(tmp_path / "late" / "train", NODES, range(2))
    _until(lambda: [entry["run"] for entry in client.json("runs")["runs"]] == ["late/train"])
    assert client.plugin.is_active()
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    _until(lambda: client.json("runs")["runs"] == [])
    assert client.open("graph", run="late/train").status_code == 404
    assert not client.plugin.is_active()


def test_a_name_that_gets_another_directory_is_another_run(tmp_path, monkeypatch):
    """As where TensorBoard's own loader gives a name of --logdir_spec to another directory."""
    monkeypatch.setattr(runs_module, "_WALK_PAUSE", 0.0)
    paths = {"a": str(build_run(tmp_path / "one", NODES, range(3))), "b": str(build_run(tmp_path / "two", NODES, range(5)))}
    runs = Runs(source_of(_context("", multiplexer=SimpleNamespace(RunPaths=lambda: paths))))
    assert [entry["captures"] for entry in runs.listing()] == [3, 5]
    paths["a"] = paths["b"]
    _until(lambda: [(entry["run"], entry["captures"]) for entry in runs.listing()] == [("a", 5), ("b", 5)])


def test_new_captures_are_in_the_next_listing(tmp_path):
    build_run(tmp_path / "train", NODES, range(3))
    client = PluginClient(tmp_path)
    before = client.json("runs")["runs"][0]
    build_run(tmp_path / "train", NODES, range(3, 5))
    after = client.json("runs")["runs"][0]
    assert (before["captures"], after["captures"], after["last_step"]) == (3, 5, 4)
    assert before["version"] != after["version"]
    assert before["graph"] == after["graph"]


def test_where_looking_takes_long_each_listing_looks_at_the_runs_that_wait_longest(tmp_path, monkeypatch):
    for name in "abc":
        build_run(tmp_path / name, NODES, range(2))
    runs = Runs(source_of(_context(str(tmp_path))))
    assert len(runs.listing()) == 3
    refresh, looked_at = runs_module._Entry.refresh, []

    def look_slowly(entry):
        looked_at.append(entry.path.name)
        time.sleep(0.02)
        refresh(entry)

    monkeypatch.setattr(runs_module._Entry, "refresh", look_slowly)
    monkeypatch.setattr(runs_module, "_LISTING_BUDGET", 0.01)
    while len(looked_at) < 6:
        assert len(runs.listing()) == 3
    assert sorted(looked_at[:3]) == ["a", "b", "c"]
    assert looked_at == looked_at[:3] * 2


def test_a_page_learns_from_the_listing_when_a_node_gets_its_first_value(tmp_path):
    graph = parse_nodes(NODES)
    with open_writer(tmp_path / "train", graph) as writer:
        writer.flush()
        client = PluginClient(tmp_path)
        before = client.json("runs")["runs"][0]
        put(writer, 0, [capture_of(graph, normal_values(graph), 0)])
        writer.flush()
        after = client.json("runs")["runs"][0]
        assert before["graph"] != after["graph"]
        answer = client.json("graph", run="train")
        assert answer["graph"] == after["graph"]
        assert {node["state"] for node in answer["nodes"]} == {"materialized"}
        put(writer, 1, [capture_of(graph, normal_values(graph), 1)])
        writer.flush()
        assert client.json("runs")["runs"][0]["graph"] == after["graph"]


def _until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


def _cut_segment(folder: Path) -> None:
    segment = segments_of(folder)[0]
    os.truncate(segment, segment.stat().st_size // 2)


def _garble_segment(folder: Path) -> None:
    segments_of(folder)[0].write_bytes(b"\xff" * 4096)


def _huge_header(folder: Path) -> None:
    segments_of(folder)[0].write_bytes((2**62).to_bytes(8, "little"))


def _garble_graph(folder: Path) -> None:
    next(folder.glob("graph-*")).write_text("{" * 100_000)


def _newer_graph(folder: Path) -> None:
    graph = next(folder.glob("graph-*"))
    graph.write_text(json.dumps({**json.loads(graph.read_text()), "version": 99}))


def _folder_for_graph(folder: Path) -> None:
    graph = next(folder.glob("graph-*"))
    graph.unlink()
    graph.mkdir()


def _link_to_outside(folder: Path) -> None:
    (folder / "segment-000000000009-0000-00000000-000009.safetensors").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    "damage",
    [_cut_segment, _garble_segment, _huge_header, _garble_graph, _newer_graph, _folder_for_graph, _link_to_outside],
    ids=lambda damage: damage.__name__[1:],
)
def test_a_damaged_run_is_listed_with_its_problem_and_disturbs_no_other(tmp_path, damage):
    build_run(tmp_path / "good" / "train", NODES, range(3))
    broken = build_run(tmp_path / "broken" / "train", NODES, range(3))
    damage(broken / "plugins" / "tb_activations")
    client = PluginClient(tmp_path)
    listing = {entry["run"]: entry for entry in client.json("runs")["runs"]}
    assert listing["good/train"]["captures"] == 3
    assert listing["good/train"]["problems"] == []
    assert listing["broken/train"]["problems"]
    assert str(tmp_path) not in json.dumps(listing)
    assert len(client.json("graph", run="good/train")["nodes"]) == 2
    for route in ("graph", "steps", "snapshot", "matrix", "statistics", "histogram", "value"):
        response = client.open(route, run="broken/train", node="x", step=0, quantity="value", statistic="mean")
        assert response.status_code in (200, 404, 422), response.get_data()
        assert os.fsencode(tmp_path) not in response.get_data()
        assert b"Traceback" not in response.get_data()


@needs_rights
def test_a_run_that_may_not_be_read_any_more_is_told_to_whoever_asks(tmp_path):
    folder = build_run(tmp_path / "train", NODES, range(3)) / "plugins" / "tb_activations"
    client = PluginClient(tmp_path)
    assert client.json("runs")["runs"][0]["captures"] == 3
    assert client.open("graph", run="train").status_code == 200  # modules are imported when they are first needed
    with forbidden(folder):
        for route in ("graph", "steps", "snapshot", "findings"):
            response = client.open(route, run="train", step=0, quantity="value")
            assert (response.status_code, response.get_data(as_text=True)) == (422, "A file of this run can't be read. Permission denied.")
        assert client.json("runs")["runs"][0]["problems"] == ["The files of this run can't be read: Permission denied."]
    assert client.json("graph", run="train")["nodes"]


def test_a_file_that_may_not_be_opened_any_more_is_named_without_its_folder(tmp_path, monkeypatch):
    build_run(tmp_path / "train", NODES, range(3))
    client = PluginClient(tmp_path)
    assert client.open("steps", run="train").status_code == 200

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(container, "FileIO", refuse)
    answer = client.open("statistics", run="train", node="x", quantity="value").get_data(as_text=True)
    assert re.search(r"can't be read, .*: segment-[0-9a-f-]+\.safetensors can't be opened: Permission denied\. Ask again\.$", answer)
    assert str(tmp_path) not in answer


def test_what_is_no_file_is_ignored(tmp_path):
    """A pipe would block whoever opens it; links may lead nowhere or to themselves."""
    folder = build_run(tmp_path / "train", NODES, range(3)) / "plugins" / "tb_activations"
    names = [f"segment-00000000000{digit}-0000-0000000{digit}-00000{digit}.safetensors" for digit in "789"]
    os.mkfifo(folder / names[0])
    (folder / names[1]).symlink_to(folder / "nothing")
    (folder / names[2]).symlink_to(folder / names[2])
    os.mkfifo(folder / "graph-0000000000000000.json")
    client = PluginClient(tmp_path)
    (entry,) = client.json("runs")["runs"]
    assert (entry["captures"], entry["problems"]) == (3, [])
    assert client.arrays("statistics", run="train", node="x", quantity="value")["step"].tolist() == [0, 1, 2]


def test_nothing_waits_for_a_walk_that_takes_long(monkeypatch):
    monkeypatch.setattr(runs_module, "_FIRST_WALK", 0.01)
    release = threading.Event()

    def walk():
        release.wait(60)
        return Discovery({}, complete=True)

    runs = Runs(Source("logs", walk, lambda: None))
    assert not runs
    assert runs.listing() == []
    release.set()


def test_a_walk_that_fails_is_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(runs_module, "_WALK_PAUSE", 0.0)
    path = build_run(tmp_path / "train", NODES, range(2))
    answers = iter([OSError("network is down"), Discovery({"train": path}, complete=True)])

    def walk():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    runs = Runs(Source("logs", walk, lambda: None))
    _until(lambda: [entry["run"] for entry in runs.listing()] == ["train"])


def test_a_truncated_walk_is_told(tmp_path):
    runs = Runs(Source("logs", lambda: Discovery({}, complete=False), lambda: None))
    runs.listing()
    assert "more than 200,000 directories" in runs.problem


def test_many_clients_at_once(tmp_path):
    build_run(tmp_path / "train", NODES, range(5))
    client = PluginClient(tmp_path)
    expected = client.open("graph", run="train").get_data()
    with ThreadPoolExecutor(16) as pool:
        listings = [pool.submit(client.json, "runs") for _ in range(40)]
        graphs = [pool.submit(client.open, "graph", run="train") for _ in range(40)]
    assert {len(listing.result()["runs"]) for listing in listings} == {1}
    assert {graph.result().get_data() for graph in graphs} == {expected}


def test_an_unknown_run_is_answered_with_those_that_there_are(tmp_path):
    client = PluginClient(tmp_path)
    assert "None does yet" in client.open("graph", run="x").get_data(as_text=True)
    for number in range(8):
        build_run(tmp_path / f"experiment_{number}", NODES, range(2))
    runs = Runs(source_of(_context(str(tmp_path))))
    assert len(runs.listing()) == 8
    with pytest.raises(NotFoundError, match=r"These do: 'experiment_0', 'experiment_1', .*'experiment_4' and 3 more\.$"):
        runs.get("something quite different")


def test_a_run_that_did_not_change_is_not_described_anew(tmp_path):
    build_run(tmp_path / "grows", NODES, range(3))
    build_run(tmp_path / "rests", NODES, range(3))
    runs = Runs(source_of(_context(str(tmp_path))))
    grows, rests = runs.listing()
    build_run(tmp_path / "grows", NODES, range(3, 5))
    grown, rested = runs.listing()
    assert rested is rests
    assert (grows["captures"], grown["captures"]) == (3, 5)
