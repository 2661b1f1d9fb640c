"""What `make demo` ends with: TensorBoard serving the runs, and the address of the tab, as a person starts and ends it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.builders import build_typical

pytestmark = pytest.mark.slow


def test_the_demo_prints_an_address_that_answers_and_ends_at_ctrl_c(tmp_path):
    build_typical(tmp_path / "digits" / "train")
    command = [sys.executable, "-m", "demo.serve", "--log-dir", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = next(match[1] for line in process.stdout if (match := re.search(r"Activations: +(http\S+)#tb_activations", line)))
            with urllib.request.urlopen(f"{address}data/plugins_listing", timeout=60) as answer:
                assert json.load(answer)["tb_activations"]["enabled"]
            with urllib.request.urlopen(f"{address}data/plugin/tb_activations/runs", timeout=60) as answer:
                assert [entry["run"] for entry in json.load(answer)["runs"]] == ["digits/train"]
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
