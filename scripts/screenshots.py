"""Draws the pictures of the documentation from the demo's runs, in a real TensorBoard and a real Chromium.

python scripts/screenshots.py --log-dir logs/demo --out docs/screenshots      (or: make screenshots)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tensorboards import serve  # noqa: E402  (the root of the project must be on the path first)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the pictures of the documentation.")
    parser.add_argument("--log-dir", type=Path, default=ROOT / "logs" / "demo")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with serve(f"--logdir={arguments.log_dir}") as board:
        command = ["node", "scripts/screenshots.mjs", board.url, str(arguments.out.resolve())]
        subprocess.run(command, cwd=ROOT / "frontend", check=True)


if __name__ == "__main__":
    main()
