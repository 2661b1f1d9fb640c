"""What `pip install` makes of a checkout: everything that runs, nothing else, and no Node."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import tb_activations

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "tb_activations", source / "tb_activations", ignore=shutil.ignore_patterns("__pycache__"))
    return source


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """A wheel, built where there is no Node."""
    out = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-build-isolation"] if find_spec("setuptools") and find_spec("wheel") else []
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", str(out), str(source)]
    subprocess.run(command, env={**os.environ, "PATH": os.defpath}, check=True)
    (built,) = out.iterdir()
    return built


def _metadata(wheel, name):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(path).decode()


def test_a_wheel_has_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "tb_activations").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert shipped == {path.relative_to(ROOT).as_posix() for path in files}
    assert {"tb_activations/py.typed", "tb_activations/plugin/static/index.js"} <= shipped


def test_what_of_others_is_in_the_bundle_comes_with_its_license(wheel):
    """In the sdist too: what package data are, is in both."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("tb_activations/plugin/static/THIRD_PARTY.txt").decode()
    bundled = json.loads((ROOT / "frontend/package.json").read_text(encoding="utf-8"))["dependencies"]
    sections = dict(re.findall(r"^(\S+ \d+\.\d+\.\d+)\n\n(.+?\n)(?=\n\n|\Z)", text, re.M | re.S))
    assert set(sections) == {f"{name} {version}" for name, version in bundled.items()}
    for words in sections.values():
        assert re.match(r"The MIT License \(MIT\)\n\nCopyright \(c\) 20\d\d-present ", words)
        assert "The above copyright notice and this permission notice shall be included in all\ncopies" in words
        assert "CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE\nSOFTWARE." in words


def test_the_metadata_say_what_is_needed(wheel):
    metadata = email.message_from_string(_metadata(wheel, "METADATA"))
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("tb-activations", tb_activations.__version__, ">=3.10")
    needed = {line.split(">")[0].replace("_", "-") for line in metadata.get_all("Requires-Dist") if "extra" not in line}
    assert needed == {"ml-dtypes", "numpy", "tensorboard", "werkzeug"}, "TensorFlow is an extra: whoever only reads runs needs none"
    assert (metadata["License"] or metadata["License-Expression"]) == "Apache-2.0"
    assert metadata.get_payload().startswith("# tb_activations")


def test_what_is_installed_runs(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = """
import importlib.metadata as metadata
import tb_activations
(distribution,) = metadata.distributions(name="tb-activations", path=["."])
for entry in distribution.entry_points:
    print(entry.group, entry.name, entry.load().__name__)
assert tb_activations.__file__.startswith(__import__("os").getcwd()), tb_activations.__file__
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == {
        "tensorboard_plugins tb_activations ActivationsLoader",
        "console_scripts tb-activations main",
    }
