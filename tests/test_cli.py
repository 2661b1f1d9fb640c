"""The command line as a user and a script meet it: what it prints and how it exits."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tb_activations import diagnosis, open_run
from tb_activations.cli import main
from tb_activations.store.findingsfile import write_findings
from tb_activations.store.names import data_directory, findings_name
from tests.builders import build_run, normal_values, parse_nodes

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


def test_findings_as_text_name_node_step_and_remedy(logdir, capsys):
    assert main(["findings", str(logdir)]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for finding in diagnosis.evaluate(open_run(logdir / "sick" / "train")).findings:
        for part in (finding.severity.upper(), finding.title, finding.node, f"since step {finding.first_step}", finding.sentence, finding.remedy):
            assert re.sub(r"\s+", " ", part) in text


@pytest.mark.parametrize(("severity", "status"), [("error", 1), ("warning", 1), ("note", 1)])
def test_a_chosen_severity_makes_the_exit_status(logdir, capsys, severity, status):
    assert main(["findings", str(logdir), "--fail-on", severity]) == status


def test_a_run_without_findings_passes(tmp_path, capsys):
    build_run(tmp_path / "train", "input x [?,4]", range(3))
    assert main(["findings", str(tmp_path), "--fail-on", "error"]) == 0
    assert "0 findings in 3 captures" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["info", "findings"])
def test_a_directory_without_runs_is_an_error_that_says_so(tmp_path, capsys, command):
    assert main([command, str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "Expected a log directory" in error
    assert f"LOGDIR={tmp_path}" in error


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
    assert main(["info", str(tmp_path)]) == 0
    assert "graph-0000000000000000.json" in capsys.readouterr().err


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
