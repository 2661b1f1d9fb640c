"""Outputs that are trained together, and what one leaves the others."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.several_losses import LossOutweighs
from tests.diagnosis.hand import STEPS, History

TEXT = """
    input x [?,8]
    layer trunk Dense [?,8] <- x relu
    variable trunk/kernel [8,8] gradient update
    layer kind Dense [?,3] <- {read} softmax
    variable kind/kernel [8,3] gradient update
    layer price Dense [?,1] <- trunk
    variable price/kernel [8,1] gradient update
    loss loss [] <- kind price
"""


def outweighed(price, kind=0.1, weights=1.0, read="trunk", text=TEXT):
    history = History(text.format(read=read), STEPS).set("price/kernel", l2_norm=weights).set("kind/kernel", l2_norm=1.0)
    history.set("price/kernel", "gradient", l2_norm=price).set("kind/kernel", "gradient", l2_norm=kind)
    return history.find(LossOutweighs())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"price": 1e5}, True),
        ({"price": 100.0}, False),
        ({"price": 0.1, "kind": 1e-6}, False),  # the other is an auxiliary one of small weight
        ({"price": 1e5, "kind": 0.0}, False),  # the other isn't trained
        ({"price": 1e5, "read": "x"}, False),  # they have nothing in common
        ({"price": np.where(np.arange(20) < 3, 1e5, 10.0)}, False),  # it was learned soon
        ({"price": 1e5, "text": TEXT.replace("<- kind price", "<- price")}, False),
    ],
    ids=str,
)
def test_an_output_whose_gradient_leaves_another_nothing_is_told(changes, told):
    found = outweighed(**changes)
    assert [f.node for f in found] == ["price"] * told
    assert all("1e6 times that of `kind`" in f.sentence and '"price": 1e-6' in f.code for f in found)


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "told"), [(1e5, ["price"]), (1.0, [])])
def test_a_price_in_its_own_unit_beside_classes_is_told(tmp_path, unit, told):
    """The whole way, in a real training."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
    inputs = keras.Input((8,))
    trunk = keras.layers.Dense(16, "relu", name="trunk")(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(2, "softmax", name="kind")(trunk), keras.layers.Dense(1, name="price")(trunk)])
    model.compile(keras.optimizers.Adam(1e-3), ["sparse_categorical_crossentropy", "mse"])
    callback = tba.ActivationsCallback(tmp_path, every=5, print_findings=False)
    model.fit(x, [(x[:, 0] > 0).astype("int32"), unit * x[:, 1:2]], epochs=8, verbose=0, callbacks=[callback])
    assert [f.node for f in tba.open_run(tmp_path / "train").findings if f.rule == "loss_outweighs"] == told
