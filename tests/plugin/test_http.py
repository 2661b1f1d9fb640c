"""Arguments, the binary envelope, and errors as a client sees them."""

from __future__ import annotations

import json
import logging

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tb_activations.errors import ArgumentError, FormatError, NotFoundError
from tb_activations.plugin.http import Answer, Arguments, endpoint, json_answer
from tb_activations.plugin.wire import array_answer


def _client(view):
    return Client(endpoint(view), Response)


def _read(values, reader):
    return reader(Arguments(values))


@pytest.mark.parametrize(
    ("values", "reader", "expected", "received"),
    [
        ({}, lambda a: a.text("run"), "Expected the argument `run`", "Received: no arguments"),
        ({"rum": "x"}, lambda a: a.text("run"), "Expected the argument `run`", "Received: rum='x'"),
        ({"q": "values"}, lambda a: a.choice("q", ("value", "gradient")), "one of value, gradient", "Received: q='values'"),
        ({"n": "ten"}, lambda a: a.integer("n", 1, 9), "an integer from 1 to 9", "Received: n='ten'"),
        ({"n": ""}, lambda a: a.integer("n", 1, 9), "an integer from 1 to 9", "Received: n=''"),
        ({"n": "0"}, lambda a: a.integer("n", 1, 9), "an integer from 1 to 9", "Received: n='0'"),
        ({"n": "10"}, lambda a: a.integer("n", 1, 9), "an integer from 1 to 9", "Received: n='10'"),
        ({"n": "-1"}, lambda a: a.integer("n", 0, 9), "an integer from 0 to 9", "Received: n='-1'"),
        ({"n": "1.0"}, lambda a: a.integer("n", 0, 9), "an integer from 0 to 9", "Received: n='1.0'"),
        ({"n": "1_0"}, lambda a: a.integer("n", 0, 99), "an integer from 0 to 99", "Received: n='1_0'"),
        ({"n": " 1"}, lambda a: a.integer("n", 0, 9), "an integer from 0 to 9", "Received: n=' 1'"),
        ({"n": "٣"}, lambda a: a.integer("n", 0, 9), "an integer from 0 to 9", "Received: n='٣'"),
        ({"n": "9" * 5000}, lambda a: a.integer("n", 0, 9), "an integer from 0 to 9", "Received: n='9999"),
        ({"n": "x"}, lambda a: a.optional_integer("n", 0, 9), "an integer from 0 to 9", "Received: n='x'"),
    ],
)
def test_a_bad_argument_is_named_with_what_was_expected_and_received(values, reader, expected, received):
    with pytest.raises(ArgumentError) as caught:
        _read(values, reader)
    assert expected in str(caught.value)
    assert received in str(caught.value)
    assert len(str(caught.value)) < 500


def test_good_arguments():
    arguments = Arguments({"run": "", "n": "007", "q": "value"})
    assert arguments.text("run") == ""
    assert arguments.text("v", "none") == "none"
    assert arguments.integer("n", 0, 9) == 7
    assert arguments.integer("m", 1, 9, 5) == 5
    assert arguments.optional_integer("m", 0, 9) is None
    assert arguments.choice("q", ("value",)) == "value"


@pytest.mark.parametrize(
    ("error", "status"),
    [(ArgumentError("say what"), 400), (NotFoundError("say what"), 404), (FormatError("say what"), 422)],
)
def test_errors_raised_on_purpose_become_a_status_and_their_sentence(error, status):
    def view(_):
        raise error

    response = _client(view).get("/x")
    assert (response.status_code, response.mimetype) == (status, "text/plain")
    assert "say what" in response.get_data(as_text=True)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unexpected_error_shows_neither_trace_nor_path(caplog):
    def view(_):
        raise OSError(2, "No such file", "/secret/path")

    with caplog.at_level(logging.ERROR):
        response = _client(view).get("/x")
    text = response.get_data(as_text=True)
    assert response.status_code == 500
    assert "secret" not in text
    assert "Traceback" not in text
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_before_anything_is_done(method):
    def view(_):
        raise AssertionError("reached")

    response = _client(view).open("/x", method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert method in response.get_data(as_text=True)


def test_head_has_the_headers_of_get_and_no_body():
    client = _client(lambda _: json_answer({"a": [1, 2, 3]}))
    get, head = client.get("/x"), client.head("/x")
    assert head.status_code == 200
    assert head.get_data() == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.content_type == get.content_type


def test_json_has_no_spaces_that_nobody_reads():
    """A list of 10,000 nodes has a quarter of a million of them."""
    assert json_answer({"a": [1, 2], "b": None}).content == b'{"a":[1,2],"b":null}'


@pytest.mark.parametrize(("cacheable", "control"), [(True, "private, max-age=86400"), (False, "no-cache, must-revalidate")])
def test_only_what_can_not_change_may_be_kept(cacheable, control):
    response = _client(lambda _: Answer(b"x", "text/plain", cacheable)).get("/x")
    assert response.headers["Cache-Control"] == control


def test_json_is_compressed_for_who_accepts_it_and_valid_whatever_it_holds():
    payload = {"numbers": [1.5, float("nan"), float("inf"), -float("inf")], "text": "\ud800 é <b>"}
    client = _client(lambda _: json_answer(payload))
    plain = json.loads(client.get("/x").get_data())
    assert plain["numbers"] == [1.5, "NaN", "Infinity", "-Infinity"]
    assert plain["text"] == payload["text"]
    assert client.get("/x", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


ARRAYS = {
    "flags": np.array([True, False, True]),
    "odd": np.arange(3, dtype=np.uint8),
    "half": np.array([0.5, np.nan], np.float16),
    "brain": np.array([[1.5, -np.inf]], ml_dtypes.bfloat16),
    "eight": np.array([1.5], ml_dtypes.float8_e4m3fn),
    "small": np.array([1.0, np.nan, np.inf, -np.inf, -0.0, 1e-42], np.float32),
    "steps": np.array([2.0**53, 0], np.float64),
    "big": np.array([-(2**62)], np.int64),
    "none": np.empty((0, 4), np.float32),
    "scalar": np.array(3.0, np.float32),
    "transposed": np.arange(6, dtype=np.int32).reshape(2, 3).T,
}


def test_binary_answers_are_safetensors_files_and_carry_every_number_as_it_is():
    """Read by the reference implementation, compared bit by bit."""
    content = array_answer(ARRAYS, {"elements": "7"}).content
    loaded = dict(safetensors.deserialize(content))
    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert tuple(loaded[name]["shape"]) == array.shape
        assert bytes(loaded[name]["data"]) == array.tobytes(), name
    floats = safetensors.numpy.load(array_answer({"small": ARRAYS["small"]}).content)["small"]
    assert floats.tobytes() == ARRAYS["small"].tobytes()
    assert np.signbit(floats[4])


def test_every_array_starts_at_a_multiple_of_its_item_size():
    content = array_answer(ARRAYS).content
    header_size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_size])
    for name, entry in header.items():
        assert (8 + header_size + entry["data_offsets"][0]) % ARRAYS[name].dtype.itemsize == 0, name
