"""Files that can't be opened for a while, for a reason that leaves no trace in their size and time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tb_activations.store import folder as folder_module
from tb_activations.store.findingsfile import write_findings
from tb_activations.store.names import data_directory, findings_name
from tb_activations.store.run import Run
from tests.builders import build_run, parse_nodes, segments_of
from tests.rights import forbidden, needs_rights

pytestmark = needs_rights
GRAPH = parse_nodes("input x [4]; layer dense [8] <- x relu")


@pytest.fixture
def folder():
    """The folder of a run with four segments, below directories that everybody may list: those of pytest are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield data_directory(build_run(Path(directory), GRAPH, range(8), per_segment=2))


@pytest.mark.parametrize("kind", ["segment", "graph", "findings"])
def test_it_counts_as_soon_as_it_can_be_opened(folder, kind):
    write_findings(folder / findings_name("0" * 8), {"custom": "A rule"}, [])
    expected, run_dir = Run(folder.parents[1]), folder.parents[1]
    victim = next(path for path in sorted(folder.iterdir()) if path.name.startswith(kind))
    with forbidden(victim):
        run = Run(run_dir)
        assert f"{victim.name} is left out: Permission denied" in run.problems
        assert not run.refresh(), "nothing is new while it stays as it is"
    assert run.refresh()
    assert (run.problems, run.version, run.steps().tolist()) == ((), expected.version, [*range(8)])
    assert run.recorded_findings.rules == expected.recorded_findings.rules == {"custom": "A rule"}
    assert not run.refresh()


def test_each_look_opens_it_once_and_no_other(folder, monkeypatch):
    opened, open_segment = [], folder_module.open_segment
    monkeypatch.setattr(folder_module, "open_segment", lambda path: opened.append(path) or open_segment(path))
    victim = segments_of(folder)[1]
    with forbidden(victim):
        run = Run(folder.parents[1])
        opened.clear()
        assert [run.refresh() for _ in range(3)] == [False] * 3
    assert opened == [victim] * 3
    assert run.refresh()
    assert opened == [victim] * 4


def test_a_file_that_violates_the_format_is_opened_once(folder, monkeypatch):
    (folder / "segment-000000000160-0001-ffffffff-000000.safetensors").write_bytes(b"nothing")
    opened, open_segment = [], folder_module.open_segment
    monkeypatch.setattr(folder_module, "open_segment", lambda path: opened.append(path) or open_segment(path))
    run = Run(folder.parents[1])
    assert (len(run.problems), len(opened)) == (1, 5)
    assert not run.refresh()
    assert len(opened) == 5
