"""Bad arguments of the callback, `watch` and `probe`: each names the argument, what was expected and what was received."""

from __future__ import annotations

import inspect

import keras
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.errors import ArgumentError

BAD = [
    {"every": 0},
    {"every": (step for step in [1])},
    {"include": 3},
    {"exclude": "["},
    {"kinds": "layers"},
    {"quantities": []},
    {"slots": 1},
    {"source_text": "no"},
    {"ops": 3},
    {"histograms": "yes"},
    {"samples": "some"},
    {"sample_examples": 0},
    {"sample_elements": 1.5},
    {"max_bytes": -1},
    {"print_findings": 1},
    {"on_finding": "print"},
    {"stop_on": "fatal"},
    {"log_dir": None},
    {"log_dir": 3},
    {"log_dir": ""},
    {"log_dir": "logs/run\0"},
    {"log_dir": "gs://bucket/logs"},
]
"""What neither takes; every option that both have is here."""

MAKERS = {
    "callback": tba.ActivationsCallback,
    "watch": lambda **options: tba.watch(lambda x: x, **options),
}
OWN = {"callback": {"self", "validation", "probe_data"}, "watch": {"train_step", "model", "first_step", "probe_data"}}
"""Options that only one of them has."""


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("options", BAD, ids=lambda options: "{}={:.20}".format(*next((name, str(value)) for name, value in options.items())))
def test_bad_options(tmp_path, make, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"`{name}` must .*Received: {name}="):
        make(**{"log_dir": tmp_path, **options})


def test_both_have_the_same_options_with_the_same_defaults_and_none_is_left_untested():
    callback = inspect.signature(tba.ActivationsCallback.__init__).parameters
    watch = inspect.signature(tba.watch).parameters
    shared = {name: callback[name].default for name in callback if name not in OWN["callback"]}
    assert shared == {name: watch[name].default for name in watch if name not in OWN["watch"]}
    assert set(shared) == {name for options in BAD for name in options}


def test_bad_options_that_only_the_callback_has(tmp_path):
    with pytest.raises(ArgumentError, match=r"`validation` must .*Received: validation="):
        tba.ActivationsCallback(tmp_path, validation="yes")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("data", ["x", 3, tf.data.Dataset.range(3), (number for number in [1])], ids=lambda data: type(data).__name__)
def test_a_probe_batch_that_is_none(tmp_path, make, data):
    own = {"model": keras.Sequential()} if make is MAKERS["watch"] else {}
    with pytest.raises(ArgumentError, match=r"`probe_data` must .*arrays or tensors.*Received: probe_data=") as told:
        make(log_dir=tmp_path, probe_data=data, **own)
    assert ("Take one from it" in str(told.value)) is not isinstance(data, (str, int))


NOT_STEPS = [{"train_step": 3}, {"train_step": keras.Sequential()}, {"train_step": tba.watch(print, log_dir="nowhere")}]


@pytest.mark.parametrize(
    "options",
    [*NOT_STEPS, {"model": "m"}, {"first_step": -1}, {"first_step": True}, {"first_step": 10**12}],
    ids=lambda options: " ".join(f"{name} {type(value).__name__}" for name, value in options.items()),
)
def test_bad_options_that_only_watch_has(tmp_path, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"`{name}` must .*Received: {name}="):
        tba.watch(**{"train_step": print, "log_dir": tmp_path, **options})


def test_a_step_of_several_models_is_told_to_need_none(tmp_path):
    with pytest.raises(ArgumentError, match=r"`model` must .*Leave it out for a step of several models.*Received: model=\["):
        tba.watch(print, model=[keras.Sequential(), keras.Sequential()], log_dir=tmp_path)


def test_a_layer_is_told_to_need_no_model(tmp_path):
    with pytest.raises(ArgumentError, match=r"`model` must .*Leave it out for a layer.*Received: model=<Dense"):
        tba.watch(print, model=keras.layers.Dense(1, name="dense"), log_dir=tmp_path)


def test_nothing_is_written_before_a_step_is_recorded(tmp_path):
    for make in MAKERS.values():
        make(log_dir=tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", None, "/a", "a/"], ids=repr)
def test_bad_probe_name(name):
    with pytest.raises(ArgumentError, match=r"`name` must .*Received: name="):
        tba.probe(1, name)


def test_a_probe_outside_a_capture_is_free():
    x = object()
    assert tba.probe(x, "name") is x


def test_a_model_of_another_keras_is_refused_before_it_trains(tmp_path):
    """The Keras 2 that is still there calls `set_model` first, and then methods that a callback of Keras 3 hasn't got."""
    with pytest.raises(ArgumentError, match=r"Expected a model of Keras 3\. Received: .*Module.* of tensorflow.* `import keras`"):
        tba.ActivationsCallback(tmp_path).set_model(tf.Module())
