"""tf.distribute: every replica is a capture row of its own, and the reader's union of them is the global batch.

In processes of their own: logical devices must be set before TensorFlow starts.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tb_activations as tba
from tb_activations.capture.replicas import this_worker

pytestmark = pytest.mark.slow
PROGRAMS = Path(__file__).parent / "programs"


def start(program, directory, **environment):
    command = [sys.executable, str(PROGRAMS / program), str(directory)]
    settings = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output[-4000:]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_two_mirrored_replicas(tmp_path):
    finish(start("mirrored.py", tmp_path))


def test_two_workers_write_one_run(tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    configurations = [json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}) for index in range(2)]
    processes = [start("worker.py", tmp_path, TF_CONFIG=configuration) for configuration in configurations]
    for process in processes:
        finish(process)
    run = tba.open_run(tmp_path / "train")
    assert run.problems == ()
    assert run.steps().tolist() == [0, 1]
    names = [path.name for path in (tmp_path / "train" / "plugins" / "tb_activations").glob("segment-*")]
    assert {name.split("-")[2] for name in names} == {"0000", "0001"}
    weights = np.load(tmp_path / "weights-0.npz")
    x = np.random.default_rng(0).normal(size=(16, 12)).astype("float32")
    outputs = np.maximum(x @ weights["arr_0"] + weights["arr_1"], 0)
    merged = run.statistics("hidden")
    assert merged["elements"].tolist() == [32, 32]
    # Each worker reads its share of each batch.
    np.testing.assert_allclose(np.sort(merged["max"]), np.sort([outputs[:8].max(), outputs[8:].max()]), rtol=1e-4)
    np.testing.assert_allclose(merged["mean"].mean(), outputs.mean(), rtol=1e-4)


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
