"""Runs the browser tests of `frontend/tests/browser`, one test here for each file there.

The one invariant: what the views show, and every number in them, is tested behind each of TensorBoard's data loaders and behind a path prefix; the
rest behind one of them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
SPECS = sorted((FRONTEND / "tests" / "browser").glob("*.spec.ts"))

pytestmark = pytest.mark.browser


SERVERS = ("fast", "python", "prefixed")
EVERYWHERE = ("numbers", "views")
CASES = [(spec, server) for spec in SPECS for server in (SERVERS if spec.name.removesuffix(".spec.ts") in EVERYWHERE else SERVERS[:1])]


@pytest.mark.parametrize(("spec", "server"), CASES, ids=[f"{spec.name.removesuffix('.spec.ts')}-{server}" for spec, server in CASES])
def test_browser(spec, server, handover):
    command = ["node", "node_modules/vitest/vitest.mjs", "run", "--config", "tests/browser/vitest.config.ts", str(spec)]
    environment = {**os.environ, "TBA_HANDOVER": str(handover), "TBA_SERVER": server, "NO_COLOR": "1"}
    result = subprocess.run(command, cwd=FRONTEND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(result.stdout)
    assert result.returncode == 0
