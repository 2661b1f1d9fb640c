"""What initial weights make of the scale of numbers over the depth, and tables that are as large as raw data."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.initialization import PoorInitialization
from tests.diagnosis.hand import STEPS, History, deep

DEPTH = 5
CHAIN = "input x [?,64];" + ";".join(
    f"layer d{i} Dense [?,64] <- {f'd{i - 1}' if i else 'x'} relu; variable d{i}/kernel [64,64]; variable d{i}/bias [64]" for i in range(DEPTH)
) + "; layer head Dense [?,3] <- d4; variable head/kernel [64,3]; variable head/bias [3]; loss loss [] <- head"  # fmt: skip


def chain(gain, passed):
    """Five layers whose kernels have this gain, of which each hands on so much of what comes in."""
    history = History(CHAIN, range(0, 30, 10)).set("x", elements=2048, l2_norm=np.sqrt(2048))
    for i in range(DEPTH):
        rms = passed ** (i + 1)
        history.set(f"d{i}", elements=2048, l2_norm=rms * np.sqrt(2048), batch_std=rms)
        history.set(f"d{i}/kernel", elements=4096, l2_norm=gain / 8 * 64, std=gain / 8).set(f"d{i}/bias", elements=64, l2_norm=0.0, std=0.0)
    history.set("head/kernel", elements=192, l2_norm=np.sqrt(192) / 8, std=1 / 8).set("head/bias", elements=3, l2_norm=0.0, std=0.0)
    return [f.node for f in history.find(PoorInitialization())]


@pytest.mark.parametrize(
    ("gain", "passed", "told"),
    [
        (0.08, 0.06, 3),  # 0.06³ is left of what comes into the third layer, 0.06² of what comes into the fourth
        (0.08, 0.9, 0),  # something between the layers takes the scale away
        (0.4, 0.2, 1),
        (0.6, 0.06, 0),  # the weights are not to blame
        (2.5, 2.5, 2),
        (2.5, 1.5, 0),
        (1.4, 2.5, 0),
    ],
)
def test_gains_that_are_somewhat_off_are_told_where_they_add_up_over_the_depth(gain, passed, told):
    assert chain(gain, passed) == [f"d{i}/kernel" for i in range(told)]


@pytest.mark.parametrize(
    ("spread", "name", "following", "told"),
    [
        (30.0, "embeddings", "Dense", ["table/embeddings"]),
        (5.0, "embeddings", "Dense", []),
        (30.0, "embeddings", "LayerNormalization", []),
        (30.0, "centroids", "Dense", []),
    ],
)
def test_a_table_as_large_as_raw_data_is_told_unless_a_normalization_follows(spread, name, following, told):
    owner = "Embedding" if name == "embeddings" else "Centres"
    text = f"""
        input x [?,9] int32; layer table {owner} [?,9,16] <- x; variable table/{name} [50,16]
        layer next {following} [?,9,16] <- table; variable next/kernel [16,16]; variable next/bias [16]; loss loss [] <- next
    """
    history = History(text, range(0, 30, 10)).set("next/bias", elements=16, l2_norm=0.0, std=0.0)
    history.set(f"table/{name}", elements=800, l2_norm=spread * np.sqrt(800), std=spread).set("next/kernel", elements=256, l2_norm=4.0, std=0.25)
    found = history.find(PoorInitialization())
    assert [f.node for f in found] == told
    assert all("The initial entries have a root mean square of 30." in f.sentence for f in found)


@pytest.mark.parametrize(
    ("squeeze", "excite", "told"),
    [
        # By VarianceScaling(2.0, "fan_out"), as in EfficientNet: the square roots of 2 / 28 and of 2 / 672.
        (0.267, 0.0546, []),
        (0.267, 0.189, ["squeeze/kernel"]),  # the square root of 1 / 28, by fan-in: nothing makes up for it
        (1.0, 0.01, ["squeeze/kernel"]),  # gradients explode on their way back
        (0.267, 1.0, ["squeeze/kernel", "excite/kernel"]),
    ],
)
def test_a_narrow_layer_may_keep_the_scale_of_gradients_where_the_next_weights_make_up_for_it(squeeze, excite, told):
    text = """
        input x [?,672]; layer squeeze Dense [?,28] <- x swish; variable squeeze/kernel [672,28]; layer excite Dense [?,672] <- squeeze sigmoid
        variable excite/kernel [28,672]; layer gate Multiply [?,672] <- x excite; layer head Dense [?,3] <- gate; variable head/kernel [672,3]
        loss loss [] <- head
    """
    history = History(text, range(0, 30, 10)).set("head/kernel", elements=2016, l2_norm=0.0386 * np.sqrt(2016), std=0.0386)
    for name, spread in (("squeeze", squeeze), ("excite", excite)):
        history.set(f"{name}/kernel", elements=672 * 28, l2_norm=spread * np.sqrt(672 * 28), std=spread)
    assert [f.node for f in history.find(PoorInitialization())] == told


@pytest.mark.parametrize(("given", "told"), [(0.3, []), (1.0, ["head/kernel"])])
def test_last_weights_may_be_large_where_what_comes_in_is_as_small(given, told):
    """By VarianceScaling(1 / 3, "fan_out") for ten classes, as in EfficientNet."""
    text = "input x [?,1280]; layer head Dense [?,10] <- x softmax; variable head/kernel [1280,10]; loss loss [] <- head"
    history = History(text, range(0, 30, 10)).set("x", elements=40960, l2_norm=given * np.sqrt(40960), batch_std=given)
    history.set("head/kernel", elements=12800, l2_norm=0.183 * np.sqrt(12800), std=0.183)
    assert [f.node for f in history.find(PoorInitialization())] == told


@pytest.mark.parametrize(("gain", "turned", "told"), [(50.0, 1e-4, ["c/kernel"]), (50.0, 4e-3, []), (2.0, 1e-4, [])])
def test_weights_before_a_normalization_are_too_large_where_a_step_hardly_turns_them(gain, turned, told):
    text = """
        input x [?,64]; layer c Dense [?,64] <- x; variable c/kernel [64,64] update; variable c/bias [64]
        layer n BatchNormalization [?,64] <- c relu; layer head Dense [?,3] <- n; variable head/kernel [64,3] update; variable head/bias [3]
        variable n/gamma [64] update; loss loss [] <- head
    """
    history = History(text, range(0, 30, 10)).set("c/bias", elements=64, l2_norm=0.0, std=0.0).set("head/bias", elements=3, l2_norm=0.0, std=0.0)
    history.set("n/gamma", elements=64, l2_norm=8.0, std=0.0).set("n/gamma", "update", elements=64, l2_norm=8e-5)  # a scale isn't turned at all
    history.set("c/kernel", elements=4096, l2_norm=gain * 8, std=gain / 8).set("c/kernel", "update", elements=4096, l2_norm=gain * 8 * turned)
    history.set("head/kernel", elements=192, l2_norm=1.7, std=1 / 8).set("head/kernel", "update", elements=192, l2_norm=1.7e-2)
    assert [f.node for f in history.find(PoorInitialization())] == told


def init(at=1, **statistics):
    """Kernels that keep the variance (rms 0.35 for a fan-in of 8), but one."""
    history = deep()
    for index in range(5):
        history.set(f"d{index}/kernel", **{"elements": 64, "l2_norm": 0.35 * 8, "std": 0.35, **(statistics if index == at else {})})
    return history.find(PoorInitialization())


def test_beginnings_far_from_keeping_the_variance_are_told():
    assert init() == []
    assert [f.node for f in init(l2_norm=3.0 * 8, std=3.0)] == ["d1/kernel"]
    assert [f.node for f in init(l2_norm=1e-4 * 8, std=1e-4)] == ["d1/kernel"]


def test_constant_weights_are_told_but_a_last_layer_may_begin_at_zero():
    assert "All initial weights are 0" in init(l2_norm=0.0, std=0.0)[0].sentence
    assert [f.node for f in init(l2_norm=0.1 * 8, std=1e-9)] == ["d1/kernel"]
    assert init(at=4, l2_norm=0.0, std=0.0) == []


def test_only_step_0_is_a_beginning():
    history = deep()
    history.steps = history.steps + 10
    history.set("d1/kernel", elements=64, l2_norm=80.0, std=10.0)
    assert history.find(PoorInitialization()) == []


def test_small_weights_before_a_normalization_or_a_sum_do_no_harm():
    for follower in ("LayerNormalization", "Add"):
        text = (
            f"input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]; layer n {follower} [?,8] <- d x; layer e Dense"
            " [?,8] <- n; variable e/kernel [8,8]"
        )
        history = History(text, STEPS).set("d/kernel", elements=64, l2_norm=0.0, std=0.0).set("e/kernel", elements=64, l2_norm=2.8, std=0.35)
        assert history.find(PoorInitialization()) == []


@pytest.mark.parametrize(("over_examples", "told"), [(1.0, []), (0.0, ["up/kernel"])])
def test_zeros_beside_something_that_tells_examples_apart_are_an_adapter(over_examples, told):
    text = (
        "input x [?,8]; layer up Dense [?,8] <- x; variable up/kernel [8,8]; layer joined Adapter [?,8] <- x up;"
        " layer e Dense [?,8] <- joined; variable e/kernel [8,8]"
    )
    history = History(text, STEPS).set("up/kernel", elements=64, l2_norm=0.0, std=0.0).set("e/kernel", elements=64, l2_norm=2.8, std=0.35)
    history.set("joined", l2_norm=np.sqrt(320), batch_std=over_examples)
    assert [f.node for f in history.find(PoorInitialization())] == told


@pytest.mark.parametrize(("activation", "told"), [("sin", []), ("tanh", ["first/kernel"])])
def test_large_weights_before_a_sine_are_frequencies(activation, told):
    text = "input x [?,1]; layer first Dense [?,8] <- x; variable first/kernel [1,8]; layer e Dense [?,8] <- first; variable e/kernel [8,8]"
    history = History(text, STEPS, first={"activation": activation}).set("first/kernel", elements=8, l2_norm=5 * np.sqrt(8), std=5.0)
    assert [f.node for f in history.find(PoorInitialization())] == told


@pytest.mark.parametrize(
    ("layer", "weight", "code"),
    [
        ("Dense", "kernel", 'keras.layers.Dense(..., kernel_initializer="glorot_uniform")'),
        ("RNN", "kernel", 'kernel_initializer="glorot_uniform"'),  # of an LSTM cell of Keras
        ("RNN", "w", 'self.add_weight(shape, initializer="glorot_uniform")'),  # of a cell of a user
        ("Scan", "w", 'self.add_weight(shape, initializer="glorot_uniform")'),
    ],
)
def test_the_initializer_is_to_be_changed_where_the_weight_is_made(layer, weight, code):
    text = (
        f"input x [?,8]; layer first {layer} [?,8] <- x; variable first/{weight} [8,8] gradient update; layer last Dense [?,3] <- first;"
        " variable last/kernel [8,3] gradient update; loss loss [] <- last"
    )
    history = History(text, STEPS).set(f"first/{weight}", elements=64, l2_norm=40.0, std=5.0).set("x", l2_norm=np.sqrt(320))
    found = history.set("last/kernel", elements=24, l2_norm=1.7, std=0.35).find(PoorInitialization())
    assert [f.code for f in found] == [code]


@pytest.mark.parametrize(
    ("owner", "weight", "beside", "spread", "told"),
    [
        ("Variational", "rho", "mu", 0.1, False),
        ("Variational", "rho", "mu", 0.0, True),
        ("GRU", "kernel", "recurrent_kernel", 0.1, True),
    ],
)
def test_constant_deviations_beside_means_that_tell_units_apart_are_none(owner, weight, beside, spread, told):
    text = f"""
        input x [?,16]; layer layer {owner} [?,8] <- x; variable layer/{weight} [16,8]; variable layer/{beside} [16,8]
        layer head Dense [?,3] <- layer; variable head/kernel [8,3]; variable head/bias [3]; loss loss [] <- head
    """
    history = History(text, range(0, 30, 10)).set(f"layer/{weight}", elements=128, mean=-3.0, l2_norm=3 * np.sqrt(128), std=0.0)
    history.set(f"layer/{beside}", elements=128, l2_norm=0.1 * np.sqrt(128), mean=0.0, std=spread).set("head/bias", elements=3, l2_norm=0.0, std=0.0)
    history.set("head/kernel", elements=24, l2_norm=0.3 * np.sqrt(24), std=0.3)
    found = [f for f in history.find(PoorInitialization()) if f.node == f"layer/{weight}"]
    assert bool(found) == told
    assert all("All initial weights are -3, so" in f.sentence for f in found)


SCALED = """
    input x [?,8]
    layer norm BatchNormalization [?,8] <- x
    variable norm/gamma [8]
    layer after {} [?,8] <- norm {}
    layer head Dense [?,3] <- after
    variable head/kernel [8,3]
    loss loss [] <- head
"""


@pytest.mark.parametrize(
    ("way", "scale", "passes", "told"),
    [
        (("ReLU", ""), 0.0, 0.0, ["norm/gamma"]),
        (("ReLU", ""), 1.0, 1.0, []),
        (("Add", "x"), 0.0, 1.0, []),  # a branch that is to begin with nothing, beside a way past it; the head may begin with 0, too
    ],
)
def test_scales_of_zero_are_told_where_nothing_goes_past_them(way, scale, passes, told):
    history = History(SCALED.format(*way), range(0, 30, 10)).set("norm/gamma", elements=8, l2_norm=scale * np.sqrt(8), std=0.0, mean=scale)
    for name, differ in (("x", 1.0), ("norm", scale), ("after", passes), ("head", 0.0)):
        history.set(name, l2_norm=np.sqrt(320), batch_std=differ)
    found = history.set("head/kernel", elements=24, l2_norm=1.0, std=0.2).find(PoorInitialization())
    assert [f.node for f in found] == told
    assert all("gamma, beta" in f.code for f in found)
