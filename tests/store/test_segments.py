"""Segments as bytes: every rule of the format that a file can break has a name, and what a newer writer may add passes."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from tb_activations import open_run
from tb_activations.errors import FormatError, VersionError
from tb_activations.store import assemble
from tb_activations.store.layout import SegmentId
from tb_activations.store.schema import STATISTICS, Capture
from tb_activations.store.segments import open_segment
from tests.builders import capture_of, normal_values, parse_nodes, record_of, segment_bytes, write_segments

NAME = "segment-000000000007-0003-0123abcd-000002.safetensors"
METADATA = {
    "format": "tb_activations",
    "version": "1",
    "graph": "0123456789abcdef",
    "worker": "0003",
    "session": "0123abcd",
    "session_started": "1763800000.5",
    "statistics": "min,max",
    "replaces": "",
    "budget": "",
}


def array(code, shape, *numbers):
    dtype = {"I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8", "U32": "<u4"}[code]
    content = np.resize(np.array(numbers or [0], dtype), shape)
    return code, shape, content.tobytes()


ARRAYS = {
    "step": array("I64", [2], 7, 9),
    "rank": array("I32", [2]),
    "wall_time": array("F64", [2], 1.5, 2.5),
    "epoch": array("I64", [2], -1),
    "overhead": array("F64", [2], np.nan),
    "loss_scale": array("F32", [2], np.nan),
    "dropped": array("I64", [1], 8),
    "nodes/value": array("I32", [3], 0, 4, 5),
    "recorded/value": array("I32", [3, 2], 2, 0, 2, 0, 2, 1),
    "statistics/value": array("F32", [3, 2, 2], *range(12)),
    "counts/value": array("I64", [3, 2, 4], 10, 0, 0, 0),
    "histogram/value": array("U32", [3, 2, 5], 2),
    "histogram_range/value": array("F32", [3, 2, 2], -1, 1),
    "sample_index/value": array("I64", [1, 6], 5, 1, 0, 0, 2, 3),
    "sample/value/F32": array("F32", [6], *range(6)),
}


def written(tmp_path, arrays=None, metadata=None, without=(), name=NAME):
    path = tmp_path / name
    kept = {key: value for key, value in {**ARRAYS, **(arrays or {})}.items() if key not in without}
    path.write_bytes(segment_bytes(kept, {**METADATA, **(metadata or {})}))
    return path


def test_a_sound_segment_is_read(tmp_path):
    segment = open_segment(written(tmp_path))
    assert segment.id == SegmentId(7, 3, "0123abcd", 2)
    assert (segment.graph, segment.session_started, segment.columns) == ("0123456789abcdef", 1763800000.5, ("min", "max"))
    assert segment.step.tolist() == [7, 9]
    assert segment.dropped.tolist() == [8]
    assert segment.quantities["value"].nodes.tolist() == [0, 4, 5]
    assert segment.quantities["value"].bins == 5
    with segment.file.reader() as reader:
        numbers, strides = segment.sample(reader, "value", 2, 1)
        assert (numbers.tolist(), strides) == ([[0, 1, 2], [3, 4, 5]], (1, 1))
        assert segment.sample(reader, "value", 2, 0) is None
        assert segment.sample(reader, "value", 1, 1) is None


VIOLATIONS = [
    ("array_missing", {"without": ["step"]}),
    ("array_missing", {"without": ["epoch"]}),
    ("array_missing", {"without": ["dropped"]}),
    ("array_missing", {"without": ["recorded/value"]}),
    ("array_missing", {"without": ["statistics/value"]}),
    ("array_missing", {"without": ["counts/value"]}),
    ("array_missing", {"without": ["histogram/value"]}),
    ("array_missing", {"without": ["histogram_range/value"]}),
    ("array_missing", {"arrays": {"step": array("I64", [], 7)}}),
    ("wrong_array", {"arrays": {"step": array("I32", [2], 7, 9)}}),
    ("wrong_array", {"arrays": {"step": array("I64", [2, 1], 7, 9)}}),
    ("wrong_array", {"arrays": {"rank": array("I32", [3])}}),
    ("wrong_array", {"arrays": {"nodes/value": array("I64", [3], 0, 4, 5)}}),
    ("wrong_array", {"arrays": {"statistics/value": array("F32", [3, 2, 3])}}),
    ("wrong_array", {"arrays": {"statistics/value": array("F32", [2, 3, 2])}}),
    ("wrong_array", {"arrays": {"counts/value": array("I64", [3, 2, 5])}}),
    ("wrong_array", {"arrays": {"histogram/value": array("U32", [3, 1, 5])}}),
    ("wrong_array", {"arrays": {"histogram_range/value": array("F32", [3, 2, 3])}}),
    ("wrong_array", {"arrays": {"sample/value/F32": array("F32", [2, 3])}}),
    ("wrong_array", {"arrays": {"sample/value/F64": array("F32", [6])}}),
    ("wrong_array", {"arrays": {"sample/value/other": array("F32", [6])}}),
    ("bad_bins", {"arrays": {"histogram/value": array("U32", [3, 2, 0])}}),
    ("bad_bins", {"arrays": {"histogram/value": array("U32", [3, 2, 4097])}}),
    ("bad_sample_index", {"arrays": {"sample_index/value": array("I64", [1, 3], 5, 1, 0)}}),
    ("bad_sample_index", {"arrays": {"sample_index/value": array("I64", [1, 37], 5, 1, 0)}}),
    ("wrong_array", {"arrays": {"sample_stride/value": array("I64", [1, 3], 1, 1, 1)}}),
    ("wrong_array", {"arrays": {"sample_stride/value": array("I64", [2, 2], 1, 1, 1, 1)}}),
    ("wrong_array", {"arrays": {"sample_stride/value": array("I32", [1, 2], 1, 1)}}),
    ("bad_recorded", {"arrays": {"recorded/value": array("I32", [3, 2], 3, 0, 2, 0, 2, 1)}}),
    ("bad_recorded", {"arrays": {"recorded/value": array("I32", [3, 2], -1, 0, 2, 0, 2, 1)}}),
    ("bad_recorded", {"arrays": {"recorded/value": array("I32", [3, 2], 2, 0, 2, 0, 2, 2)}}),
    ("bad_recorded", {"without": ["sample_index/value"]}),
    ("nodes_not_ascending", {"arrays": {"nodes/value": array("I32", [3], 0, 5, 4)}}),
    ("nodes_not_ascending", {"arrays": {"nodes/value": array("I32", [3], 0, 4, 4)}}),
    ("nodes_not_ascending", {"arrays": {"nodes/value": array("I32", [3], -1, 4, 5)}}),
    ("nodes_not_ascending", {"arrays": {"nodes/value": array("I32", [3], 0, 51, -(2**31))}}),
    ("negative_step", {"arrays": {"step": array("I64", [2], -7, 9)}}),
    ("negative_step", {"arrays": {"rank": array("I32", [2], -1, 0)}}),
    ("negative_step", {"arrays": {"dropped": array("I64", [1], -1)}}),
    ("rows_not_ascending", {"arrays": {"step": array("I64", [2], 9, 7)}}),
    ("rows_not_ascending", {"arrays": {"step": array("I64", [2], 9, 9), "rank": array("I32", [2], 1, 0)}}),
    ("wrong_format", {"metadata": {"format": "safetensors"}}),
    ("bad_version", {"metadata": {"version": "one"}}),
    ("bad_version", {"metadata": {"version": "0"}}),
    ("wrong_session", {"metadata": {"worker": "0004"}}),
    ("wrong_session", {"metadata": {"session": "01234567"}}),
    ("bad_graph", {"metadata": {"graph": "../../etc/passwd"}}),
    ("bad_session_started", {"metadata": {"session_started": "today"}}),
    ("bad_session_started", {"metadata": {"session_started": "nan"}}),
    ("bad_session_started", {"metadata": {"session_started": "1e300"}}),
    ("bad_statistics", {"metadata": {"statistics": "min,min"}}),
    ("bad_statistics", {"metadata": {"statistics": "min,<script>"}}),
    ("bad_statistics", {"metadata": {"statistics": ",".join(f"s{number}" for number in range(300))}}),
    ("bad_replaces", {"metadata": {"replaces": "../x"}}),
    ("bad_replaces", {"metadata": {"replaces": "segment-000000000000-0003-ffffffff-000000.safetensors"}}),
    ("bad_replaces", {"metadata": {"replaces": NAME}}),
    ("segment_name", {"name": "segment-7-0003-0123abcd-000002.safetensors"}),
    ("segment_name", {"name": "segment-000000000007-0003-0123abcd-0000002.safetensors"}),
    ("segment_name", {"name": "segment-000000000007-0003-0123abcd-1000000000.safetensors"}),
    ("segment_name", {"name": "segment-00000000000٧-0003-0123abcd-000002.safetensors"}),
]


@pytest.mark.parametrize(("code", "changes"), VIOLATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_violation_has_its_name(tmp_path, code, changes):
    with pytest.raises(FormatError, match=rf"^{code}: expected .+\. Received: .+"):
        open_segment(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("captures", "nodes", "dropped", "bins"),
    [(2**33, 1, 0, 1), (1, 2**30, 0, 1), (1, 1, 2**33, 1), (2**16, 2**14, 0, 1), (2**20, 1, 0, 4096)],
    ids=["rows", "nodes", "dropped steps", "numbers", "histograms"],
)
def test_a_file_of_holes_that_promises_more_than_a_memory_holds_is_refused(tmp_path, captures, nodes, dropped, bins):
    """It takes no room on a disk, so anybody may have one; reading only what is asked for would not help where all of it is."""
    rows = {name: (dtype, [captures]) for name, dtype in (("step", "I64"), ("rank", "I32"), ("wall_time", "F64"), ("epoch", "I64"))}
    shapes = {
        **rows,
        "overhead": ("F64", [captures]),
        "loss_scale": ("F32", [captures]),
        "dropped": ("I64", [dropped]),
        "nodes/value": ("I32", [nodes]),
        "recorded/value": ("I32", [nodes, 2]),
        "statistics/value": ("F32", [nodes, captures, 2]),
        "counts/value": ("I64", [nodes, captures, 4]),
        "histogram/value": ("U32", [nodes, captures, bins]),
        "histogram_range/value": ("F32", [nodes, captures, 2]),
    }
    path = tmp_path / NAME
    sizes = {name: math.prod(shape) * (8 if code[1:] == "64" else 4) for name, (code, shape) in shapes.items()}
    header, position = {"__metadata__": METADATA}, 0
    for name, (code, shape) in shapes.items():
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [position, position := position + sizes[name]]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)
    with pytest.raises(FormatError, match=r"^array_too_large: expected at most .+\. Received: .+"):
        open_segment(path)


def holes(path, arrays):
    """Writes a segment with the arrays `ARRAYS`, of which these are holes at the end of the file: name -> dtype and shape."""
    whole = {name: array for name, array in ARRAYS.items() if name not in arrays}
    content = segment_bytes(whole, METADATA)
    length = int.from_bytes(content[:8], "little")
    header, end = json.loads(content[8 : 8 + length]), len(content) - 8 - length
    for name, (code, shape) in arrays.items():
        size = math.prod(shape) * (8 if code == "I64" else 4)
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [end, end := end + size]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + content[8 + length :])
        file.truncate(8 + len(text) + end)
    return path


def test_an_index_of_samples_that_is_a_hole_is_refused(tmp_path):
    path = holes(tmp_path / NAME, {"sample_index/value": ("I64", [2**23, 36])})
    with pytest.raises(FormatError, match=r"^array_too_large: expected at most 2 GiB for array 'sample_index/value'\. Received: .+"):
        open_segment(path)


def test_a_sample_of_holes_is_refused_before_it_takes_memory(tmp_path):
    count = (1 << 28) + 1
    path = holes(tmp_path / NAME, {"sample/value/F32": ("F32", [count]), "sample_index/value": ("I64", [1, 6])})
    with path.open("r+b") as file:  # the index lies at the end, and is all holes
        file.seek(-48, 2)
        file.write(np.array([5, 1, 0, 0, count, -1], "<i8").tobytes())
    segment = open_segment(path)
    tracemalloc.start()
    try:
        with segment.file.reader() as reader, pytest.raises(FormatError, match=r"^sample_too_large: expected at most 1 GiB"):
            segment.sample(reader, "value", 2, 1)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 1 << 20


def test_a_newer_version_says_the_facts(tmp_path):
    with pytest.raises(VersionError, match="format version 2; this tb_activations reads versions up to 1"):
        open_segment(written(tmp_path, metadata={"version": "2"}))


@pytest.mark.parametrize("entry", [(5, 1, 0, 0, 2, 4), (5, 1, 1, 0, 2, 3), (5, 1, -1, 0, 2, 3), (5, 1, 0, -1, 2, 3), (5, 1, 0, 2**62, 2**31, 2**31)])
def test_a_sample_outside_its_array_is_refused_when_it_is_asked_for(tmp_path, entry):
    segment = open_segment(written(tmp_path, {"sample_index/value": array("I64", [1, 6], *entry)}))
    with segment.file.reader() as reader, pytest.raises(FormatError, match=r"^sample_out_of_range: "):
        segment.sample(reader, "value", 2, 1)


@pytest.mark.parametrize("strides", [(1, 0), (-1, 1), (-(2**63), 2)])
def test_strides_that_go_nowhere_are_refused_when_they_are_asked_for(tmp_path, strides):
    segment = open_segment(written(tmp_path, {"sample_stride/value": array("I64", [1, 2], *strides)}))
    with segment.file.reader() as reader, pytest.raises(FormatError, match=r"^bad_sample_stride: "):
        segment.sample(reader, "value", 2, 1)


@pytest.mark.parametrize("extents", [(0, *[2**62] * 3), (0, *[2**40] * 31)])
def test_a_sample_of_no_number_in_a_shape_that_no_array_has_is_refused(tmp_path, extents):
    segment = open_segment(written(tmp_path, {"sample_index/value": array("I64", [1, 4 + len(extents)], 5, 1, 0, 0, *extents)}))
    with segment.file.reader() as reader, pytest.raises(FormatError, match=r"^bad_sample_shape: "):
        segment.sample(reader, "value", 2, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"arrays": {"new/array": array("F32", [1])}},
        {"arrays": {"nodes/hessian": array("F32", [1])}},
        {"metadata": {"new": "fact"}},
        {"metadata": {"budget": "of a newer kind"}},
        {"metadata": {"replaces": "segment-000000000000-0003-0123abcd-000001.safetensors"}},
        {"without": ["histogram/value", "histogram_range/value"]},
        {"without": [name for name in ARRAYS if name.endswith("/value") or "/value/" in name]},
    ],
)
def test_what_may_be_there_or_missing_passes(tmp_path, changes):
    assert open_segment(written(tmp_path, **changes)).step.tolist() == [7, 9]


def test_no_captures_only_dropped_steps(tmp_path):
    write_segments(tmp_path, parse_nodes("layer a"), [()], dropped=[3, 1, 2])
    (path,) = tmp_path.rglob("*.safetensors")
    assert open_segment(path).dropped.tolist() == [1, 2, 3]


def test_the_bytes_of_a_segment_are_what_the_page_says(tmp_path):
    """Reads what the writer wrote with safetensors alone, by the words of docs/format.md."""
    graph = parse_nodes("input x [?,4]; layer dense <- x relu; variable dense/kernel [4,3] update")
    values = normal_values(graph)
    rows = [capture_of(graph, values, step) for step in (20, 10)]
    write_segments(tmp_path, graph, [rows])
    (path,) = tmp_path.rglob("*.safetensors")
    assert path.name.startswith("segment-000000000010-0000-")
    arrays = safetensors.numpy.load_file(path)
    assert arrays["step"].tolist() == [10, 20]
    assert arrays["nodes/update"].tolist() == [2]
    assert arrays["recorded/value"].tolist() == [[2, 2]] * 3
    dense = values("dense", "value", 20)
    assert arrays["statistics/value"][1, 1, STATISTICS.index("max")] == dense.max()
    assert arrays["counts/value"][1, 1].tolist() == [dense.size, 0, 0, 0]
    assert arrays["histogram/value"][1, 1].sum() == dense.size
    entry = next(line for line in arrays["sample_index/value"].tolist() if line[:2] == [1, 1])
    assert entry[4:] == [4, 3]
    np.testing.assert_array_equal(arrays["sample/value/F32"][entry[3] : entry[3] + 12], dense.ravel())


def test_a_node_that_a_capture_lacks_is_not_recorded_there(tmp_path):
    graph = parse_nodes("layer a; layer b")
    rows = [Capture(step, 0.0, {"value": record_of({step % 2: np.ones((2, 3), np.float32)})}) for step in range(4)]
    write_segments(tmp_path, graph, [rows])
    (path,) = tmp_path.rglob("*.safetensors")
    arrays = safetensors.numpy.load_file(path)
    assert arrays["counts/value"][:, :, 0].tolist() == [[6, -1, 6, -1], [-1, 6, -1, 6]]
    assert np.isnan(arrays["statistics/value"][0, 1]).all()
    assert arrays["histogram/value"].sum(axis=2).tolist() == [[6, 0, 6, 0], [0, 6, 0, 6]]
    assert arrays["recorded/value"].tolist() == [[2, 2], [2, 2]]


def test_a_tensor_of_more_dimensions_than_the_format_has_room_for_costs_its_sample_only(tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "MAX_RANK", 3)  # numpy 1 has no array of more dimensions than the format
    graph = parse_nodes("layer deep; layer flat")
    values = {0: np.ones((1, 2, 1, 2), np.float32), 1: np.ones((1, 2, 2), np.float32)}
    write_segments(tmp_path, graph, [[Capture(0, 0.0, {"value": record_of(values)})]])
    run = open_run(tmp_path)
    assert run.problems == ()
    assert run.statistics("deep")["mean"].tolist() == [1]
    assert (len(run.sample_steps("deep")), run.value("flat", 0).shape) == (0, (1, 2, 2))


def test_of_a_tensor_that_no_reader_would_take_no_sample_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "MAX_SAMPLE_BYTES", 24)
    record = record_of({0: np.ones((2, 3), np.float32), 1: np.ones(7, np.float32)})
    write_segments(tmp_path, parse_nodes("layer fits; layer large"), [[Capture(0, 0.0, {"value": record})]])
    run = open_run(tmp_path)
    assert (run.sample_steps("fits").tolist(), run.sample_steps("large").tolist()) == ([0], [])
    assert run.statistics("large")["elements"].tolist() == [7]
