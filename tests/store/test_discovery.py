"""Which directories are runs, on real directory trees."""

from __future__ import annotations

import os

import pytest

from tb_activations.store.discovery import find_runs, holds_activations


@pytest.fixture
def make(tmp_path):
    def make_run(name):
        folder = tmp_path / name / "plugins" / "tb_activations"
        folder.mkdir(parents=True)
        (folder / "graph-0123456789abcdef.json").touch()

    return make_run


def _names(path, **arguments):
    return list(find_runs(path, **arguments).runs)


def test_runs_have_the_names_that_tensorboard_gives(tmp_path, make):
    for name in (".", "b/train", "a/deep/er/train", "plugins/train"):
        make(name)
    (tmp_path / "no_run" / "plugins" / "profile").mkdir(parents=True)
    (tmp_path / "no_graph_yet" / "plugins" / "tb_activations").mkdir(parents=True)
    found = find_runs(tmp_path)
    assert list(found.runs) == [".", "a/deep/er/train", "b/train", "plugins/train"]
    assert found.complete
    assert all(holds_activations(path) for path in found.runs.values())


def test_a_log_directory_that_is_not_there_has_no_runs(tmp_path):
    assert find_runs(tmp_path / "nothing").runs == {}


def test_symbolic_links_are_followed_but_never_in_a_circle(tmp_path, make):
    make("a/train")
    make("b")
    (tmp_path / "linked").symlink_to("a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    found = find_runs(tmp_path)
    assert {"a/train", "b", "linked/train", "a/to_b", "b/to_a/train"} <= set(found.runs)
    assert not any(name.count("to_a") > 1 or "up" in name.split("/") for name in found.runs)
    assert found.complete


def test_the_walk_is_bounded_and_says_so(tmp_path, make):
    make("zz/train")
    for index in range(50):
        (tmp_path / f"empty{index}").mkdir()
    assert not find_runs(tmp_path, most=10).complete
    assert find_runs(tmp_path, most=100).complete


def test_nothing_is_looked_for_inside_the_folder_of_a_run(tmp_path, make):
    make("run")
    (tmp_path / "run" / "plugins" / "tb_activations" / "x" / "plugins" / "tb_activations").mkdir(parents=True)
    (tmp_path / "run" / "plugins" / "tb_activations" / "x" / "plugins" / "tb_activations" / "graph-0.json").touch()
    assert _names(tmp_path) == ["run"]


def test_names_that_are_not_utf8_become_printable(tmp_path, make):
    make(os.fsdecode(b"caf\xe9"))
    (name,) = _names(tmp_path)
    assert name == "caf�"
