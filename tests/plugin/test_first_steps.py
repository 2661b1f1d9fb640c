"""The code that is shown where nothing is recorded."""

import ast

import pytest

from tb_activations.plugin.first_steps import first_steps
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
