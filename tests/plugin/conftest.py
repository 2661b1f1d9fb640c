"""The run that most tests of the plugin look at."""

from __future__ import annotations

import pytest

from tests.builders import build_run
from tests.plugin.client import NODES, STEPS, PluginClient


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    root = tmp_path_factory.mktemp("logs")
    build_run(root / "digits" / "train", NODES, STEPS, per_segment=3)
    return root


@pytest.fixture(scope="module")
def client(logdir):
    return PluginClient(logdir)
