"""What `make demo` ends with: TensorBoard serving the runs, and the address of the tab, as a person starts and ends it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from tests.builders import build_typical

pytestmark = pytest.mark.slow


@contextmanager
def demo_of(log_dir):
    """The demo's TensorBoard, and the address that it printed."""
    command = [sys.executable, "-m", "demo.serve", "--log-dir", str(log_dir), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, next(match[1] for line in process.stdout if (match := re.search(r"Activations: +(http\S+)#tb_activations", line)))
        finally:
            process.kill()


def test_the_demo_prints_an_address_that_answers_and_ends_at_ctrl_c(tmp_path):
    build_typical(tmp_path / "digits" / "train")
    with demo_of(tmp_path) as (process, address):
        with urllib.request.urlopen(f"{address}data/plugins_listing", timeout=60) as answer:
            assert json.load(answer)["tb_activations"]["enabled"]
        with urllib.request.urlopen(f"{address}data/plugin/tb_activations/runs", timeout=60) as answer:
            assert [entry["run"] for entry in json.load(answer)["runs"]] == ["digits/train"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_whoever_ends_make_ends_the_demo(tmp_path):
    """make passes on a signal that its process group gets as well, so it comes twice. TensorBoard's own child holds the pipe until it has ended."""
    build_typical(tmp_path / "digits" / "train")
    with demo_of(tmp_path) as (process, _):
        time.sleep(1)  # it has printed the address, and waits
        for _ in range(1000):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
