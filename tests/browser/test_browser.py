"""Runs the browser tests of `frontend/tests/browser`, one test here for each file there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
SPECS = sorted((FRONTEND / "tests" / "browser").glob("*.spec.ts"))

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name.removesuffix(".spec.ts"))
def test_browser(spec, handover):
    command = ["node", "node_modules/vitest/vitest.mjs", "run", "--config", "tests/browser/vitest.config.ts", str(spec)]
    environment = {**os.environ, "TBA_HANDOVER": str(handover), "NO_COLOR": "1"}
    result = subprocess.run(command, cwd=FRONTEND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert result.returncode == 0, result.stdout
