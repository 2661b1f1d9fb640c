"""Who may import whom, read from the sources, and what an import really loads, seen in fresh processes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tb_activations"
MODULES = sorted(PACKAGE.rglob("*.py"))

ROOMS = {
    "errors": set(),
    "store": {"errors"},
    "diagnosis": {"errors", "store"},
    "plugin": {"errors", "store", "diagnosis"},
    "capture": {"errors", "store", "diagnosis"},
    "cli": {"errors", "store", "diagnosis"},
    "__init__": {"capture", "diagnosis", "store"},
    "__main__": {"cli"},
}
"""Room -> the other rooms it may import."""

LIBRARIES = {
    "errors": set(),
    "store": {"ml_dtypes", "numpy"},
    "diagnosis": {"numpy"},
    "plugin": {"numpy", "tensorboard", "werkzeug"},
    "capture": {"keras", "ml_dtypes", "numpy", "tensorflow"},
    "cli": set(),
    "__init__": set(),
    "__main__": set(),
}
"""Room -> the libraries beyond Python's own it may import."""

PURE = {f"capture/{name}.py" for name in ("active", "clock", "harmless", "probe", "schedule", "selection", "shares", "source", "tell")}
"""Files of a room that know no tensor library."""

EXCEPTIONS = {
    ("store/run.py", "diagnosis"): "`Run.findings` imports the rules when it is first asked for.",
}
"""(file, room) -> why this one import against the direction is right. Fewer is better."""


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Names of the modules that ``path`` imports anywhere when it runs, functions included; what only a type checker sees is left out."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "tb_activations")
        pending += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_keep_the_direction(path):
    room, name = _room(path), path.relative_to(PACKAGE).as_posix()
    for imported in _imports(path):
        top, *rest = imported.split(".")
        if top == "tb_activations" and rest and rest[0] != room:
            assert rest[0] in ROOMS[room] or (name, rest[0]) in EXCEPTIONS or rest[0].startswith("__"), f"{name} imports {imported}"
        elif top != "tb_activations" and top not in sys.stdlib_module_names:
            assert top in LIBRARIES[room], f"{name} imports {imported}"
            assert name not in PURE or top not in {"tensorflow", "keras"}, f"{name} imports {imported}"


def test_every_exception_is_still_needed():
    for name, room in EXCEPTIONS:
        assert any(imported.startswith(f"tb_activations.{room}") for imported in _imports(PACKAGE / name)), (name, room)


@pytest.mark.parametrize("room", ["capture", "plugin", "store"])
def test_the_map_of_a_room_names_every_module_once(room):
    """The map is the indented part of the room's docstring: names, then what they are for."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")), clean=False)
    rows = [re.split(" {2,}", line.strip())[0] for line in text.splitlines() if line.startswith("    ")]
    named = [name for row in rows for name in row.split(", ")]
    assert sorted(named) == sorted({path.stem for path in (PACKAGE / room).iterdir() if path.stem[0] not in "_." and path.name != "static"})


def test_one_place_asks_whether_something_is_a_variable_of_keras():
    """In Keras 3.3 layers make weights of another class, so that who asks for himself misses them."""
    asking = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"isinstance\(\w+, \(?keras\.Variable", path.read_text(encoding="utf-8"))]
    assert asking == ["keras_variables.py"]  # its docstring


def _loaded(code: str) -> set[str]:
    """Top-level packages that a fresh process has loaded after running ``code``."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_importing_the_package_loads_nothing():
    assert not _loaded("import tb_activations") & {"tensorflow", "keras", "tensorboard", "numpy", "safetensors"}


def test_what_trains_says_what_is_missing_where_there_is_no_keras():
    """The package installs without TensorFlow, for who reads runs."""
    code = """
import sys
sys.modules["keras"] = sys.modules["tensorflow"] = None
import tb_activations
try:
    tb_activations.ActivationsCallback
except ImportError as error:
    assert "`tb_activations.ActivationsCallback` needs Keras on TensorFlow" in str(error), error
    assert "pip install 'tb-activations[tensorflow]'" in str(error), error
else:
    raise AssertionError
tb_activations.open_run
"""
    assert "numpy" in _loaded(code)


@pytest.mark.parametrize("name", ["ActivationsCallback", "explain", "watch"])
def test_what_trains_says_that_keras_is_too_old(name):
    """Keras 3.0 would fail at the first recorded step, Keras 2 at an import of ours."""
    code = f"""
import sys, types
sys.modules["keras"] = types.ModuleType("keras")
sys.modules["keras"].__version__ = "3.2.1"
import tb_activations
try:
    tb_activations.{name}
except ImportError as error:
    assert "Expected Keras 3.3 or newer. Received: keras.__version__='3.2.1'" in str(error), error
else:
    raise AssertionError
tb_activations.open_run
"""
    assert "numpy" in _loaded(code)


def test_reading_a_run_loads_neither_tensorflow_nor_tensorboard():
    loaded = _loaded("from tb_activations import open_run; from tb_activations.diagnosis import rules")
    assert "numpy" in loaded
    assert not loaded & {"tensorflow", "keras", "tensorboard", "werkzeug", "jax", "torch"}


def test_the_entry_point_of_the_plugin_loads_the_base_class_and_nothing_else():
    code = """
import tensorboard.plugins.base_plugin
before = set(sys.modules)
import tb_activations.plugin.loader
new = {name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names}
assert new == {"tb_activations", "tb_activations.plugin", "tb_activations.plugin.loader"}, new
"""
    assert not _loaded(code) & {"numpy", "safetensors", "tensorflow", "keras"}


def test_loading_the_plugin_where_nobody_records_imports_no_reader():
    """TensorBoard's start waits for `load`. Each module costs some milliseconds, so they are counted; time would depend on the machine."""
    code = """
import tempfile, types
import tensorboard.default, tensorboard.program
from tensorboard.plugins import base_plugin
before = set(sys.modules)
from tb_activations.plugin.loader import ActivationsLoader
loaded = ActivationsLoader().load(base_plugin.TBContext(logdir=tempfile.mkdtemp(), flags=types.SimpleNamespace()))
loaded._runs.listing(), loaded.is_active(), loaded.frontend_metadata()
new = {name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names}
store = "errors store store.discovery store.local_path store.names"
plugin = "loader plugin assets background findings first_steps http present routes runs"
ours = {"", ".plugin", *(f".{name}" for name in store.split()), *(f".plugin.{name}" for name in plugin.split())}
assert new <= {f"tb_activations{name}" for name in ours}, new
"""
    assert not _loaded(code) & {"tensorflow", "keras"}


@pytest.mark.slow
def test_a_trainer_loads_nothing_of_tensorboard():
    keras = "import tensorflow, keras"
    ours = _loaded(f"{keras}; from tb_activations import ActivationsCallback, probe, watch; ActivationsCallback, probe, watch")
    assert not (ours - _loaded(keras)) & {"tensorboard", "werkzeug"}
