"""Files that are there whole or not at all, and what a killed process leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb_activations.store import atomic
from tb_activations.store.atomic import LEFTOVER_SECONDS, write_whole
from tb_activations.store.names import data_directory
from tb_activations.store.writer import Writer

OLD = time.time() - LEFTOVER_SECONDS - 60


def test_a_file_is_there_when_the_block_has_ended_and_not_before(tmp_path):
    path = tmp_path / "graph-0123456789abcdef.json"
    with write_whole(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_it_returns(tmp_path, monkeypatch):
    fsync, replace, done = os.fsync, Path.replace, []
    monkeypatch.setattr(os, "fsync", lambda number: (fsync(number), done.append("names" if stat.S_ISDIR(os.fstat(number).st_mode) else "bytes")))
    monkeypatch.setattr(Path, "replace", lambda self, target: (replace(self, target), done.append("rename")))
    with write_whole(tmp_path / "x") as file:
        file.write(b"whole")
    assert done == ["bytes", "rename", "names"]


def test_a_folder_that_cannot_be_flushed_is_no_error(tmp_path, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with write_whole(tmp_path / "x") as file:
        file.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"


def _refuse(monkeypatch, times):
    """As Windows does while somebody reads the file."""
    replace, refused = Path.replace, []

    def refuse(self, target):
        if len(refused) < times:
            refused.append(target)
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(atomic, "_PAUSES", (0.001,) * 4)


def test_a_file_that_somebody_reads_is_replaced_a_little_later(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    _refuse(monkeypatch, 4)
    with write_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_can_never_be_replaced_is_an_error(tmp_path, monkeypatch):
    _refuse(monkeypatch, 5)
    with pytest.raises(PermissionError), write_whole(tmp_path / "x") as file:
        file.write(b"new")
    assert list(tmp_path.iterdir()) == []


def _write_half(path: Path) -> None:
    with write_whole(path) as file:
        file.write(b"half of the new")
        raise OSError("disk full")


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="full"):
        _write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _killed_while_writing(folder: Path, *names: str) -> list[Path]:
    """What is left of a process that ends in the middle of writing files of these names."""
    code = f"""
import os, pathlib
from tb_activations.store.atomic import write_whole
begun = [write_whole(pathlib.Path({str(folder)!r}) / name) for name in {names!r}]
for each in begun:
    each.__enter__().write(b"half")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).resolve().parents[2])
    return sorted(folder.iterdir())


def test_a_new_session_removes_what_a_killed_one_left(tmp_path):
    folder = data_directory(tmp_path)
    folder.mkdir(parents=True)
    left = _killed_while_writing(folder, "segment-000000000000-0000-0123abcd-000000.safetensors", "graph-0123456789abcdef.json")
    assert len(left) == 2
    fresh, old, *others = (folder / name for name in ("graph-00.json.1.tmp", "segment-0-0.safetensors.tmp", "notes.tmp", "segment-mine.tmp", "x"))
    for path in (fresh, old, *others):
        path.write_bytes(b"")
    link = folder / "graph-0123456789abcdef.json.01.tmp"
    link.symlink_to(others[0])
    for path in (*left, old, *others):
        os.utime(path, (OLD, OLD))
    Writer(tmp_path).close()
    assert sorted(folder.iterdir()) == sorted([fresh, *others, link])
