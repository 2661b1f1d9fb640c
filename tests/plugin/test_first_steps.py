"""The code that is shown where nothing is recorded."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.data_ingester import _parse_event_files_spec
from tensorboard.plugins import base_plugin

from tb_activations.plugin.first_steps import first_steps
from tb_activations.plugin.runs import Runs, source_of
from tests.plugin.client import PluginClient


@pytest.mark.parametrize(
    ("logdir", "folder"),
    [
        ("", "logs/run1"),
        ("logs", "logs/run1"),
        ("/data/logs/", "/data/logs/run1"),
        ("/", "/run1"),
        ('C:\\my "logs"\\', 'C:\\my "logs"/run1'),
        ("日/ø", "日/ø/run1"),
    ],
)
def test_it_is_python_that_records_below_the_log_directory(logdir, folder):
    code = first_steps(logdir)
    fit, loop = (list(ast.walk(ast.parse(code[name]))) for name in ("fit", "loop"))
    (callback,) = (call for call in fit if isinstance(call, ast.Call) and ast.unparse(call.func) == "tba.ActivationsCallback")
    assert ast.literal_eval(callback.args[0]) == folder
    (watch,) = (call for call in loop if isinstance(call, ast.Call) and ast.unparse(call.func) == "tba.watch")
    assert {keyword.arg: keyword.value for keyword in watch.keywords}["log_dir"].value == folder


def test_it_comes_with_a_list_of_no_runs(tmp_path):
    answer = PluginClient(tmp_path).json("runs")
    assert (answer["first_steps"], answer["runs"]) == (first_steps(str(tmp_path)), [])


@pytest.mark.parametrize(
    ("logdir", "spec", "folder"),
    [
        ("gs://bucket/x", "", "logs/run1"),
        ("/one,/two", "", "/one,/two/run1"),
        ("", "one:/a,two:/b", "/a/run1"),
        ("", "one:logs/a:b/", "logs/a:b/run1"),
        ("", "/a:b,/c", "/a:b/run1"),
        ("", "logs,more", "logs/run1"),
        ("", "s3://a,two:gs://b,three:~/c", "~/c/run1"),
        ("", "one:gs://bucket/x,gs://y", "logs/run1"),
    ],
)
def test_it_records_where_tensorboard_looks(logdir, spec, folder):
    """However many places that are, and wherever."""
    nowhere = SimpleNamespace(RunPaths=dict)
    context = base_plugin.TBContext(logdir=logdir, flags=SimpleNamespace(logdir_spec=spec), multiplexer=nowhere)
    local = Runs(source_of(context)).local
    assert f'"{folder}"' in first_steps(local)["fit"]
    looked_at = _parse_event_files_spec(spec) if spec else [logdir]
    assert str(Path(local).expanduser().resolve()) in looked_at or folder == "logs/run1"
