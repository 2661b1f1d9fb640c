"""tf.distribute: every replica is a capture row of its own, and the reader's union of them is the global batch.

In processes of their own: logical devices must be set before TensorFlow starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tb_activations.capture.replicas import this_worker

pytestmark = pytest.mark.slow
PROGRAMS = Path(__file__).parent / "programs"


def run(program, directory):
    command = [sys.executable, str(PROGRAMS / program), str(directory)]
    done = subprocess.run(command, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]


def test_two_mirrored_replicas(tmp_path):
    run("mirrored.py", tmp_path)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, (0, 1)),
        ({"cluster": {"worker": ["a", "b"]}, "task": {"type": "worker", "index": 1}}, (1, 2)),
        ({"cluster": {"chief": ["c"], "worker": ["a", "b"]}, "task": {"type": "worker", "index": 1}}, (2, 3)),
        ({"cluster": {"chief": ["c"], "worker": ["a"]}, "task": {"type": "chief", "index": 0}}, (0, 2)),
    ],
)
def test_a_worker_knows_its_number(monkeypatch, configuration, expected):
    monkeypatch.setenv("TF_CONFIG", json.dumps(configuration))
    assert this_worker() == expected
