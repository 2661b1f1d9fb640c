"""Saturated, exploding, collapsed: and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.activations import ExplodingActivation, SaturatedActivation
from tb_activations.diagnosis.collapse import CollapsedOutput
from tb_activations.diagnosis.dead_units import DeadUnits
from tb_activations.diagnosis.incoming import ConstantInput, UnnormalizedInput
from tests.diagnosis.hand import RELU, History

STEPS = range(0, 100, 5)
TANH = RELU.replace("relu", "tanh")


def saturated(node, share):
    return History(TANH, STEPS).set(node, saturated_fraction=share).find(SaturatedActivation())


def test_a_hidden_layer_at_its_ends_is_told():
    found = saturated("hidden", np.linspace(0.85, 0.99, 20))
    assert [(f.node, f.first_step) for f in found] == [("hidden", 0)]
    assert "99.0 % of the outputs of tanh are within 0.03 of −1 or +1" in found[0].sentence


def test_confidence_that_was_learned_is_healthy():
    assert saturated("output", np.linspace(0, 1, 20)) == []


def test_confidence_without_training_is_not():
    assert [f.node for f in saturated("output", 0.97)] == ["output"]


@pytest.mark.parametrize(("loss", "told"), [(29_000.0, ["output"]), (0.7, [])])
def test_an_output_that_is_pushed_to_its_end_by_targets_beyond_it_is_told(loss, told):
    history = History(RELU.replace("softmax", "sigmoid"), STEPS).set("output", l2_norm=1.0, saturated_fraction=np.linspace(0, 1, 20) ** 0.1)
    found = history.set("loss", elements=1, mean=loss).find(SaturatedActivation())
    assert [f.node for f in found] == told
    assert all("where targets lie beyond the ends of sigmoid, end without it" in f.remedy for f in found)


@pytest.mark.parametrize(("loss", "told"), [(29_000.0, ["output"]), (200.0, [])])
def test_what_no_target_within_reach_explains_is_told_before_all_of_it_is_flat(loss, told):
    """The squared distances of 96 numbers between 0 and 1 from targets between −1 and 1 are below 384, even added up."""
    history = History(RELU.replace("softmax", "sigmoid"), STEPS).set("output", elements=96, l2_norm=1.0, saturated_fraction=np.linspace(0, 0.8, 20))
    assert [f.node for f in history.set("loss", elements=1, mean=loss).find(SaturatedActivation())] == told


@pytest.mark.parametrize(("attributes", "told"), [({}, ["member"]), ({"probabilities": ("member",)}, [])])
def test_classes_that_are_learned_beside_large_numbers_may_become_certain(attributes, told):
    text = """
        input x [?,8]
        layer member Dense [?,1] <- x sigmoid
        variable member/kernel [8,1]
        layer price Dense [?,1] <- x
        variable price/kernel [8,1]
        loss loss [] <- member price
    """
    history = History(text, STEPS, loss={"attributes": attributes}).set("member", elements=32, l2_norm=1.0, saturated_fraction=np.linspace(0, 1, 20))
    history.set("price", elements=32, l2_norm=1.0).set("loss", elements=1, mean=29_000.0)
    assert [f.node for f in history.find(SaturatedActivation())] == told


def test_a_hidden_layer_that_slowly_hardens_is_healthy():
    assert saturated("hidden", np.linspace(0.1, 0.85, 20)) == []


@pytest.mark.parametrize(("back", "told"), [(60, False), (80, True)])
def test_units_that_come_back_from_an_end_within_fifty_steps_are_healthy(back, told):
    """Momentum drives them there. Captures are five steps apart."""
    found = saturated("hidden", np.where((np.arange(20) * 5 >= 20) & (np.arange(20) * 5 < back), 0.97, 0.2))
    assert [(f.node, f.first_step) for f in found] == ([("hidden", 20)] if told else [])


def test_saturation_while_the_loss_falls_is_the_way_it_learns():
    history = History(TANH, STEPS).set("hidden", saturated_fraction=np.linspace(0.1, 0.99, 20))
    history.progress[:] = True
    assert history.find(SaturatedActivation()) == []


CHAIN = """
    input x [?,8]
    layer one Dense [?,8] <- x
    layer two Dense [?,8] <- one
    variable two/kernel [8,8]
    op mask Add [?,8] <- two
    loss loss [] <- mask
"""


def chain(x=1.0, one=1.0, two=1.0, mask=1.0, statistic="l2_norm"):
    history = History(CHAIN, STEPS)
    for name, rms in (("x", x), ("one", one), ("two", two), ("mask", mask)):
        history.set(name, l2_norm=np.broadcast_to(rms, 20) * np.sqrt(320), max=rms)
    return history


def test_an_explosion_is_out_of_proportion_to_the_input():
    assert [f.node for f in chain(two=5000.0).find(ExplodingActivation())] == ["two"]
    assert chain(x=100.0, two=5000.0).find(ExplodingActivation()) == []


@pytest.mark.parametrize(
    ("sizes", "node", "said"),
    [
        ({"two": 5000.0}, "two", "Start from weights"),
        ({"one": 5000.0}, "one", "It has no weights"),
        ({"two": np.where(np.arange(20) < 5, 1.0, 5000.0)}, "two", "or lower the learning rate"),
    ],
    ids=["weights", "none", "later"],
)
def test_what_to_do_about_an_explosion_depends_on_where_and_when(sizes, node, said):
    found = chain(**sizes).find(ExplodingActivation())
    assert [(f.node, said in f.remedy) for f in found] == [(node, True)]
    assert ("learning rate" in found[0].remedy) == (found[0].first_step > 0)


def test_an_exponential_explodes_whatever_its_weights():
    history = History(CHAIN, STEPS, two={"activation": "exponential"})
    history.set("x", l2_norm=np.sqrt(320)).set("two", l2_norm=5000 * np.sqrt(320), max=5000.0)
    assert [(f.node, "take another function" in f.remedy) for f in history.find(ExplodingActivation())] == [("two", True)]


def test_a_mask_is_no_explosion():
    assert chain(mask=1e9).find(ExplodingActivation()) == []


@pytest.mark.parametrize(
    ("gradient", "source", "told"), [("gradient=gradient_stopped", "x", []), ("", "x", ["length"]), ("gradient=gradient_stopped", "two", ["length"])]
)
def test_what_is_counted_of_the_data_does_not_explode(gradient, source, told):
    history = History(f"{CHAIN}\n    layer length Cast [?,8] <- {source} {gradient}", STEPS)
    for name, rms in (("x", 1.0), ("one", 1.0), ("two", 1.0), ("mask", 1.0), ("length", 2000.0)):
        history.set(name, l2_norm=rms * np.sqrt(320), max=rms)
    assert [f.node for f in history.find(ExplodingActivation())] == told


POLICY = """
    input x [?,8]
    layer net/scores Dense [?,6] <- x; variable net/scores/kernel [8,6]
    layer net/allowed Allowed [?,6] <- net/scores
    layer net Functional [?,6] <- net/allowed
    loss loss [] <- net
"""


@pytest.mark.parametrize(("masked", "same", "told"), [(True, False, []), (True, True, ["net/allowed"]), (False, False, [])])
def test_actions_that_a_layer_of_ones_own_forbids_are_neither_an_explosion_nor_all_alike(masked, same, told):
    """Statistics by numpy, of scores of which the last two are −1e9; examples differ by next to nothing beside that."""
    scores = np.random.default_rng(0).normal(size=(1 if same else 32, 6)) * np.ones((32, 1))
    allowed = np.where(np.arange(6) < (4 if masked else 6), scores, -1e9)
    history = History(POLICY, STEPS).set("loss", elements=1, mean=1.4).set("x", elements=256, l2_norm=16.0, batch_std=1.0)
    for name, numbers in (("net/scores", np.random.default_rng(1).normal(size=(32, 6))), ("net/allowed", allowed), ("net", allowed)):
        seen = {"l2_norm": np.linalg.norm(numbers), "min": numbers.min(), "max": numbers.max(), "batch_std": np.sqrt(numbers.var(0).mean())}
        history.set(name, elements=192, **seen)
    assert history.find(ExplodingActivation()) == []
    assert [f.node for f in history.find(CollapsedOutput())] == told


def test_large_numbers_of_a_layer_of_ones_own_are_an_explosion():
    history = History(POLICY, STEPS).set("loss", elements=1, mean=1.4).set("x", elements=256, l2_norm=16.0)
    history.set("net/allowed", elements=192, l2_norm=5e4 * np.sqrt(192), min=-2e5, max=1.5e5)
    assert [f.node for f in history.find(ExplodingActivation())] == ["net/allowed"]


def test_sums_explode_where_no_mask_is_added():
    found = chain(two=5000.0, mask=7000.0).set("mask", l2_norm=7000.0 * np.sqrt(320), max=20_000.0).find(ExplodingActivation())
    assert [f.node for f in found] == ["two", "mask"]


def test_large_targets_that_training_reaches_are_no_explosion():
    history = chain(two=np.linspace(1, 5000, 20))
    history.progress[2:] = True
    assert history.find(ExplodingActivation()) == []


def test_targets_that_the_first_loss_tells_of_excuse_outputs_of_their_size():
    grown = chain(two=np.geomspace(1, 250_000, 20))
    assert [f.node for f in grown.find(ExplodingActivation())] == ["two"]
    assert grown.set("loss", elements=1, mean=250_000.0**2).find(ExplodingActivation()) == []
    own_fault = chain(two=np.full(20, 250_000.0), mask=np.full(20, 250_000.0)).set("loss", elements=1, mean=250_000.0**2)
    assert [f.node for f in own_fault.find(ExplodingActivation())] == ["two"]


def test_an_explosion_needs_two_captures_only():
    assert [f.first_step for f in chain(two=[1.0] * 18 + [1e4, 1e5]).find(ExplodingActivation())] == [90]


def spread(**over_examples):
    history = History(CHAIN, STEPS)
    for name in ("x", "one", "two", "mask"):
        history.set(name, l2_norm=np.sqrt(320), batch_std=over_examples.get(name, 0.5))
    return history


def test_the_first_node_from_which_on_all_examples_are_equal_is_told():
    assert [f.node for f in spread(one=0.0, two=0.0, mask=0.0).find(CollapsedOutput())] == ["one"]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(-102.0, 2.0, False), (-200.0, 200.0, True), (-3.0, 2.0, True), (-102.0, 2.5, False)],
    ids=["a mask of -100", "a factor of 100", "something else", "a mask and a table of positions"],
)
def test_scores_that_something_puts_far_below_those_that_weights_make_are_masked(low, high, told):
    """Windows of a Swin transformer mask by −100: where one position is left, the softmax has no other choice."""
    text = """
        input x [?,9,8]
        input mask [?,9,9]
        layer scores Dense [?,9,9] <- x
        variable scores/kernel [8,9]
        layer add Sum [?,9,9] <- scores mask
        layer weights Softmax [?,9,9] <- add softmax
        layer output Dense [?,3] <- weights
        variable output/kernel [9,3]
        loss loss [] <- output
    """
    history = History(text, STEPS).set("scores", min=-2.0, max=2.0).set("add", min=low, max=high)
    found = history.set("weights", min=0.0, max=1.0, mean=1 / 9, saturated_fraction=0.6).find(SaturatedActivation())
    assert [f.node for f in found] == ["weights"] * told


@pytest.mark.parametrize(("cell", "table", "said"), [("LSTM", "Embedding", True), ("Dense", "Embedding", False), ("LSTM", "Dense", False)])
def test_a_state_behind_a_table_of_words_may_be_that_of_padding(cell, table, said):
    text = f"""
        input x [?,9,4]
        layer embed {table} [?,9,8] <- x
        variable embed/{"embeddings" if table == "Embedding" else "kernel"} [4,8] gradient update
        layer read {cell} [?,8] <- embed
        variable read/kernel [8,8] gradient update
        loss loss [] <- read
    """
    history = History(text, STEPS)
    for name, over_examples in (("x", 1.0), ("embed", 1.0), ("read", 0.0)):
        history.set(name, l2_norm=np.sqrt(320), batch_std=over_examples)
    assert [(f.node, "mask_zero" in f.code) for f in history.find(CollapsedOutput())] == [("read", said)]


@pytest.mark.parametrize(("fell", "said"), [(True, "The loss is lowest when all examples are alike"), (False, "Lower the learning rate")])
def test_representations_that_are_pulled_together_shrink(fell, said):
    history = spread(two=np.geomspace(1, 1e-5, 20), mask=np.geomspace(1, 1e-5, 20))
    history.set("two", l2_norm=np.geomspace(1, 1e-5, 20) * np.sqrt(320), batch_std=np.geomspace(1, 1e-5, 20))
    history.progress[:] = fell
    found = history.find(CollapsedOutput())
    assert [f.node for f in found] == ["two"]
    assert "their standard deviation fell from 1 to" in found[0].sentence
    assert said in found[0].remedy


@pytest.mark.parametrize(("value", "end"), [(1.0, True), (1e-9, True), (0.4, False)])
def test_a_sigmoid_that_says_the_same_of_all_is_told_to_be_at_its_end(value, end):
    text = "input x [?,8]; layer d Dense [?,1] <- x sigmoid; variable d/kernel [8,1] gradient update; loss loss [] <- d"
    history = History(text, STEPS).set("x", l2_norm=np.sqrt(320), batch_std=1.0)
    found = history.set("d", l2_norm=value * np.sqrt(320), batch_std=np.where(np.arange(20) < 2, 0.1, 0.0)).find(CollapsedOutput())
    assert [f.node for f in found] == ["d"]
    assert ("the end of its sigmoid" in found[0].sentence) == end


TWINS = """
    input x [?,8]
    input other [?,8]
    {before}
    layer encoder Dense [?,4] <- x
    variable encoder/kernel [8,4] gradient update
    layer encoder@2 Dense [?,4] <- {second}
    loss loss [] <- encoder {given}
"""


@pytest.mark.parametrize(
    ("drawing", "ends", "told"),
    [
        ({}, 0.02, ["encoder", "encoder@2"]),
        ({}, 0.2, []),
        ({"given": "encoder@2 x"}, 0.02, []),  # and targets
        ({"given": ""}, 0.02, []),  # called once
        ({"second": "made", "before": "layer made Dense [?,8] <- other; variable made/kernel [8,8] gradient update"}, 0.02, []),  # a judge
    ],
)
def test_codes_that_are_compared_with_each_other_only_collapse_sooner(drawing, ends, told):
    names = {"before": "", "second": "other", "given": "encoder@2", **drawing}
    history = History(TWINS.format(**names), STEPS)
    for name in set(history.facts.names) & {"x", "other", "made"}:
        history.set(name, l2_norm=np.sqrt(320), batch_std=1.0)
    spread = np.geomspace(1, ends, 20)
    for name in ("encoder", "encoder@2"):
        history.set(name, l2_norm=2 * spread * np.sqrt(320), batch_std=spread)
    assert [f.node for f in history.find(CollapsedOutput())] == told


@pytest.mark.parametrize(("reads", "ends", "told"), [(["encoder"], 0.1, ["encoder"]), (["encoder"], 0.4, []), ([], 0.1, [])])
def test_codes_of_which_a_loss_reads_the_direction_collapse_where_all_point_the_same_way(reads, ends, told):
    """While they grow longer. The values of states, as Q-learning has them, may have much in common."""
    text = TWINS.format(before="", second="other", given="encoder@2")
    history = History(text, STEPS, loss={"attributes": {"directions": reads}})
    for name in ("x", "other"):
        history.set(name, l2_norm=np.sqrt(320), batch_std=1.0)
    share, size = np.geomspace(0.9, ends, 20), np.geomspace(1, 10, 20)
    for name in ("encoder", "encoder@2"):
        history.set(name, l2_norm=size * np.sqrt(320), batch_std=share * size)
    found = history.set("loss", elements=1, mean=np.linspace(-0.5, -1, 20)).find(CollapsedOutput())
    assert [f.node for f in found] == told
    assert all("the same direction" in f.sentence and "negative pairs" in f.remedy for f in found)


@pytest.mark.parametrize(("node", "numbers"), [("one", {"nan_count": 300}), ("x", {"nan_count": 1})])
def test_what_is_made_of_nan_is_no_collapse(node, numbers):
    """The deviation is that of the few numbers left, or of the zeros that a ReLU makes."""
    history = spread(one=0.0, two=0.0, mask=0.0)
    assert [f.node for f in history.find(CollapsedOutput())] == ["one"]
    assert history.set(node, **numbers).find(CollapsedOutput()) == []


def test_a_table_that_is_the_same_for_all_examples_is_no_collapse():
    assert spread(one=0.0).find(CollapsedOutput()) == []


def test_equal_inputs_are_the_inputs_fault():
    assert spread(x=0.0, one=0.0, two=0.0, mask=0.0).find(CollapsedOutput()) == []


RAW = "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]; loss loss [] <- d"
"""Numbers that go straight into weights."""


def fed(consumer="Dense", **statistics):
    text = f"input x [?,8]; layer flat Flatten [?,8] <- x; layer first {consumer} [?,8] <- flat; loss loss [] <- first"
    return History(text, STEPS).set(
        "x", **{"l2_norm": np.sqrt(320), "std": 1.0, "mean": 0.0, "batch_std": 1.0, "zero_fraction": 0.0, "min": -3, "max": 3, **statistics}
    )


def test_an_input_on_another_scale_is_told():
    assert [f.node for f in fed(l2_norm=80 * np.sqrt(320)).find(UnnormalizedInput())] == ["x"]
    assert [f.node for f in fed(l2_norm=1e-5 * np.sqrt(320)).find(UnnormalizedInput())] == ["x"]


def test_an_input_whose_batches_are_on_both_sides_of_the_limit_is_told_once():
    sizes = np.where(np.isin(np.arange(20), (3, 4, 14, 15)), 11.0, 9.0)
    assert [(f.first_step, f.last_step) for f in fed(l2_norm=sizes * np.sqrt(320)).find(UnnormalizedInput())] == [(15, None)]


@pytest.mark.parametrize(("spread", "told"), [(0.003, ["x"]), (0.01, []), (1e-5, [])])
def test_an_input_whose_examples_differ_by_less_than_a_step_of_a_byte_is_told(spread, told):
    """Bytes that were divided twice before something else was subtracted. One that is constant is told by another rule."""
    found = fed(mean=-1.0, batch_std=spread, std=spread, min=-1.0, max=-0.99).find(UnnormalizedInput())
    assert [f.node for f in found] == told
    assert all("less than a 255th" in f.sentence and f.first_step == 0 for f in found)


@pytest.mark.parametrize(
    "mean",
    [
        np.linspace(0.99, 1.02, 20),  # data in order: neighbours are alike
        np.cos(np.arange(20)),  # each batch of a place of its own
    ],
)
def test_neighbours_that_are_alike_have_no_offset_that_all_data_have(mean):
    assert fed(mean=mean, batch_std=0.0005, std=0.0005, min=-1.0, max=1.1).find(UnnormalizedInput()) == []


def test_an_offset_that_a_batch_normalization_subtracts_is_no_trouble():
    text = (
        "input x [?,8,8,1]; layer c Conv2D [?,8,8,4] <- x; variable c/kernel [3,3,1,4]; layer n BatchNormalization [?,8,8,4] <- c; loss loss [] <- n"
    )
    history = History(text, STEPS).set("x", l2_norm=np.sqrt(320), batch_std=0.003, std=0.003, mean=1.0, min=0.99, max=1.0, zero_fraction=0.0)
    assert history.set("n", l2_norm=np.sqrt(320)).find(UnnormalizedInput()) == []


OWN = "input x [?,8]; layer noise {} [?,8] <- x {}; layer d Dense [?,8] <- noise; variable d/kernel [8,8]; loss loss [] <- d"


@pytest.mark.parametrize(
    ("layer", "more", "size", "told"),
    [
        ("Noise", "", 20.0, ["noise"]),
        ("Noise", "", 2.0, []),
        ("Noise", "; variable noise/w [8]", 20.0, []),  # it learns how large to make them
        ("Noise", "", np.linspace(2, 20, 20), []),
        ("LeakyReLU", "", 20.0, []),
    ],
)
def test_what_a_layer_of_ones_own_makes_large_before_the_first_weights_is_told(layer, more, size, told):
    history = History(OWN.format(layer, more), STEPS)
    for name, rms in (("x", 1.0), ("noise", size)):
        history.set(name, l2_norm=rms * np.sqrt(320), batch_std=rms, std=rms, mean=0.0, min=-3 * np.max(rms), max=3 * np.max(rms), zero_fraction=0.0)
    found = history.find(UnnormalizedInput())
    assert [f.node for f in found] == told
    assert all("adds or draws" in f.remedy for f in found)


@pytest.mark.parametrize(("text", "told"), [(RAW, ["x"]), (RAW.replace("Dense", "Embedding"), []), (RAW.replace("Dense", "Mine"), [])])
def test_whole_numbers_that_weights_multiply_are_an_input_like_any_other(text, told):
    """Bytes of pictures, or numbers of words without a table. What a layer of one's own makes of them nobody knows."""
    history = History(text, STEPS, x={"dtype": "uint8"}).set("x", l2_norm=140 * np.sqrt(320), std=70.0, mean=120.0, min=0, max=255, zero_fraction=0.0)
    found = history.set("d", l2_norm=np.linspace(2000, 4000, 20) * np.sqrt(320)).set("loss", elements=1, mean=2.0)
    assert [f.node for f in found.find(UnnormalizedInput())] == told
    assert all("an `Embedding`, if these are numbers of words" in f.remedy for f in found.find(UnnormalizedInput()))


def test_words_of_which_a_mask_is_made_are_not_multiplied():
    text = "input x [?,8]; layer embed Embedding [?,8,4] <- x; layer attend EinsumDense [?,8,4] <- embed x; loss loss [] <- attend"
    history = History(text, STEPS, x={"dtype": "int32"}).set("x", l2_norm=140 * np.sqrt(320), std=70.0, mean=120.0, min=0, max=255)
    assert history.find(UnnormalizedInput()) == []


def test_what_large_whole_numbers_make_large_is_in_proportion_to_them():
    history = History(RAW, STEPS, x={"dtype": "uint8"}).set("x", l2_norm=140 * np.sqrt(320)).set("loss", elements=1, mean=2.0)
    assert history.set("d", l2_norm=2000 * np.sqrt(320)).find(ExplodingActivation()) == []


@pytest.mark.parametrize(("times", "told"), [(1, []), (2, ["x"])])
def test_bytes_that_are_divided_by_255_more_than_once_are_told_by_the_largest_of_them(times, told):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 64)).astype("float32")
    for _ in range(times):
        pictures /= np.float32(255)
    seen = {"l2_norm": np.linalg.norm(pictures), "min": pictures.min(), "max": pictures.max(), "zero_fraction": (pictures == 0).mean()}
    assert [f.node for f in fed(**seen).find(UnnormalizedInput())] == told


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        ("Rescaling", "Check the factor"),
        ("Normalization", "Let it see the training data as they are fed"),
        ("RandomBrightness", "Tell it the range of the pixels"),  # of pixels from 0 to 1, with its default range of 0 to 255
    ],
)
@pytest.mark.parametrize(("rms", "told"), [(1e-5, ["pixels"]), (30.0, ["pixels"]), (0.5, [])])
def test_a_factor_before_the_first_weights_that_makes_another_scale_is_told(layer, word, rms, told):
    """Pixels divided by 255 twice; a table of words multiplied by its width. What comes later in the network is none of its business."""
    text = f"input x [?,8]; layer pixels {layer} [?,8] <- x; layer d Dense [?,8] <- pixels; variable d/kernel [8,8]; loss loss [] <- d"
    size = {"l2_norm": rms * np.sqrt(320), "zero_fraction": 0.0, "min": -1, "max": 1}
    found = History(text, STEPS).set("pixels", **size).find(UnnormalizedInput())
    assert [f.node for f in found] == told
    assert all(word in f.remedy for f in found)
    later = "input x [?,8]; layer a Dense [?,8] <- x; variable a/kernel [8,8]; " + text.split("; ", 1)[1].replace("<- x", "<- a", 1)
    assert History(later, STEPS).set("pixels", **size).find(UnnormalizedInput()) == []


@pytest.mark.parametrize(("rms", "told"), [(200.0, ["norm"]), (1.0, []), (1e-5, [])])
def test_a_batch_normalization_of_the_input_that_normalizes_nothing_is_told(rms, told):
    """As one that is called with `training=False` while it has its initial moving statistics. What is constant is 0 behind it, all but rounding."""
    text = "input x [?,8]; layer norm BatchNormalization [?,8] <- x; layer d Dense [?,8] <- norm; variable d/kernel [8,8]; loss loss [] <- d"
    history = History(text, STEPS).set("x", l2_norm=200 * np.sqrt(320), zero_fraction=0.0)
    found = history.set("norm", l2_norm=rms * np.sqrt(320), zero_fraction=0.0, min=-1, max=1000).find(UnnormalizedInput())
    assert [f.node for f in found] == told
    assert all("It normalizes nothing" in f.sentence and "`training`" in f.remedy for f in found)


def test_scales_that_train_well_are_not():
    assert fed(l2_norm=7.8 * np.sqrt(320)).find(UnnormalizedInput()) == []  # raw digits, 0…16
    assert fed(l2_norm=0.05 * np.sqrt(320)).find(UnnormalizedInput()) == []
    assert fed(l2_norm=np.sqrt(320) / 1500, zero_fraction=0.9999).find(UnnormalizedInput()) == []


@pytest.mark.parametrize("consumer", ["Normalization", "Rescaling", "BatchNormalization", "Embedding"])
def test_an_input_that_is_normalized_or_looked_up_may_be_large(consumer):
    assert fed(consumer, l2_norm=1000 * np.sqrt(320)).find(UnnormalizedInput()) == []


def test_an_input_that_says_nothing_is_told():
    assert [f.node for f in fed(batch_std=0.0).find(ConstantInput())] == ["x"]
    assert [f.node for f in fed(std=0.0, batch_std=np.nan).find(ConstantInput())] == ["x"]
    assert fed(batch_std=np.nan).find(ConstantInput()) == []


WORDS = """
    input words [?,4]
    layer table Embedding [?,4,8] <- words
    variable table/embeddings [50,8]
    layer output Dense [?,3] <- table
    loss loss [] <- output
"""


def spoken(low, high, text=WORDS):
    history = History(text, STEPS, words={"dtype": "int32"}, segments={"dtype": "int32"})
    middle = (np.asarray(low) + high) / 2
    return history.set("words", min=low, max=high, mean=middle, std=(np.asarray(high) - low) / 4, batch_std=0.0, l2_norm=middle * np.sqrt(320))


def test_words_that_are_all_unknown_are_told():
    found = spoken(0, 0).find(ConstantInput())
    assert [(f.node, f.severity) for f in found] == [("words", "error")]
    assert "All its elements are 0 since step 0" in found[0].sentence
    assert [f.node for f in spoken(1, 1).find(ConstantInput())] == ["words"]


def padded(low, high, mean, rows, zeros=(0.2, 0.4), loss=0.5, spread=0.4):
    history = History(WORDS.replace("50", str(rows)), range(0, 200, 10), words={"dtype": "int32"})
    share = np.where(low == 0, np.resize(zeros, 20), 0.0)
    history.set("words", elements=320, min=low, max=high, mean=mean(1 - share), std=0.5, batch_std=spread, zero_fraction=share, l2_norm=10.0)
    return history.set("loss", elements=1, mean=loss)


@pytest.mark.parametrize(
    ("low", "high", "mean", "rows", "count"),
    [
        (0, 1, lambda given: given, 50, 1),
        (0, 49, lambda given: given * 49, 50, 1),
        (0, 1, lambda given: given, 9, 0),  # a table of yes and no, and of marks
        (0, 2, lambda given: given, 50, 0),  # some are 1
        (0, 49, lambda given: given * 49 - 1 / 320, 50, 0),  # one is another one
        (1, 2, lambda given: given + 0.7, 50, 0),
        (0, np.resize([3, 1], 20), lambda given: given * np.resize([3, 1], 20), 50, 0),  # one word a batch
    ],
)
def test_words_that_are_all_unknown_but_for_paddings_are_told(low, high, mean, rows, count):
    found = padded(low, high, mean, rows).find(ConstantInput())
    assert [(f.node, f.severity) for f in found] == [("words", "error")] * count
    assert all(f"All its elements are {high} or 0 since step 100" in f.sentence and "has 50 rows" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("zeros", "loss", "spread", "count"),
    [
        ((0.2, 0.4), 0.5, 0.4, 1),
        ((0.2, 0.4), 0.5, 0.49, 0),  # as frequent at each place
        ((0.2, 0.4), np.linspace(0.7, 0.1, 20), 0.4, 0),  # something is learned
        (np.random.default_rng(0).binomial(320, 0.3, 20) / 320, 0.5, 0.4, 0),  # each by itself
        (np.random.default_rng(0).binomial(32, 0.3, 20) / 32, 0.5, 0.4, 1),  # ten at a time
    ],
)
def test_marks_of_yes_are_not_words_beside_paddings(zeros, loss, spread, count):
    assert len(padded(0, 1, lambda given: given, 50, zeros, loss, spread).find(ConstantInput())) == count


def test_words_that_differ_from_place_to_place_or_from_batch_to_batch_are_healthy():
    assert spoken(40_000, 40_001).find(ConstantInput()) == []
    assert spoken(np.arange(20), np.arange(20)).find(ConstantInput()) == []


def test_segments_beside_words_may_all_be_one():
    text = WORDS.replace("input words", "input segments [?,4]; input words")
    assert spoken(0, 0, text).find(ConstantInput()) == []


@pytest.mark.parametrize(
    ("text", "statistics", "rule"),
    [
        (RELU, {"hidden": {"zero_unit_fraction": 1.0, "zero_fraction": 1.0, "elements": 2048}}, DeadUnits()),
        (TANH, {"hidden": {"saturated_fraction": 0.95}}, SaturatedActivation()),
        (RELU, {"x": {"l2_norm": 80 * np.sqrt(320), "std": 60.0, "batch_std": 50.0, "zero_fraction": 0.1}}, UnnormalizedInput()),
        (RELU, {"x": {"l2_norm": 0.0, "std": 0.0, "batch_std": 0.0, "mean": 0.0}}, ConstantInput()),
        (RELU, {"hidden": {"l2_norm": 5000 * np.sqrt(320)}, "x": {"l2_norm": np.sqrt(320)}}, ExplodingActivation()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_wrong_before_anything_was_trained_is_told_after_one_step(text, statistics, rule):
    """With the default schedule the next capture is a hundred steps away."""
    for step, told in ((0, 1), (7, 0)):
        history = History(text, [step])
        for node, numbers in statistics.items():
            history.set(node, **numbers)
        assert len(history.find(rule)) == told


def bytes_into(*layers, after=1.0):
    """Pictures of 0…255 that go into ``layers``, the last of which gives numbers of the size ``after``."""
    text = "input x [?,8,8,3]; " + "; ".join(f"layer h{index} {layer}" for index, layer in enumerate(layers))
    history = History(f"{text}; layer output Dense [?,3] <- h{len(layers) - 1} softmax; loss loss [] <- output", STEPS)
    history.set("x", elements=192, l2_norm=90 * np.sqrt(192), mean=70.0, std=60.0, min=0.0, max=255.0, zero_fraction=0.0)
    return history.set(f"h{len(layers) - 1}", elements=128, l2_norm=after * np.sqrt(128))


@pytest.mark.parametrize(
    ("layers", "after", "told"),
    [
        (["Conv2D [?,4,4,8] <- x", "BatchNormalization [?,4,4,8] <- h0"], 1.0, False),
        (["Conv2D [?,4,4,8] <- x", "BatchNormalization [?,4,4,8] <- h0"], 70.0, True),  # with moving statistics that aren't theirs yet
        (["Conv2D [?,4,4,8] <- x relu", "BatchNormalization [?,4,4,8] <- h0"], 1.0, True),
        (["Conv2D [?,4,4,8] <- x", "LayerNormalization [?,4,4,8] <- h0"], 1.0, True),
        (["Conv2D [?,4,4,8] <- x", "Conv2D [?,4,4,8] <- x", "BatchNormalization [?,4,4,8] <- h0"], 1.0, True),
        (["Dense [?,8,8,8] <- x", "BatchNormalization [?,8,8,8] <- h0"], 1.0, True),  # columns, each of which may have a scale of its own
    ],
)
def test_the_scale_of_pictures_is_no_trouble_where_a_batch_normalization_takes_it_away(layers, after, told):
    assert [f.node for f in bytes_into(*layers, after=after).find(UnnormalizedInput())] == ["x"] * told


ALONE = """
    input x [?,8]
    layer dense Dense [?,32] <- x
    layer norm BatchNormalization [?,32] <- dense
    variable norm/gamma [32]
    variable norm/beta [32]
    layer output Dense [?,3] <- norm softmax
    loss loss [] <- output
"""


def alone(low=0.0, high=0.0, gamma=1.0, spread=0.4):
    """Batches of one example: nothing is known of how examples differ. The offset goes from −0.1 to 0.2."""
    history = History(ALONE, STEPS).set("dense", elements=32, std=spread, mean=0.1, l2_norm=2.5)
    history.set("norm/gamma", elements=32, l2_norm=gamma * np.sqrt(32), min=gamma, max=gamma).set("norm/beta", elements=32, min=-0.1, max=0.2)
    return history.set("norm", elements=32, min=low, max=high, l2_norm=0.5, std=0.1)


def test_a_batch_normalization_of_one_example_is_told_where_it_stands():
    found = alone(-0.1, 0.2).find(CollapsedOutput())
    assert [(f.node, f.first_step, f.severity) for f in found] == [("norm", 0, "error")]
    assert "nothing but its own offset since step 0" in found[0].sentence


def test_a_batch_normalization_over_positions_or_with_a_scale_of_zero_is_healthy():
    assert alone(-2.0, 2.5).find(CollapsedOutput()) == []
    assert alone(-0.1, 0.2, gamma=0.0).find(CollapsedOutput()) == []
    assert alone(-0.1, 0.2, spread=0.0).find(CollapsedOutput()) == []


def of_one_feature(shape="?,50,1", high=0.2003):
    """Sequences of one feature, with a residual sum around the normalization, so that examples differ after it. All offsets are 0.2."""
    text = f"""
    input x [{shape}]
    layer norm LayerNormalization [{shape}] <- x
    variable norm/gamma [1]
    variable norm/beta [1]
    op sum Add [{shape}] <- norm, x
    layer output Dense [?,3] <- sum softmax
    loss loss [] <- output
    """
    history = History(text, STEPS).set("x", elements=400, std=1.0, mean=3.0, l2_norm=60.0, batch_std=0.9).set("norm/gamma", elements=1, l2_norm=1.0)
    history.set("norm/beta", elements=1, min=0.2, max=0.2).set("norm", elements=400, min=0.2, max=high, std=0.0, l2_norm=4.0, batch_std=0.0)
    return history.set("sum", elements=400, std=1.0, l2_norm=64.0, batch_std=0.9)


def test_a_layer_normalization_of_one_feature_is_told_though_a_sum_leads_around_it():
    found = of_one_feature().find(CollapsedOutput())
    assert [(f.node, f.first_step, f.severity) for f in found] == [("norm", 0, "error")]
    assert "over the last axis, which has one entry" in found[0].sentence
    assert of_one_feature(high=1.4).find(CollapsedOutput()) == []
    assert of_one_feature(shape="?,50,2").find(CollapsedOutput()) == []


@pytest.mark.parametrize(
    ("shape", "size", "zeros", "told"),
    [("?,1", 1.0, 0.0, True), ("?,1", 0.7, 0.51, True), ("?,50,1", 0.14, 0.0, False), ("?,2", 1.0, 0.0, False)],
    ids=["signs", "of a ReLU", "over fifty time steps", "two features"],
)
def test_a_number_that_is_divided_by_its_own_length_is_told(shape, size, zeros, told):
    text = f"input x [?,8]; layer score Dense [{shape}] <- x; layer unit UnitNormalization [{shape}] <- score"
    history = History(f"{text}; layer out Dense [?,1] <- unit; loss loss [] <- out", STEPS)
    history.set("x", batch_std=1.0, l2_norm=20.0).set("score", std=0.8, batch_std=0.8, l2_norm=0.8 * np.sqrt(320))
    history.set("unit", std=0.9, batch_std=0.9, min=-1.0, max=1.0, zero_fraction=zeros, l2_norm=size * np.sqrt(320))
    found = history.set("out", std=0.5, batch_std=0.5, l2_norm=9.0).find(CollapsedOutput())
    assert [f.node for f in found] == ["unit"] * told
    assert all("nothing but 1 and −1" in f.sentence and np.isnan(f.evidence.get("batch_std", np.nan)) for f in found)


@pytest.mark.parametrize(("ends", "first", "said"), [(0.1, 30, True), (2.3, 30, False), (0.1, 0, False)])
def test_one_answer_for_all_that_the_loss_is_content_with_is_told_to_be_what_it_asks_for(ends, first, said):
    text = "input x [?,8]; layer out Dense [?,3] <- x softmax; variable out/kernel [8,3]; loss loss [] <- out"
    later = np.asarray(STEPS) >= first
    history = History(text, STEPS).set("x", batch_std=1.0, l2_norm=20.0).set("loss", elements=1, mean=np.where(np.arange(20) < 1, 2.3, ends))
    found = history.set("out", batch_std=np.where(later, 0.0, 0.2), l2_norm=9.0).find(CollapsedOutput())
    assert [(f.node, f.first_step) for f in found] == [("out", first)]
    assert ("one answer for all is what it asks for" in found[0].remedy) == said


@pytest.mark.parametrize("out", ["Dense [?,1] <- x softmax", "LogisticEndpoint [?,1] <- x"])
def test_a_softmax_over_one_unit_is_told_to_be_a_sigmoid(out):
    text = f"input x [?,8]; layer out {out}; loss loss [] <- out"
    history = History(text, STEPS).set("x", batch_std=1.0, l2_norm=20).set("out", batch_std=0.0, l2_norm=np.sqrt(320))
    found = history.find(CollapsedOutput())
    assert [(f.node, f.code) for f in found] == [("out", 'keras.layers.Dense(1, activation="sigmoid")')]
    assert "It gives 1 for every example" in found[0].sentence


@pytest.mark.parametrize(("end", "meaning", "told"), [("softmax", "", True), ("", "logits", True), ("", "", False)])
def test_a_large_first_loss_excuses_large_activations_by_large_targets_but_not_by_classes(end, meaning, told):
    text = f"input x [?,8]; layer amplify [?,8] <- x; layer out Dense [?,3] <- amplify {end}; loss loss [] <- out"
    history = History(text, STEPS, loss={"attributes": {meaning: ["out"]}})
    history.set("x", l2_norm=np.sqrt(320)).set("amplify", l2_norm=5_000 * np.sqrt(320), max=9_000, batch_std=1)
    history.set("out", l2_norm=0.5 * np.sqrt(320), max=1).set("loss", elements=1, mean=23_000)
    assert ("amplify" in [f.node for f in history.find(ExplodingActivation())]) == told


ATTENTION = """
    input x [?,24,32]
    layer attention/query EinsumDense [?,24,4,8] <- x
    variable attention/query/kernel [32,4,8]
    layer attention/key EinsumDense [?,24,4,8] <- x
    variable attention/key/kernel [32,4,8]
    layer attention/attention_output EinsumDense [?,24,32] <- attention/query attention/key
    variable attention/attention_output/kernel [4,8,32]
    layer attention MultiHeadAttention [?,24,32] <- attention/attention_output
    layer output Dense [?,3] <- attention softmax
    variable output/kernel [32,3]
    loss loss [] <- output
"""


def attention(size, text=ATTENTION):
    """Queries and keys of this size, normal; the softmax over their products is not recorded."""
    history = History(text, STEPS)
    size = np.broadcast_to(size, 20)
    history.set("attention/query", elements=10_000, l2_norm=100 * size)
    return history.set("attention/key", elements=10_000, l2_norm=100 * size, batch_std=size)


def flat_share(deviation, keys=24):
    """How many of the softmaxes over normal scores give all but a thousandth to one."""
    scores = deviation * np.random.default_rng(0).normal(size=(4000, keys))
    scores -= scores.max(1, keepdims=True)
    return (1 / np.exp(scores).sum(1) > 0.999).mean()


@pytest.mark.parametrize(("size", "told"), [(1.0, False), (3.0, False), (5.5, True), (30.0, True)])
def test_attention_whose_scores_lie_far_apart_from_the_start_is_told(size, told):
    found = attention(size).find(SaturatedActivation())
    assert [(f.node, f.first_step, f.statistic) for f in found] == ([("attention", 0, "l2_norm")] if told else [])
    assert told == (flat_share(size**2) > SaturatedActivation.CHOSEN)
    assert all(f.evidence == pytest.approx({"score_deviation": size**2}) for f in found)
    assert all(f"have a standard deviation of about {size**2:.3g} since step 0" in f.sentence for f in found)


@pytest.mark.parametrize(("last", "progress", "told"), [(9.0, False, False), (20.0, False, True), (20.0, True, False)])
def test_scores_that_part_later_are_told_where_nearly_all_are_flat_and_the_loss_does_not_fall(last, progress, told):
    history = attention(np.minimum(np.linspace(1, 2 * last, 20), last))
    history.progress[:] = progress
    assert (history.find(SaturatedActivation()) != []) == told
    assert (flat_share(last**2) > SaturatedActivation.LEARNED) == (last == 20)


def test_attention_that_calls_its_softmax_is_judged_by_that():
    text = ATTENTION.replace(
        "layer attention/attention_output", "layer attention/softmax Softmax [?,4,24,24] <- attention/query softmax; layer attention/attention_output"
    )
    assert attention(30.0, text).find(SaturatedActivation()) == []


HIGHWAY = """
    input x [?,8]
    layer gate Dense [?,8] <- x sigmoid
    variable gate/kernel [8,8]
    variable gate/bias [8]
    layer body Dense [?,8] <- x relu
    op product Multiply [?,8] <- gate body
    layer output Dense [?,3] <- product
    variable output/kernel [8,3]
    loss loss [] <- output
"""


@pytest.mark.parametrize(("bias", "told"), [(-30.0, True), (30.0, True), (-3.0, False), (-6.0, False), (np.linspace(0, -30, 20), False)], ids=str)
def test_a_gate_that_can_not_move_from_the_start_is_told(bias, told):
    """Gates begin open or shut on purpose, and learn to be."""
    values = 1 / (1 + np.exp(-np.broadcast_to(bias, 20)))
    history = History(HIGHWAY, STEPS).set("gate", min=values, max=values, saturated_fraction=((values < 0.03) | (values > 0.97)).astype(float))
    history.set("gate/bias", l2_norm=np.abs(bias) * np.sqrt(8), std=0.0, elements=8).set("loss", elements=1, mean=2.0)
    assert [f.node for f in history.find(SaturatedActivation())] == ["gate"] * told


LATER_SIGMOID = HIGHWAY.replace("<- x sigmoid", "<- x").replace("gate", "wide").replace(
    "layer body", "layer gate Activation [?,8] <- wide sigmoid; layer body"
).replace("<- wide body", "<- gate body")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "size", "told"),
    [
        (HIGHWAY, 100.0, True),
        (HIGHWAY, 1.0, False),
        (LATER_SIGMOID, 100.0, True),
        (HIGHWAY.replace("variable gate/kernel [8,8]", ""), 100.0, False),
    ],
    ids=["large sums", "sums near 1", "a layer of its own", "steep on purpose, without weights"],
)
def test_a_gate_that_random_weights_open_here_and_shut_there_is_told(text, size, told):
    """Against the gates themselves, by numpy: sigmoids of normal sums. To squeeze by a sum over positions in place of the mean makes large ones."""
    gates = 0.5 + 0.5 * np.tanh(size * np.random.default_rng(0).normal(size=(20, 320)) / 2)
    flat = ((gates < 0.03) | (gates > 0.97)).mean(1)
    history = History(text, STEPS).set("gate", min=gates.min(1), max=gates.max(1), mean=gates.mean(1), saturated_fraction=flat)
    found = history.set("loss", elements=1, mean=2.0).find(SaturatedActivation())
    assert [f.node for f in found] == ["gate"] * told
    assert all(flat.min() <= f.evidence["saturated_fraction"] <= flat.max() for f in found)


GATED = """
    input x [?,24,32]
    layer scale Times [?,24,32] <- x
    layer cell {cell} [?,24,16] <- scale
    variable cell/kernel [32,64]
    variable cell/bias [64]
    layer output Dense [?,3] <- cell
    variable output/kernel [16,3]
    loss loss [] <- output
"""


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("size", [1.0, 10.0, 30.0, 300.0])
def test_gates_that_are_flat_from_the_start_are_told_by_what_comes_in_and_the_weights(cell, size):
    """Against the gates themselves, by numpy: sigmoids of sums of products."""
    random = np.random.default_rng(0)
    x, kernel = size * random.normal(size=(4000, 32)), random.normal(size=(32, 64)) / 12
    gates = 0.5 + 0.5 * np.tanh(x @ kernel / 2)
    flat = ((gates < 0.03) | (gates > 0.97)).mean()
    history = History(GATED.format(cell=cell), STEPS).set("x", l2_norm=np.sqrt(320)).set("loss", elements=1, mean=2.0)
    history.set("scale", elements=x.size, l2_norm=np.linalg.norm(x)).set("cell/kernel", elements=2048, l2_norm=np.linalg.norm(kernel))
    found = history.find(SaturatedActivation())
    assert [(f.node, f.first_step) for f in found] == [("cell", 0)] * bool(cell != "SimpleRNN" and flat > SaturatedActivation.HIDDEN)
    assert all(f.evidence["of_gates"] == pytest.approx(flat, abs=0.03) and "of its gates are below" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("bias", "told"),
    [(-30.0, True), (30.0, True), (0.0, False), (np.repeat([0.0, 1.0, 0.0, 0.0], 16), False), (np.repeat([-4.0, 4.0, 0.0, 0.0], 16), False)],
    ids=["shut", "open", "zeros", "as keras begins", "for a long memory"],
)
def test_gates_that_their_bias_shuts_or_opens_from_the_start_are_told(bias, told):
    """Against the gates themselves, by numpy."""
    random = np.random.default_rng(0)
    x, kernel = random.normal(size=(4000, 32)), random.normal(size=(32, 64)) / 12
    gates = 0.5 + 0.5 * np.tanh((x @ kernel + bias) / 2)
    flat = ((gates < 0.03) | (gates > 0.97)).mean()
    history = History(GATED.format(cell="LSTM"), STEPS).set("x", l2_norm=np.sqrt(320)).set("loss", elements=1, mean=2.0)
    history.set("scale", elements=x.size, l2_norm=np.linalg.norm(x)).set("cell/kernel", elements=2048, l2_norm=np.linalg.norm(kernel))
    found = history.set("cell/bias", elements=64, mean=np.mean(bias), std=np.std(bias)).find(SaturatedActivation())
    assert [(f.node, f.first_step) for f in found] == [("cell", 0)] * told
    assert told == bool(flat > SaturatedActivation.HIDDEN)


POOLED = """
    input x [?,44,16]
    layer weights Softmax {shape} <- x softmax
    layer pool Dot [?,16] <- x weights
    layer output Dense [?,3] <- pool
    variable output/kernel [16,3]
    loss loss [] <- output
"""


@pytest.mark.parametrize(("size", "told"), [(1.0, False), (3.0, False), (200.0, True)])
@pytest.mark.parametrize("shape", ["[?,44,1]", "[?,4,11,1]"])
def test_a_softmax_over_positions_is_judged_by_how_many_examples_have_one_that_takes_all(shape, size, told):
    """Against numpy. Its last axis has one entry, so what is recorded is the share of all positions."""
    scores = size * np.random.default_rng(0).normal(size=(200, 44))
    shares = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    assert told == bool((shares.max(1) > 0.999).mean() > SaturatedActivation.HIDDEN)
    history = History(POOLED.format(shape=shape), STEPS).set("loss", elements=1, mean=1.1)
    history.set("weights", elements=shares.size, mean=shares.mean(), min=0.0, max=shares.max(), saturated_fraction=(shares > 0.999).mean())
    assert [f.node for f in history.find(SaturatedActivation())] == ["weights"] * told


def test_a_softmax_over_one_unit_at_each_position_is_no_pool():
    history = History(POOLED.format(shape="[?,44,1]"), STEPS).set("loss", elements=1, mean=1.1)
    assert history.set("weights", mean=1.0, min=1.0, max=1.0, saturated_fraction=1.0).find(SaturatedActivation()) == []


@pytest.mark.parametrize(
    ("op", "highest", "told"),
    [("ExpandDims", 3858.0, []), ("Stack", 3858.0, []), ("Gather", 1.0, ["expanded", "d"])],
    ids=["handed on", "the same numbers", "something else"],
)
def test_whole_numbers_that_are_computed_with_as_they_are_give_the_scale(op, highest, told):
    """Columns of a table, such as metres above the sea, come as integers, and go through `expand_dims` into the first layer."""
    text = f"input metres [?]; op expanded {op} [?,1] <- metres; layer d Dense [?,8] <- expanded; variable d/kernel [1,8]"
    history = History(f"{text}; loss loss [] <- d", STEPS, metres={"dtype": "int64"}).set("loss", mean=2.0)
    history.set("metres", min=1859.0, max=highest, l2_norm=2900 * np.sqrt(320))
    for node in ("expanded", "d"):
        history.set(node, min=1859.0, max=3858.0, l2_norm=2900 * np.sqrt(320))
    assert [f.node for f in history.find(ExplodingActivation())] == told


@pytest.mark.parametrize(("first", "told"), [(0.0, []), (1.0, ["action"])], ids=["one example, many times", "one input only"])
def test_the_first_batch_may_be_drawn_from_a_memory_of_one_example(first, told):
    """Deep reinforcement learning fills a buffer while it trains; `action` is one number."""
    text = "input state [?,3]; input action [?,1]; layer s Dense [?,8] <- state; variable s/kernel [3,8]; layer a Dense [?,8] <- action"
    text += "; variable a/kernel [1,8]; layer out Add [?,8] <- s a; loss loss [] <- out"
    later = np.arange(20) > 0
    history = History(text, STEPS).set("state", l2_norm=18.0, std=1.0, mean=0.1, min=-1, max=1, batch_std=np.where(later, 1.0, first))
    history.set("action", l2_norm=9.0, std=1.0 * later, mean=0.3, min=np.where(later, -1, 0.3), max=np.where(later, 1, 0.3), batch_std=1.0 * later)
    assert [f.node for f in history.find(ConstantInput())] == told
