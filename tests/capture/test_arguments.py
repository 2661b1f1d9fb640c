"""Bad arguments of the callback: each names the argument, what was expected and what was received."""

from __future__ import annotations

import pytest

import tb_activations as tba
from tb_activations.errors import ArgumentError


@pytest.mark.parametrize(
    "options",
    [
        {"every": 0},
        {"include": 3},
        {"exclude": "["},
        {"kinds": "layers"},
        {"quantities": []},
        {"histograms": 1},
        {"samples": "some"},
        {"sample_examples": 0},
        {"sample_elements": 1.5},
        {"max_bytes": -1},
        {"validation": "yes"},
        {"slots": 1},
        {"source_text": "no"},
    ],
    ids=repr,
)
def test_bad_options(tmp_path, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"`{name}` must .*Received: {name}="):
        tba.ActivationsCallback(tmp_path, **options)


@pytest.mark.parametrize("log_dir", [None, 3, ""], ids=repr)
def test_bad_log_dir(log_dir):
    with pytest.raises(ArgumentError, match=r"`log_dir` must .*Received: log_dir="):
        tba.ActivationsCallback(log_dir)


@pytest.mark.parametrize("name", ["", None, "/a", "a/"], ids=repr)
def test_bad_probe_name(name):
    with pytest.raises(ArgumentError, match=r"`name` must .*Received: name="):
        tba.probe(1, name)


def test_a_probe_outside_a_capture_is_free():
    x = object()
    assert tba.probe(x, "name") is x
