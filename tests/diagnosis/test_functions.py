"""Functions between layers: where training gets nowhere."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.functions import InnerFunction
from tests.diagnosis.hand import STEPS, History

CHAIN = """
    input x [?,8]
    layer one Dense [?,{units}] <- x {function}
    variable one/kernel [8,{units}] gradient update
    {more} two {kind} [?,4] <- {sources} relu
    variable two/kernel [{units},4] gradient update
    layer output Dense [?,3] <- two softmax
    variable output/kernel [4,3] gradient update
    loss loss [] <- output
"""


def shares(losses=2.3, function="softmax", kind="Dense", steps=STEPS):
    text = CHAIN.format(units=8, function=function, more="layer", kind=kind, sources="one")
    return [f.node for f in History(text, steps).set("loss", elements=1, mean=losses).find(InnerFunction())]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["one"]),
        ({"losses": np.linspace(2.3, 1.9, 20)}, ["one"]),
        ({"losses": np.linspace(2.3, 0.5, 20)}, []),  # the next layer mixes shares, and learns
        ({"function": "relu"}, []),
        ({"kind": "Multiply"}, []),  # they choose
        ({"steps": range(0, 60, 3)}, []),
        ({"steps": range(100, 300, 10)}, []),  # where a run goes on, nobody knows how it began
        ({"losses": -2.3}, []),
    ],
    ids=str,
)
def test_a_softmax_between_layers_is_told_where_training_gets_nowhere(changes, told):
    assert shares(**changes) == told


LINEAR = """
    input x [?,8]
    layer one Dense [?,{units}] <- x {function}
    variable one/kernel [8,{units}] gradient update
    {between}
    layer two Dense [?,16] <- {last}
    variable two/kernel [{units},16] gradient update
    layer output Dense [?,3] <- two {end}
    variable output/kernel [16,3] gradient update
    loss loss [] <- output
"""


def linear(losses=1.0, units=16, function="", between="", last="one", end="softmax", text=LINEAR):
    history = History(text.format(units=units, function=function, between=between, last=last, end=end), STEPS)
    return [f.node for f in history.set("loss", elements=1, mean=losses).find(InnerFunction())]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["one"]),
        ({"end": ""}, ["one"]),
        ({"function": "tanh"}, []),
        ({"losses": np.where(np.arange(20) < 1, 1.0, 0.85)}, ["one"]),  # of two such layers one is there for nothing
        ({"losses": np.where(np.arange(20) < 1, 1.0, 0.2)}, []),  # a line is good enough
        ({"units": 2}, ["two"]),  # narrow on purpose; the next one isn't
        ({"units": 2, "losses": np.where(np.arange(20) < 1, 1.0, 0.85)}, []),  # as far as noisy targets let it
        ({"between": "layer drop Dropout [?,16] <- one", "last": "drop"}, ["one"]),
        ({"between": "layer own Bend [?,16] <- one", "last": "own"}, []),  # a layer of a user may hold any function
        ({"between": "layer pool MaxPooling1D [?,16] <- one", "last": "pool"}, []),
        ({"between": "layer norm LayerNormalization [?,16] <- one", "last": "norm"}, []),  # divides by what it is given
    ],
    ids=str,
)
def test_a_network_without_any_function_is_told_where_training_gets_nowhere(changes, told):
    assert linear(**changes) == told


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (LINEAR, {"class_name": "Tensor"}),  # the `call` of a model that is written by hand
        (LINEAR.replace("{between}", "input other/x [?,16] <- one").replace("{last}", "other/x"), {}),  # a loop calls one model, then another
    ],
)
def test_what_may_bend_between_layers_unseen_is_not_told_while_something_is_learned(text, fields):
    history = History(text.format(units=16, function="", between="", last="one", end="softmax"), STEPS, x=fields)
    assert history.set("loss", elements=1, mean=np.where(np.arange(20) < 1, 1.0, 0.5)).find(InnerFunction()) == []


def test_nothing_is_said_of_what_a_loop_puts_between_layers_whose_inputs_are_unknown():
    assert linear(text=LINEAR.replace("input x [?,8]", "").replace(" <- x", "")) == []


def test_a_single_layer_is_a_regression():
    text = "input x [?,8]; layer output Dense [?,3] <- x softmax; variable output/kernel [8,3] gradient update; loss loss [] <- output"
    assert History(text, STEPS).set("loss", elements=1, mean=1.0).find(InnerFunction()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("forgotten", "told"), [(True, ["one"]), (False, [])])
def test_forgotten_functions_are_told_in_a_real_training(tmp_path, forgotten, told):
    """Two rings, one in the other: no line parts them."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    angle, y = random.uniform(0, 2 * np.pi, 640), random.integers(0, 2, 640)
    x = ((1 + y) * np.stack([np.cos(angle), np.sin(angle)])).T.astype("float32")
    function = None if forgotten else "relu"
    hidden = [keras.layers.Dense(16, function, name=name) for name in ("one", "two")]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid", name="head")])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x, y, epochs=10, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=5, print_findings=False)])
    assert [f.node for f in tba.open_run(tmp_path / "train").findings if f.rule == "inner_function"] == told
