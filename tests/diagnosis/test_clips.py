"""Numbers that are cut off at two ends."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.clips import CutOff
from tests.diagnosis.hand import STEPS, History

L = keras.layers
KERNEL = "variable scores/kernel [8,8] gradient update"
TEXT = f"input x [?,8]; layer scores Dense [?,8] <- x gradient; {KERNEL}; layer clip {{}} [?,8] <- scores gradient; loss loss [] <- clip"


@pytest.mark.parametrize(
    ("layer", "spread", "before", "after", "told"),
    [
        ("Clip", 0.048, 0.95, 0.0, ["clip"]),
        ("Clip", 0.02, 0.95, 0.0, []),  # numbers between the ends, as a ReLU leaves them
        ("Clip", 0.048, 0.0, 0.0, []),  # the gradient is passed around it
        ("Clip", 0.048, 0.95, 0.9, []),  # there is hardly any behind it
        ("Clip", np.linspace(0.02, 0.048, 20), 0.95, 0.0, []),  # what learns to be sure
        ("Dropout", 0.048, 0.95, 0.0, []),
    ],
)
def test_what_hardly_gives_anything_but_its_ends_and_blocks_the_gradient_is_told(layer, spread, before, after, told):
    history = History(TEXT.format(layer), STEPS).set("scores", min=-3.0, max=3.0, mean=0.0, std=1.0)
    history.set("clip", min=-0.05, max=0.05, mean=0.0, std=spread)
    for name, zeros in (("scores", before), ("clip", after)):
        history.set(name, "gradient", zero_fraction=zeros)
    found = history.find(CutOff())
    assert [f.node for f in found] == told
    assert all("-0.05 and 0.05" in f.sentence for f in found)


@pytest.mark.parametrize("learns", [True, False])
def test_of_a_step_nothing_passes(learns):
    """To nothing that learns where the scores are random projections, of which the signs are features."""
    text = TEXT.format("Sign") if learns else TEXT.format("Sign").replace(KERNEL, "variable scores/kernel [8,8]")
    history = History(text, STEPS).set("scores", min=-3.0, max=3.0, mean=0.0, std=1.0).set("clip", min=-1.0, max=1.0, mean=0.0, std=1.0)
    found = history.set("scores", "gradient", zero_fraction=1.0).set("clip", "gradient", zero_fraction=0.0).find(CutOff())
    assert ["stop_gradient" in f.code for f in found] == [True] * learns


@pytest.mark.slow
@pytest.mark.parametrize(("largest", "told"), [(0.02, ["cut"]), (6.0, [])])
def test_a_relu_with_a_largest_value_that_is_far_too_small_is_told(tmp_path, largest, told):
    """The whole way, in a real training."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
    hidden = [L.Dense(16, name="hidden"), L.ReLU(max_value=largest, name="cut")]
    model = keras.Sequential([keras.Input((8,), name="x"), *hidden, L.Dense(1, name="head")])
    model.compile("adam", "mse")
    model.fit(x, x[:, 0] * x[:, 1], verbose=0, epochs=2, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    assert [f.node for f in tba.open_run(tmp_path / "train").findings if f.rule == "cut_off"] == told
