"""Findings over HTTP: never waited for, the same as `diagnosis` gives, followed while the run grows."""

from __future__ import annotations

import json
import math
import threading
import time

import numpy as np
import pytest

from tb_activations import diagnosis, open_run
from tb_activations.plugin import findings as plugin_findings
from tb_activations.plugin.http import json_answer
from tb_activations.store.container import FileChangedError
from tb_activations.store.findingsfile import write_findings
from tb_activations.store.names import data_directory, findings_name
from tests.builders import build_run, normal_values, parse_nodes
from tests.plugin.client import PluginClient

GRAPH = parse_nodes("input x [?,4]; layer dense Dense [?,8] <- x relu gradient; loss loss [] <- dense")


def _values(name, quantity, step):
    tensor = normal_values(GRAPH)(name, quantity, step)
    return np.full_like(tensor, np.nan) if name == "dense" and step >= 20 else tensor


def _settled(client, **query):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = client.json("findings", run="train", **query)
        if not answer["pending"]:
            return answer
        time.sleep(0.01)
    raise AssertionError("the findings stay pending")


def test_findings_are_those_of_the_rules(tmp_path):
    path = build_run(tmp_path / "train", GRAPH, range(0, 50, 5), _values)
    answer = _settled(PluginClient(tmp_path))
    report = diagnosis.evaluate(open_run(path))
    assert report.findings
    assert answer["findings"] == json.loads(json_answer(report.to_json()).content)["findings"]
    assert answer["quiet"] == report.to_json()["quiet"]
    assert (answer["checked_captures"], answer["problems"]) == (10, list(report.problems))


def test_findings_follow_a_growing_run_and_a_pending_answer_is_never_kept(tmp_path):
    build_run(tmp_path / "train", GRAPH, range(0, 20, 5), _values)
    client = PluginClient(tmp_path)
    version = client.json("runs")["runs"][0]["version"]
    first = client.open("findings", run="train", v=version)
    assert "max-age" not in first.headers["Cache-Control"]
    assert not any(finding["rule"] == "nonfinite" for finding in _settled(client)["findings"])
    build_run(tmp_path / "train", GRAPH, range(20, 40, 5), _values)
    answer = _settled(client)
    assert answer["checked_captures"] == 8
    assert any(finding["rule"] == "nonfinite" and finding["first_step"] == 20 for finding in answer["findings"])


def test_validation_that_comes_late_is_judged(tmp_path):
    graph = parse_nodes("input x [?,4]; layer dense Dense [?,8] <- x; layer norm BatchNormalization [?,8] <- dense; loss loss [] <- norm")
    normal = normal_values(graph)
    path = build_run(tmp_path / "train", graph, range(0, 400, 10), normal)
    client = PluginClient(tmp_path)
    assert _settled(client)["findings"] == []
    build_run(tmp_path / "validation", graph, (250, 300, 350), lambda *which: normal(*which) * np.float32(0.01 if which[0] == "norm" else 1))
    cold = diagnosis.evaluate(open_run(path)).findings
    assert [finding.rule for finding in cold] == ["batchnorm_drift"]
    assert [finding["rule"] for finding in _settled(client)["findings"]] == ["batchnorm_drift"]


def test_only_so_many_runs_are_followed_and_one_that_was_given_up_is_looked_at_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin_findings, "_MOST", 2)
    runs = {name: open_run(build_run(tmp_path / name, GRAPH, range(3))) for name in ("a", "b", "c")}
    findings = plugin_findings.Findings()
    for name in ("a", "b", "a", "c", "b"):
        deadline = time.monotonic() + 60
        while findings.present(name, runs[name])["pending"] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert findings.present(name, runs[name])["checked_captures"] == 3
    assert list(findings._evaluations) == ["c", "b"]


def test_what_rules_of_the_user_recorded_is_told_with_the_others(tmp_path):
    path = build_run(tmp_path / "train", GRAPH, range(0, 50, 5), _values)
    client = PluginClient(tmp_path)
    _settled(client)
    finding = {"rule": "mine", "title": "Mine", "node": "dense", "quantity": "value", "statistic": "mean", "first_step": 5, "last_step": 20}
    words = {"severity": "note", "evidence": {"mean": math.nan}, "sentence": "It is mine.", "remedy": "Give it back.", "code": ""}
    write_findings(data_directory(path) / findings_name("0123abcd"), {"mine": "Mine", "quiet_one": "Quiet"}, [{**finding, **words}])
    answer = _settled(client)
    assert {**finding, **words, "evidence": {"mean": "NaN"}, "consequence_of": None} in answer["findings"]
    assert {"rule": "quiet_one", "title": "Quiet"} in answer["quiet"]
    assert any(other["rule"] == "nonfinite" for other in answer["findings"])


def test_findings_that_have_not_seen_the_newest_validation_are_pending(tmp_path):
    build_run(tmp_path / "train", GRAPH, range(3))
    build_run(tmp_path / "validation", GRAPH, range(2))
    client = PluginClient(tmp_path)
    _settled(client)
    assert not client.json("findings", run="train")["pending"]
    build_run(tmp_path / "validation", GRAPH, range(2, 3))
    assert client.json("findings", run="train")["pending"]
    _settled(client)


def test_a_request_does_not_wait_for_the_rules(tmp_path, monkeypatch):
    build_run(tmp_path / "train", GRAPH, range(3))
    release = threading.Event()
    evaluate = diagnosis.Diagnosis.update
    monkeypatch.setattr(diagnosis.Diagnosis, "update", lambda self: release.wait(60) and evaluate(self))
    client = PluginClient(tmp_path)
    answers = [client.json("findings", run="train") for _ in range(3)]
    assert [answer["pending"] for answer in answers] == [True] * 3
    assert len(client.json("graph", run="train")["nodes"]) == 3
    release.set()
    assert _settled(client)["checked_captures"] == 3


def test_a_run_that_somebody_copies_over_is_told_as_that_and_looked_at_again(tmp_path, monkeypatch, caplog):
    build_run(tmp_path / "train", GRAPH, range(0, 50, 5), _values)
    client = PluginClient(tmp_path)
    update, sentence = diagnosis.Diagnosis.update, "The files of this run change faster than they can be read."

    def fail(self):
        raise FileChangedError(sentence)

    monkeypatch.setattr(diagnosis.Diagnosis, "update", fail)
    assert _settled(client)["problems"] == [sentence]
    assert caplog.records == [], "nothing that a programmer could mend"
    monkeypatch.setattr(diagnosis.Diagnosis, "update", update)
    build_run(tmp_path / "train", GRAPH, range(50, 60, 5), _values)
    assert _settled(client)["problems"] == []


def test_rules_that_can_not_be_applied_are_a_problem_and_no_endless_waiting(tmp_path, monkeypatch, caplog):
    build_run(tmp_path / "train", GRAPH, range(0, 50, 5), _values)
    client = PluginClient(tmp_path)
    before = _settled(client)
    update = diagnosis.Diagnosis.update

    def fail(self):
        raise OSError("the disk is gone")

    monkeypatch.setattr(diagnosis.Diagnosis, "update", fail)
    build_run(tmp_path / "train", GRAPH, range(50, 60, 5), _values)
    answer = _settled(client)
    assert answer == {**before, "problems": ["The rules could not be applied. TensorBoard's log says why."]}
    assert [record.exc_info[1].args for record in caplog.records] == [("the disk is gone",)]
    monkeypatch.setattr(diagnosis.Diagnosis, "update", update)
    build_run(tmp_path / "train", GRAPH, range(60, 70, 5), _values)
    answer = _settled(client)
    assert (answer["checked_captures"], answer["problems"]) == (14, [])


@pytest.mark.parametrize("query", [{}, {"run": "nothing"}])
def test_bad_input(tmp_path, query):
    response = PluginClient(tmp_path).open("findings", **query)
    assert response.status_code == (404 if query else 400)


def test_no_rule_fails_on_a_run_without_weights(tmp_path):
    build_run(tmp_path / "train", GRAPH, range(3))
    assert _settled(PluginClient(tmp_path))["problems"] == []
