"""Findings of rules that only the training process had: written, read, refused."""

from __future__ import annotations

import json
import math
import os
import time

import pytest

from tb_activations.errors import FormatError, VersionError
from tb_activations.store.findingsfile import MAX_BYTES, MAX_FINDINGS, MAX_TEXT, read_findings, write_findings
from tb_activations.store.folder import MOST_FINDINGS_FILES
from tb_activations.store.names import data_directory, findings_name
from tb_activations.store.run import Run
from tests.builders import build_run

FINDING = {
    "rule": "too_wide",
    "title": "Too wide",
    "node": "encoder/dense",
    "quantity": "value",
    "statistic": "std",
    "first_step": 10,
    "last_step": None,
    "severity": "warning",
    "evidence": {"std": 3.5, "captures": 4, "word": "text"},
    "sentence": "The spread of `encoder/dense` is 3.5 — zu groß.",
    "remedy": "Make it smaller.",
    "code": "x = 1",
}
RULES = {"too_wide": "Too wide", "quiet_one": "A quiet one"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / findings_name("0123abcd")


def test_what_is_written_is_read(path):
    later = {**FINDING, "node": "", "first_step": 20, "last_step": 30}
    write_findings(path, RULES, [FINDING, later])
    file = read_findings(path)
    assert file.rules == RULES
    assert file.findings == (FINDING, later)
    json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_numbers_that_json_lacks_come_back(path):
    write_findings(path, RULES, [{**FINDING, "evidence": {"a": math.nan, "b": math.inf, "c": -math.inf}}])
    evidence = read_findings(path).findings[0]["evidence"]
    assert math.isnan(evidence["a"])
    assert (evidence["b"], evidence["c"]) == (math.inf, -math.inf)


def test_the_session_that_wrote_last_counts_though_the_clock_was_set_back(tmp_path, monkeypatch):
    build_run(tmp_path, "input x [3]", range(1))
    for session, (moment, node) in enumerate(((2.0e9, "first"), (1.9e9, "second"), (1.9e9, "third"), (1.8e9, "x"))):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        path = data_directory(tmp_path) / findings_name(f"{9 - session:08x}")
        for _ in range(2):
            write_findings(path, RULES, [{**FINDING, "node": node}])
            assert [finding["node"] for finding in Run(tmp_path).recorded_findings.findings] == [node]


def test_what_is_too_much_is_cut_when_it_is_written(path):
    wordy = {**FINDING, "sentence": "x" * 10_000, "evidence": {f"{number}": 1.0 for number in range(1000)}}
    write_findings(path, {f"rule_{number}": "t" * 10_000 for number in range(1000)} | RULES, [])
    assert len(read_findings(path).rules) == 256
    write_findings(path, RULES, [FINDING] * (MAX_FINDINGS + 7))
    assert len(read_findings(path).findings) == MAX_FINDINGS
    write_findings(path, RULES, [wordy] * MAX_FINDINGS)
    file = read_findings(path)
    assert MAX_BYTES * 0.99 < path.stat().st_size <= MAX_BYTES
    assert 500 < len(file.findings) < MAX_FINDINGS
    assert file.findings[0]["sentence"] == "x" * (MAX_TEXT - 1) + "…"
    assert len(file.findings[0]["evidence"]) == 64


def _content(**changes):
    return {"format": "tb_activations", "version": 1, "created": 1.5, "rules": RULES, "findings": [FINDING], **changes}


def _finding(**changes):
    return _content(findings=[{**FINDING, **changes}])


VIOLATIONS = [
    ("findings_not_json", b"{"),
    ("findings_not_json", b"[" * 100_000),
    ("findings_not_object", b"[]"),
    ("findings_too_large", b" " * (MAX_BYTES + 1)),
    ("wrong_format", _content(format="other")),
    ("bad_version", _content(version="1")),
    ("version_too_new", _content(version=2)),
    ("bad_created", _content(created="today")),
    ("bad_created", _content(created=10**400)),
    ("bad_rules", _content(rules=[])),
    ("bad_rules", _content(rules={f"r{number}": "" for number in range(257)})),
    ("bad_rule", _content(rules={"Not A Name": "x"})),
    ("bad_rule", _content(rules={"name": 3})),
    ("bad_findings", _content(findings={})),
    ("bad_findings", _content(findings=[FINDING] * (MAX_FINDINGS + 1))),
    ("finding_not_object", _content(findings=[3])),
    ("bad_finding", _finding(rule="unknown")),
    ("bad_finding", _finding(rule=[])),
    ("bad_finding", _finding(node=None)),
    ("bad_finding", _finding(sentence="x" * (MAX_TEXT + 1))),
    ("bad_finding", _finding(quantity="weight")),
    ("bad_finding", _finding(quantity={})),
    ("bad_finding", _finding(severity="fatal")),
    ("bad_finding", _finding(first_step=-1)),
    ("bad_finding", _finding(first_step=2**60)),
    ("bad_finding", _finding(first_step=1.5)),
    ("bad_finding", _finding(first_step=True)),
    ("bad_finding", _finding(last_step=9)),
    ("bad_evidence", _finding(evidence=[])),
    ("bad_evidence", _finding(evidence={"a": None})),
    ("bad_evidence", _finding(evidence={"a": 10**400})),
    ("bad_evidence", _finding(evidence={f"{number}": 1 for number in range(65)})),
]


@pytest.mark.parametrize(("code", "content"), VIOLATIONS, ids=[f"{number}-{code}" for number, (code, _) in enumerate(VIOLATIONS)])
def test_a_violation_has_its_name_and_costs_the_run_nothing_else(tmp_path, code, content):
    build_run(tmp_path, "input x [4]; layer a [3] <- x", range(3))
    path = data_directory(tmp_path) / findings_name("0123abcd")
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(FormatError, match=f"^{code}: ") as caught:
        read_findings(path)
    assert isinstance(caught.value, VersionError) == (code == "version_too_new")
    run = Run(tmp_path)
    assert [problem.partition(": ")[0] for problem in run.problems] == [f"{path.name} is left out"]
    assert code in run.problems[0]
    assert run.recorded_findings.rules == {}
    assert run.steps().tolist() == [0, 1, 2]


def test_what_a_newer_writer_adds_is_ignored(path):
    path.write_text(json.dumps({**_finding(new=[]), "more": 1}), encoding="utf-8")
    assert read_findings(path).findings == (FINDING,)


class TestInARun:
    def test_of_each_rule_the_newest_file_that_knows_it_counts(self, tmp_path):
        folder = data_directory(build_run(tmp_path, "input x [4]", range(3)))
        old, both = {**FINDING, "first_step": 1}, {**FINDING, "rule": "quiet_one", "first_step": 2}
        write_findings(folder / findings_name("ffffffff"), {"too_wide": "Old title", "quiet_one": "A quiet one"}, [old, both])
        write_findings(folder / findings_name("00000000"), {"too_wide": "Too wide"}, [FINDING])
        recorded = Run(tmp_path).recorded_findings
        assert recorded.rules == RULES
        assert sorted(recorded.findings, key=lambda finding: finding["rule"]) == [both, FINDING]

    def test_a_new_file_is_a_new_version_of_the_run(self, tmp_path):
        folder = data_directory(build_run(tmp_path, "input x [4]", range(3)))
        run = Run(tmp_path)
        seen = {run.version}
        for findings in ([], [FINDING]):
            write_findings(folder / findings_name("0123abcd"), RULES, findings)
            assert run.refresh()
            seen.add(run.version)
            assert run.recorded_findings.findings == tuple(findings)
        assert len(seen) == 3
        assert not run.refresh()

    def test_only_so_many_files_are_read(self, tmp_path):
        folder = data_directory(build_run(tmp_path, "input x [4]", range(3)))
        for number in range(MOST_FINDINGS_FILES + 5):
            path = folder / findings_name(f"{number:08x}")
            write_findings(path, {f"rule_{number}": ""}, [])
            os.utime(path, (number, number))
        assert sorted(Run(tmp_path).recorded_findings.rules) == sorted(f"rule_{number}" for number in range(5, MOST_FINDINGS_FILES + 5))
