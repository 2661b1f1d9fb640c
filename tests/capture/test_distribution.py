"""tf.distribute: every replica is a capture row of its own, and the reader's union of them is the global batch.

In processes of their own: logical devices must be set before TensorFlow starts.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tb_activations.capture.replicas import this_worker

pytestmark = pytest.mark.slow
PROGRAMS = Path(__file__).parent / "programs"


ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(program, *arguments, **environment):
    command = [sys.executable, str(PROGRAMS / program), *map(str, arguments)]
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by `run`)
    return subprocess.Popen(command, env={**ENVIRONMENT, **environment}, stderr=errors), errors


def run(*programs):
    """Waits for processes that train together; when one fails the others would wait for it for ever."""
    deadline = time.monotonic() + 600
    try:
        while any(process.poll() is None for process, _ in programs):
            assert not any(process.returncode for process, _ in programs), said(programs)
            assert time.monotonic() < deadline, said(programs)
            time.sleep(0.2)
        assert not any(process.returncode for process, _ in programs), said(programs)
    finally:
        for process, errors in programs:
            process.kill()
            process.wait()
            errors.close()


def said(programs):
    for _, errors in programs:
        errors.seek(0)
    return "\n\n".join(errors.read()[-4000:] for _, errors in programs)


def two_workers(program, *arguments):
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in (first, second)]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]
    return [start(program, *arguments, TF_CONFIG=json.dumps(task)) for task in tasks]


def test_two_mirrored_replicas(tmp_path):
    run(start("mirrored.py", tmp_path))


@pytest.mark.parametrize("compiled", ["outer", "inner"])
def test_a_loop_of_ones_own_on_two_mirrored_replicas(tmp_path, compiled):
    run(start("custom_loop.py", "mirrored", compiled, tmp_path))


@pytest.mark.parametrize("compiled", ["outer", "inner"])
def test_a_loop_of_ones_own_on_two_workers(tmp_path, compiled):
    run(*two_workers("custom_loop.py", "workers", compiled, tmp_path))
    assert len(list(tmp_path.glob("train/plugins/tb_activations/graph-*.json"))) == 1


def test_the_fit_of_keras_fails_on_workers_by_itself():
    run(*two_workers("keras_fit_on_workers.py"))


def test_data_parallel_of_keras_trains_on_one_device(tmp_path):
    run(start("data_parallel.py", tmp_path))


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
