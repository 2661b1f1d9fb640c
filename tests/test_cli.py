"""The command line as a user and a script meet it: what it prints and how it exits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tb_activations import __version__, cli, diagnosis, open_run
from tb_activations.cli import main
from tb_activations.diagnosis import rules
from tb_activations.store.budget import STAGES
from tb_activations.store.discovery import Discovery, find_runs
from tb_activations.store.findingsfile import write_findings
from tb_activations.store.names import data_directory, findings_name
from tb_activations.store.session import Session
from tests.builders import build_run, capture_of, normal_values, parse_nodes, segments_of

GRAPH = parse_nodes("input x [?,4]; layer dense Dense [?,8] <- x relu gradient; op unused [4] value=filtered; loss loss [] <- dense")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    root = tmp_path_factory.mktemp("logs")

    def values(name, quantity, step):
        tensor = normal_values(GRAPH)(name, quantity, step)
        return np.full_like(tensor, np.nan) if name == "loss" and step >= 20 else tensor

    build_run(root / "sick" / "train", GRAPH, range(0, 50, 5), values)
    return root


def test_info_counts_what_open_run_counts(logdir, capsys):
    assert main(["info", str(logdir)]) == 0
    header, row = (re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines())
    shown = dict(zip(header, row, strict=True))
    run = open_run(logdir / "sick" / "train")
    assert shown["run"] == "sick/train"
    assert shown["nodes"] == str(len(run.nodes))
    for state in ("materialized", "available", "unreachable"):
        assert shown[state] == str(sum(node.state == state for node in run.nodes))
    assert (shown["captures"], shown["steps"]) == ("10", "0–45")
    size, unit = shown["size"].split()
    written = sum(file.stat().st_size for file in (run.path / "plugins" / "tb_activations").iterdir())
    assert float(size) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit] == pytest.approx(written, rel=0.05)


def test_findings_as_json_are_those_of_the_rules(logdir, capsys):
    assert main(["findings", str(logdir), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["runs"]
    report = diagnosis.evaluate(open_run(logdir / "sick" / "train"))
    assert report.findings
    assert answer["run"] == "sick/train"
    assert [finding["sentence"] for finding in answer["findings"]] == [finding.sentence for finding in report.findings]
    assert answer["checked_captures"] == 10


def test_findings_as_text_name_node_and_step_and_what_to_try_where_it_stands_first(tmp_path, capsys):
    graph = parse_nodes("input x [?,4]; layer a Dense [?,8] <- x relu gradient; layer b Dense [?,8] <- a relu gradient; layer c Dense [?,8] <- b")
    normal = normal_values(graph)
    path = build_run(
        tmp_path / "train", graph, range(0, 600, 5), lambda name, *at: normal(name, *at) * (np.float32(0) if name in "ab" and at[-1] >= 200 else 1)
    )
    mine = {"rule": "mine", "title": "Mine", "quantity": "value", "statistic": "mean", "first_step": 0, "last_step": None, "severity": "note"}
    mine |= {"evidence": {}, "sentence": "It is mine.", "remedy": "Give it back.", "code": "give()"}
    write_findings(data_directory(path) / findings_name("0123abcd"), {"mine": "Mine"}, [mine | {"node": node} for node in "xc"])
    findings = diagnosis.evaluate(open_run(path)).findings
    assert [(finding.rule, finding.node, finding.consequence_of is None) for finding in findings] == [
        ("dead_units", "a", True),
        ("dead_units", "b", False),
        ("mine", "x", True),
        ("mine", "c", True),
    ]
    assert main(["findings", str(tmp_path)]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for finding in findings:
        for part in (finding.severity.upper(), finding.title, finding.node, f"since step {finding.first_step}", finding.sentence):
            assert re.sub(r"\s+", " ", part) in text
    assert findings[0].remedy in text
    assert text.count(findings[0].code) == 1
    assert text.count("Give it back. give()") == text.count("Give it back.") == 1


@pytest.mark.parametrize(("severity", "status"), [("error", 1), ("warning", 1), ("note", 1)])
def test_a_chosen_severity_makes_the_exit_status(logdir, capsys, severity, status):
    assert main(["findings", str(logdir), "--fail-on", severity]) == status


def test_a_run_without_findings_passes(tmp_path, capsys):
    build_run(tmp_path / "train", "input x [?,4]", range(3))
    assert main(["findings", str(tmp_path), "--fail-on", "error"]) == 0
    assert "0 findings in 3 captures" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["info", "findings"])
def test_a_directory_without_runs_is_an_error_that_says_so(tmp_path, capsys, command):
    for path, why in ((tmp_path, "with no plugins/tb_activations below that can be read."), (tmp_path / "nothing", "which does not exist.")):
        assert main([command, str(path)]) == 2
        assert capsys.readouterr().err == f"Expected a log directory with runs that hold activations. Received: LOGDIR={path}, {why}\n"


def test_an_address_of_another_machine_is_a_sentence(capsys):
    assert main(["info", "gs://bucket/logs"]) == 2
    assert capsys.readouterr().err.startswith("`LOGDIR` must be a local directory: ")


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"tb-activations {__version__}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_failure_to_tell_of(logdir, unbuffered):
    """As in ``tb-activations findings logs | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tb_activations", "findings", str(logdir), "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""


def test_findings_count_though_somebody_closed_the_output(logdir):
    command = f'exec "{sys.executable}" -m tb_activations findings "{logdir}" --fail-on error >&-'
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [[], ["look"], ["findings"], ["findings", "logs", "--fail-on", "fatal"]])
def test_bad_arguments_show_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tb-activations" in capsys.readouterr().err


def test_names_can_not_command_the_terminal(tmp_path, capsys):
    build_run(tmp_path / "evil\x1b[2Jname" / "train", "input x [4]", range(2))
    assert main(["info", str(tmp_path)]) == 0
    assert main(["findings", str(tmp_path)]) == 0
    assert "\x1b" not in "".join(capsys.readouterr())


def test_a_broken_file_is_named_on_standard_error(tmp_path, capsys):
    path = build_run(tmp_path / "train", "input x [4]", range(2))
    (path / "plugins" / "tb_activations" / "graph-0000000000000000.json").write_text("{")
    assert main(["info", str(tmp_path)]) == 2
    assert "graph-0000000000000000.json" in capsys.readouterr().err
    assert main(["findings", str(tmp_path)]) == 2
    assert "graph-0000000000000000.json" in capsys.readouterr().err


def test_a_run_of_broken_segments_is_not_well(tmp_path, capsys):
    path = build_run(tmp_path / "train", "input x [4]", range(2))
    for segment in segments_of(path):
        segment.write_bytes(b"broken")
    assert main(["findings", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "train holds no capture: no rule could be applied." in error
    assert "segment-" in error


def test_a_rule_that_fails_is_not_well_and_a_finding_is_still_a_finding(logdir, capsys, monkeypatch):
    monkeypatch.setattr(rules, "_registered", {})
    rules.rule("broken")(lambda statistics: 1 / 0)
    assert main(["findings", str(logdir), "--json"]) == 2
    shown = capsys.readouterr()
    assert "Rule broken failed" in shown.err
    assert "Rule broken failed" in json.loads(shown.out)["runs"][0]["problems"][0]
    assert main(["findings", str(logdir), "--fail-on", "error"]) == 1


def test_a_walk_that_was_not_whole_is_not_well(logdir, capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_runs", lambda root: Discovery(find_runs(root).runs, complete=False))
    assert main(["info", str(logdir)]) == 2
    assert "runs beyond are not looked at" in capsys.readouterr().err


def test_whatever_fails_is_a_sentence_and_no_finding(logdir, capsys, monkeypatch):
    def fail(run):
        raise MemoryError("too much")

    monkeypatch.setattr(cli, "evaluate", fail)
    assert main(["findings", str(logdir)]) == 2
    error = capsys.readouterr().err
    assert error == "tb-activations could not go on: MemoryError: too much\n"


def test_a_file_that_goes_away_while_sizes_are_added_is_passed_over(logdir, capsys, monkeypatch):
    is_file = Path.is_file
    monkeypatch.setattr(
        Path, "is_file", lambda path: (data_directory(path.parents[2]) / "gone").stat() if path.name.startswith("segment") else is_file(path)
    )
    assert main(["info", str(logdir)]) == 0


def test_a_run_that_goes_away_meanwhile_ends_no_listing(logdir, capsys, monkeypatch):
    monkeypatch.setattr(cli, "data_directory", lambda run_dir: run_dir / "gone")
    assert main(["info", str(logdir)]) == 0
    assert " 0 B" in capsys.readouterr().out


def test_what_an_encoding_lacks_is_written_another_way(logdir, tmp_path):
    """As on Windows, where a pipe has the encoding of old programs."""
    build_run(tmp_path / "a\u2016b" / "train", GRAPH, range(3))
    command = [sys.executable, "-c", "import sys; from tb_activations.cli import main; sys.exit(main(sys.argv[1:]))", "findings", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"a\\u2016b/train: " in done.stdout


def test_a_size_budget_is_told_and_is_no_failure(tmp_path, capsys):
    graph = parse_nodes("input x [4]")
    session = Session(tmp_path / "train", 0)
    session.prepare()
    fingerprint = session.write_graph(graph)
    session.write_captures([capture_of(graph, normal_values(graph), 3)], [], fingerprint, STAGES[1].code)
    assert main(["findings", str(tmp_path)]) == 0
    assert "Size budget: from step 3 on" in capsys.readouterr().err


def test_what_rules_of_the_user_recorded_is_printed_and_no_control_character_with_it(tmp_path, capsys):
    path = build_run(tmp_path / "train", GRAPH, range(3))
    hostile = "My \x1b[31mown\nrule"
    finding = {"rule": "mine", "title": hostile, "node": "dense", "quantity": "value", "statistic": "mean", "first_step": 1, "last_step": None}
    words = {"severity": "error", "evidence": {}, "sentence": f"It is {hostile}.", "remedy": hostile, "code": hostile}
    write_findings(data_directory(path) / findings_name("0123abcd"), {"mine": hostile}, [{**finding, **words}])
    assert main(["findings", str(tmp_path), "--fail-on", "error"]) == 1
    text = capsys.readouterr().out
    assert "ERROR    My \ufffd[31mown\ufffdrule  dense  value  since step 1" in text
    assert "\x1b" not in text
