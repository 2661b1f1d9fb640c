"""Findings while training runs: printed once, acted on, and no danger to anything."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tb_activations.diagnosis import QuietRule, engine, evaluate, live, rules
from tb_activations.diagnosis.live import Actions, LiveFindings
from tb_activations.diagnosis.terminal import MOST_PRINTED
from tb_activations.errors import ArgumentError
from tb_activations.store.names import data_directory
from tb_activations.store.run import Run
from tests.builders import build_run, capture_of, normal_values, open_writer, parse_nodes, put
from tests.diagnosis.test_engine import NET, values

VALIDATED = "input x [?,4]; layer dense Dense [?,8] <- x; layer norm BatchNormalization [?,8] <- dense; loss loss [] <- norm"


def shrunk(graph):
    """Validation in which a normalization gives a hundredth of what it gives in training."""
    normal = normal_values(graph)
    return lambda name, quantity, step: normal(name, quantity, step) * (np.float32(0.01) if name == "norm" else 1)


def train(tmp_path, actions, warnings, flushes=6):
    """A run whose `stem` dies at step 40, written in so many segments and followed live."""
    graph = parse_nodes(NET)
    live = LiveFindings(tmp_path / "train", actions, warnings.append)
    with open_writer(tmp_path / "train", graph, on_segment=live) as writer:
        for count in range(30):
            put(writer, 5 * count, [capture_of(graph, values(graph, 40), 5 * count)])
            if count % (30 // flushes) == 0:
                writer.flush()
    return live


def test_a_finding_is_printed_once_and_its_consequence_in_one_line(tmp_path, capsys):
    warnings = []
    train(tmp_path, Actions(), warnings)
    printed = capsys.readouterr().err
    assert printed.count("tb_activations error: Dead ReLU at stem (value)\n    All 8 units give 0 for every example since step 40.") == 1
    assert printed.count("Dead ReLU at hidden (value) since step 40, likely a consequence of dead_units at stem since step 40\n") == 1
    assert "keras.layers.LeakyReLU(negative_slope=0.01)" in printed
    assert warnings == []


def test_what_to_try_is_printed_once_however_many_nodes_need_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rules, "_registered", {})
    rules.rule("mine", kinds=("layer",), captures=1, steps=0, sentence="`{node}` is mine.", remedy="Give it back.")(
        lambda statistics: statistics["mean"] > -np.inf
    )
    train(tmp_path, Actions(), [])
    printed = capsys.readouterr().err
    assert "`stem` is mine. Give it back." in printed
    assert "Also at hidden, output." in printed
    assert printed.count("Give it back.") == 1
    assert printed.count("keras.layers.LeakyReLU") == 1  # of `stem`; that of `hidden` follows from it


def test_a_function_is_called_with_each_finding_and_nothing_is_printed_when_not_asked_for(tmp_path, capsys):
    seen = []
    live = train(tmp_path, Actions(print=False, on_finding=seen.append), [])
    assert [(f.rule, f.node) for f in seen] == [("dead_units", "stem"), ("dead_units", "hidden")]
    assert capsys.readouterr().err == ""
    assert live.stop is None


def test_training_is_asked_to_stop_at_the_severity_asked_for(tmp_path):
    assert train(tmp_path, Actions(print=False, stop_on="error"), []).stop.node == "stem"


def test_a_function_that_fails_is_told_once_and_the_run_is_whole(tmp_path):
    warnings = []

    def fail(finding):
        raise RuntimeError("mine")

    live = train(tmp_path, Actions(print=False, on_finding=fail, stop_on="error"), warnings)
    assert warnings == ["The function given as `on_finding` failed: RuntimeError: mine. It is called again with the next finding."]
    assert live.stop.node == "stem"


def test_a_function_that_failed_is_called_with_the_next_finding(tmp_path):
    warnings, seen = [], []

    def flaky(finding):
        seen.append(finding.node)
        if len(seen) == 1:
            raise TimeoutError("no answer")

    train(tmp_path, Actions(print=False, on_finding=flaky), warnings)
    assert seen == ["stem", "hidden"]
    assert len(warnings) == 1


def test_a_stderr_that_is_closed_keeps_no_training_from_its_end(tmp_path, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    seen, warnings = [], []
    live = train(tmp_path, Actions(on_finding=seen.append, stop_on="error"), warnings)
    assert (live.stop.node, len(seen), warnings) == ("stem", 2, [])


def test_a_disk_that_fails_once_is_told_and_looked_at_again(tmp_path, monkeypatch):
    refresh, tries, seen, warnings = Run.refresh, [], [], []

    def flaky(run):
        tries.append(run)
        if len(tries) <= 2:
            raise OSError(5, "Input/output error")
        return refresh(run)

    monkeypatch.setattr(Run, "refresh", flaky)
    train(tmp_path, Actions(print=False, on_finding=lambda finding: seen.append(finding.node)), warnings)
    assert seen == ["stem", "hidden"]
    assert len(warnings) == 1
    assert "Input/output error. It is tried again at the next captures." in warnings[0]


def test_a_rule_that_fails_takes_nothing_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rules, "_registered", {})
    rules.rule("broken")(lambda statistics: 1 / 0)
    train(tmp_path, Actions(), [])
    assert "Dead ReLU at stem" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [{"on_finding": "print"}, {"stop_on": "fatal"}])
def test_a_bad_argument_is_named(arguments):
    with pytest.raises(ArgumentError, match=f"Received: {next(iter(arguments))}="):
        Actions(**arguments)


def test_after_many_findings_one_line_says_where_the_others_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rules, "_registered", {})
    for count in range(MOST_PRINTED):
        rules.rule(f"mine_{count:02d}", kinds=("loss",), captures=1, steps=0)(lambda statistics: statistics["mean"] > -np.inf)
    train(tmp_path, Actions(), [])  # two more at `stem` and `hidden`
    printed = capsys.readouterr().err
    assert printed.count("tb_activations warning: ") + printed.count("tb_activations error: ") == MOST_PRINTED
    assert printed.count("further findings are not printed") == 1


def test_of_several_processes_only_the_first_prints(tmp_path, capsys):
    seen, graph = [], parse_nodes(NET)
    follow = LiveFindings(tmp_path / "train", Actions(on_finding=seen.append), pytest.fail, lambda: False)
    with open_writer(tmp_path / "train", graph, on_segment=follow) as writer:
        for step in range(0, 100, 5):
            put(writer, step, [capture_of(graph, values(graph, 40), step)])
    assert seen
    assert capsys.readouterr().err == ""


def test_validation_that_comes_last_is_looked_at_too(tmp_path):
    graph, seen = parse_nodes(VALIDATED), []
    build_run(tmp_path / "train", graph, range(0, 400, 10), normal_values(graph))
    follow = LiveFindings(tmp_path / "train", Actions(print=False, on_finding=seen.append), pytest.fail)
    with open_writer(tmp_path / "validation", graph, on_segment=follow) as writer:
        for step in (250, 300, 350):
            put(writer, step, [capture_of(graph, shrunk(graph), step)])
    assert [(finding.rule, finding.node) for finding in seen] == [("batchnorm_drift", "norm")]


def test_validation_that_can_not_be_read_ends_nothing(tmp_path, monkeypatch, capsys):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(engine, "open_validation", refuse)
    warnings = []
    train(tmp_path, Actions(), warnings)
    assert "Dead ReLU at stem" in capsys.readouterr().err
    assert warnings == []
    assert evaluate(Run(tmp_path / "train")).problems == (
        "The validation run beside this one can't be read, so nothing is compared with it: Permission denied.",
    )


def test_a_stop_is_taken_once(tmp_path):
    follow = train(tmp_path, Actions(print=False, stop_on="error"), [])
    assert [follow.take_stop().node, follow.take_stop()] == ["stem", None]


@pytest.fixture
def mine(monkeypatch):
    """Two rules of a user: one that holds at `stem` from the start, one that never does."""
    monkeypatch.setattr(rules, "_registered", {})
    rules.rule("mine", title="Mine", sentence="`{node}` is mine.", remedy="Give it back.", severity="note")(
        lambda statistics: statistics["mean"] > -np.inf
    )
    rules.rule("never")(lambda statistics: statistics["mean"] > np.inf)


def test_what_a_users_rule_found_is_there_for_who_lacks_the_rule(tmp_path, monkeypatch, mine):
    """Also where nothing is to be done with findings: the file is all that another process can know."""
    train(tmp_path, Actions(print=False), [])
    here = [finding for finding in evaluate(Run(tmp_path / "train")).findings if finding.rule == "mine"]
    assert {finding.node for finding in here} >= {"stem", "hidden"}
    monkeypatch.setattr(rules, "_registered", {})
    report = evaluate(Run(tmp_path / "train"))
    assert [finding for finding in report.findings if finding.rule == "mine"] == here
    assert here[0].remedy == "Give it back."
    assert [rule for rule in report.quiet if rule.rule in ("mine", "never")] == [QuietRule("never", "Never")]
    assert Run(tmp_path / "train").findings == report.findings
    assert "dead_units" in {finding.rule for finding in report.findings}


def test_a_file_that_can_not_be_replaced_now_is_written_later(tmp_path, monkeypatch, mine):
    """On Windows a file that somebody reads can't be replaced."""
    write, warnings, refused = live.write_findings, [], []

    def refuse_twice(*arguments):
        if len(refused) < 2:
            refused.append(1)
            raise PermissionError("somebody reads it")
        write(*arguments)

    monkeypatch.setattr(live, "write_findings", refuse_twice)
    train(tmp_path, Actions(print=False), warnings)
    assert len(refused) == 2
    assert warnings == []
    assert "mine" in {finding["rule"] for finding in Run(tmp_path / "train").recorded_findings.findings}


def test_a_rule_that_is_known_is_asked_anew_and_the_file_ignored(tmp_path, monkeypatch, mine):
    train(tmp_path, Actions(print=False), [])
    monkeypatch.setattr(rules, "_registered", {})
    rules.rule("mine")(lambda statistics: statistics["mean"] > np.inf)
    report = evaluate(Run(tmp_path / "train"))
    assert "mine" not in {finding.rule for finding in report.findings}
    assert "mine" in {rule.rule for rule in report.quiet}


def test_without_rules_of_the_user_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "_registered", {})
    train(tmp_path, Actions(), [])
    assert not list(data_directory(tmp_path / "train").glob("findings-*"))


def test_findings_that_were_recorded_at_nodes_that_are_gone_are_left_out(tmp_path, monkeypatch, mine):
    train(tmp_path, Actions(print=False), [])
    monkeypatch.setattr(rules, "_registered", {})
    (path,) = data_directory(tmp_path / "train").glob("findings-*")
    path.write_text(path.read_text(encoding="utf-8").replace('"node": "stem"', '"node": "gone"'), encoding="utf-8")
    assert {finding.node for finding in evaluate(Run(tmp_path / "train")).findings if finding.rule == "mine"}.isdisjoint({"stem", "gone"})
