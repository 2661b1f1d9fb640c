"""The page stays light: what a browser has to fetch before the list stands there, and in all."""

from __future__ import annotations

import gzip
from pathlib import Path

import tb_activations.plugin

STATIC = Path(tb_activations.plugin.__file__).parent / "static"


def size(path):
    return len(gzip.compress(path.read_bytes(), 9))


def test_the_javascript_stays_within_its_bounds():
    sizes = {path.name: size(path) for path in STATIC.rglob("*.js")}
    assert sizes["index.js"] <= 60_000
    assert sum(sizes.values()) <= 90_000, sizes
