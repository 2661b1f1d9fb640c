"""The container, byte by byte: what is refused and under which name, and what must pass."""

from __future__ import annotations

import os
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tb_activations.errors import FormatError
from tb_activations.store import container
from tb_activations.store.container import MAX_HEADER_BYTES, ArrayFile, FileChangedError, write_arrays


def file_of(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


ONE = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'

VIOLATIONS = {
    "file_too_short": b"\x01\x02\x03",
    "header_too_large": file_of(b"{}", length=MAX_HEADER_BYTES + 1),
    "header_truncated": file_of(b"{}", length=3),
    "header_not_json": file_of(b"{'a': 1}"),
    "header_not_object": file_of(b"[]"),
    "metadata_not_strings": file_of(b'{"__metadata__":{"version":1}}'),
    "array_not_object": file_of(b'{"a":7}'),
    "unknown_dtype": file_of(b'{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
    "bad_shape": file_of(b'{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', bytes(8)),
    "bad_offsets": file_of(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}', bytes(8)),
    "size_mismatch": file_of(b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', bytes(8)),
    "data_not_contiguous": file_of(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', bytes(12)),
    "data_truncated": file_of(ONE, bytes(7)),
}


@pytest.mark.parametrize("code", VIOLATIONS)
def test_a_violation_has_its_name(tmp_path, code):
    path = tmp_path / "x"
    path.write_bytes(VIOLATIONS[code])
    with pytest.raises(FormatError, match=rf"^{code}: expected .+\. Received: .+"):
        ArrayFile.open(path)


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("header_not_json", file_of(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}')),
        ("header_not_json", file_of(b"\xff\xfe{}")),
        ("header_not_json", file_of(b"[" * 100_000)),
        ("bad_shape", file_of(b'{"a":{"dtype":"F32","shape":[true,2],"data_offsets":[0,8]}}', bytes(8))),
        ("bad_shape", file_of(b'{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', bytes(8))),
        ("bad_shape", file_of(b'{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,0]}}' % b",".join([b"0"] * 33))),
        ("bad_shape", file_of(b'{"a":{"dtype":"F32","shape":[9223372036854775808,0],"data_offsets":[0,0]}}')),
        ("size_mismatch", file_of(b'{"a":{"dtype":"F32","shape":[1073741824,1073741824],"data_offsets":[0,8]}}', bytes(8))),
        ("bad_offsets", file_of(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}', bytes(8))),
        (
            "data_not_contiguous",
            file_of(b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}', bytes(6)),
        ),
        ("data_truncated", file_of(ONE, bytes(9))),
        ("unknown_dtype", file_of(b'{"a":{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}}', bytes(8))),
    ],
)
def test_tricks_are_refused(tmp_path, code, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"^{code}: "):
        ArrayFile.open(path)


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (file_of(ONE, bytes(8)), (2,)),
        (file_of(ONE + b"   ", bytes(8)), (2,)),
        (file_of(b'{"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}}'), (0, 5)),
        (file_of(b'{"b":{"dtype":"U8","shape":[0],"data_offsets":[8,8]},"a":{"data_offsets":[0,8],"shape":[1,2],"dtype":"F32"}}', bytes(8)), (1, 2)),
    ],
)
def test_odd_but_right_files_pass(tmp_path, content, shape):
    path = tmp_path / "x"
    path.write_bytes(content)
    with ArrayFile.open(path).reader() as reader:
        assert reader.read("a").shape == shape


ARRAYS = {
    "f32": np.array([[1, np.nan], [np.inf, -np.inf]], np.float32),
    "f64": np.linspace(0, 1, 5),
    "f16": np.array([6e-8, 65504], np.float16),
    "bf16": np.array([[1e-40, 3e38]], ml_dtypes.bfloat16),
    "i64": np.array([-(2**63), 2**63 - 1]),
    "u8": np.arange(256, dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "c64": np.array([1 + 2j], np.complex64),
    "empty": np.empty((3, 0, 2), np.int32),
}


def test_what_we_write_safetensors_reads(tmp_path):
    path = tmp_path / "x"
    size = write_arrays(path, ARRAYS, {"key": "välue"})
    assert size == path.stat().st_size
    assert [file.name for file in tmp_path.iterdir()] == ["x"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode, "TensorBoard may run as another user"
    for name, array in safetensors.numpy.load_file(path).items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.tobytes() == ARRAYS[name].tobytes()


def test_what_safetensors_writes_we_read(tmp_path):
    path = tmp_path / "x"
    safetensors.numpy.save_file(ARRAYS, path, {"key": "välue"})
    file = ArrayFile.open(path)
    assert file.metadata == {"key": "välue"}
    with file.reader() as reader:
        for name, array in ARRAYS.items():
            read = reader.read(name)
            assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert reader.read("u8", 3, 7).tolist() == [3, 4, 5, 6]
        assert reader.read("f32", 1).tolist() == [[np.inf, -np.inf]]
        assert reader.read("u8", 250, 999).tolist() == [250, 251, 252, 253, 254, 255]


def test_float8_comes_back(tmp_path):
    array = np.array([0.5, 448], ml_dtypes.float8_e4m3fn)
    write_arrays(tmp_path / "x", {"a": array}, {})
    with ArrayFile.open(tmp_path / "x").reader() as reader:
        assert reader.read("a").tobytes() == array.tobytes()


def test_a_bool_that_is_no_bool_becomes_one(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(file_of(b'{"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}', b"\x00\x02\xff"))
    with ArrayFile.open(path).reader() as reader:
        assert reader.read("a").tobytes() == b"\x00\x01\x01"


@pytest.mark.parametrize("change", ["deleted", "truncated", "replaced"])
def test_a_file_that_changed_after_it_was_opened_is_noticed(tmp_path, change):
    path = tmp_path / "x"
    write_arrays(path, {"a": np.zeros(1000)}, {})
    file = ArrayFile.open(path)
    if change == "deleted":
        path.unlink()
    elif change == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        write_arrays(path, {"a": np.zeros(1001)}, {})
    with pytest.raises(FileChangedError):
        file.reader()


def test_a_file_truncated_while_it_is_read_kills_nobody(tmp_path):
    path = tmp_path / "x"
    write_arrays(path, {"a": np.zeros(1000)}, {})
    with ArrayFile.open(path).reader() as reader:
        with path.open("r+b") as file:
            file.truncate(500)
        with pytest.raises(FileChangedError, match="shorter than its header says"):
            reader.read("a")


def test_a_file_cut_short_while_it_is_opened_is_told(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"1234")
    with monkeypatch.context() as patch:
        patch.setattr(container.os, "fstat", lambda _: os.stat_result((0o100644, 0, 0, 1, 0, 0, 1000, 0, 0, 0)))
        with pytest.raises(FormatError, match=r"^file_too_short: .+ size=4$"):
            ArrayFile.open(path)


def test_writing_into_nowhere_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"):
        write_arrays(tmp_path / "missing" / "x", {"a": np.zeros(3)}, {})
    assert list(tmp_path.iterdir()) == []
