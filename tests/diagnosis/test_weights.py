"""Gradients over depth, beginnings, updates: and what only looks wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.gradients import ExplodingGradient, MissingGradient, VanishingGradient
from tb_activations.diagnosis.initialization import PoorInitialization
from tb_activations.diagnosis.weights import UnchangedWeights, UpdateTooLarge, UpdateTooSmall
from tb_activations.store.nodes import QuantityState
from tests.diagnosis.hand import History, without_gradient

STEPS = range(0, 200, 10)
DEEP = "input x [?,8];" + ";".join(
    f"layer d{i} Dense [?,8] <- {f'd{i - 1}' if i else 'x'} sigmoid gradient; variable d{i}/kernel [8,8] gradient update;"
    f" variable d{i}/bias [8] gradient update"
    for i in range(5)
) + "; loss loss [] <- d4"  # fmt: skip


def deep(**kernels):
    """Five layers; ``d2={"gradient": …}`` changes one of them."""
    history = History(DEEP, STEPS)
    for index in range(5):
        name, changes = f"d{index}", kernels.get(f"d{index}", {})
        numbers = np.arange(20) * 0.01 if changes.get("moves", True) else 0.0
        weights = {"l2_norm": np.asarray(8.0) + numbers, "mean": numbers, "min": -2.0, "max": 2.0, "std": 1.0, **changes.get("value", {})}
        history.set(f"{name}/kernel", elements=64, **weights)
        history.set(f"{name}/kernel", "gradient", elements=64, l2_norm=changes.get("gradient", 0.1))
        history.set(f"{name}/kernel", "update", elements=64, l2_norm=changes.get("update", 0.01))
    return history


def decaying(factor):
    return deep(**{f"d{i}": {"gradient": 0.1 * factor ** (4 - i)} for i in range(5)})


def test_a_gradient_that_dies_on_the_way_is_told_once_at_its_far_end():
    found = decaying(0.05).find(VanishingGradient())
    assert [(f.node, f.quantity, f.first_step) for f in found] == [("d0", "gradient", 0)]
    assert found[0].evidence["ratio"] == pytest.approx(0.05**4)


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0])
def test_usual_decay_is_healthy(factor):
    assert decaying(factor).find(VanishingGradient()) == []


def test_small_gradients_everywhere_are_convergence():
    assert deep(**{f"d{i}": {"gradient": 1e-9} for i in range(5)}).find(VanishingGradient()) == []


def test_keys_of_attention_have_small_gradients_while_what_comes_before_them_has_not():
    assert deep(d2={"gradient": 1e-5}).find(VanishingGradient()) == []


def test_the_member_of_a_chain_that_is_told_first_stands_for_it():
    late, later = np.where(np.arange(20) < 10, 0.1, 1e4), np.where(np.arange(20) < 15, 0.1, 1e4)
    found = deep(d1={"gradient": later}, d2={"gradient": late}).find(ExplodingGradient())
    assert [(f.node, f.first_step) for f in found] == [("d2", 100)]


def test_biases_show_that_weights_behind_tiny_activations_get_no_gradient():
    history = deep(**{f"d{i}": {"gradient": 1e-9} for i in range(5)})
    history.set("d4/bias", "gradient", l2_norm=0.5)
    assert [f.node for f in history.find(VanishingGradient())] == ["d0"]


def test_gradients_that_grow_on_the_way_explode():
    assert [f.node for f in decaying(40.0).find(ExplodingGradient())] == ["d0"]
    assert decaying(4.0).find(ExplodingGradient()) == []


def recurrent(gradient):
    text = (
        "input x [?,9,8]; layer r SimpleRNN [?,8] <- x gradient; variable r/kernel [8,8] gradient update; layer d Dense [?,2] <-"
        " r gradient; loss loss [] <- d"
    )
    history = History(text, STEPS).set("x", l2_norm=16.0).set("r", "gradient", l2_norm=0.1).set("r", l2_norm=5.0)
    return history.set("r/kernel", elements=64, l2_norm=8.0).set("r/kernel", "gradient", elements=64, l2_norm=gradient)


def test_gradients_that_grow_through_time_explode():
    assert [f.node for f in recurrent(1e3).find(ExplodingGradient())] == ["r"]
    assert recurrent(1.0).find(ExplodingGradient()) == []
    assert recurrent(1.0).set("x", l2_norm=0.0).find(ExplodingGradient()) == []


BY_HAND = """
    input x [?,9,4]
    layer loop Loop {shape} <- x gradient
    variable loop/inward [4,8] gradient update
    variable loop/around {around} gradient update
    layer d Dense [?,2] <- loop gradient
    loss loss [] <- d
"""


@pytest.mark.parametrize(
    ("gain", "shape", "around", "told"),
    [(2.0, "[?,8]", "[8,8]", True), (0.9, "[?,8]", "[8,8]", False), (2.0, "[?,8]", "[8,2]", False), (2.0, "[?,9,8]", "[8,8]", False)],
)
def test_gradients_that_grow_through_a_loop_of_a_user_explode(gain, shape, around, told):
    """Against gradients that are followed through the loop, by numpy: linear states, and what the loss hands to the last one."""
    random = np.random.default_rng(0)
    x, back = random.normal(size=(32, 9, 4)), random.normal(size=(32, 8)) / 100
    turn = gain * np.linalg.qr(random.normal(size=(8, 8)))[0]
    gradient, at = np.zeros((4, 8)), back
    for step in reversed(range(9)):
        gradient, at = gradient + x[:, step].T @ at, at @ turn.T
    history = History(BY_HAND.format(shape=shape, around=around), STEPS).set("x", l2_norm=np.linalg.norm(x))
    history.set("loop", "gradient", l2_norm=np.linalg.norm(back)).set("loop", l2_norm=5.0).set("loop/inward", l2_norm=3.0)
    history.set("loop/inward", "gradient", l2_norm=30 * np.linalg.norm(gradient) / (1 if gain > 1 else 30))
    found = history.set("loss", elements=1, mean=1.0).find(ExplodingGradient())
    assert [f.node for f in found] == ["loop"] * told


BESIDE = """
    input x [?,8]
    layer main Dense [?,8] <- x gradient
    variable main/kernel [8,8] gradient update
    layer detail Dense [?,8] <- x gradient
    variable detail/kernel [8,8] gradient update
    layer share {share} [?,8] <- detail
    {more}
    op sum Add [?,8] <- main share
    layer d Dense [?,2] <- sum gradient
    variable d/kernel [8,2] gradient update
    loss loss [] <- d
"""


@pytest.mark.parametrize(
    ("left", "share", "more", "told"),
    [
        (1e-6, "Rescaling", "", True),
        (1e-6, "LayerScale", "variable share/gamma [8] gradient update", False),  # may grow
        (1e-3, "Rescaling", "", False),
        (np.geomspace(1e-6, 1e-2, 20), "FadeIn", "", False),  # does grow
        (0.0, "Rescaling", "", False),
        (1e-6, "LayerNormalization", "", False),
    ],
    ids=str,
)
def test_a_branch_of_which_a_constant_leaves_next_to_nothing_is_told(left, share, more, told):
    history = History(BESIDE.format(share=share, more=more), range(0, 200, 10))
    for node, size in (("x", 1.0), ("main", 1.0), ("detail", 1.0), ("share", left), ("sum", 1.0), ("d", 1.0)):
        history.set(node, l2_norm=size * np.sqrt(320))
    for kernel in ("main", "detail", "d"):
        history.set(f"{kernel}/kernel", "gradient", l2_norm=0.1)
    found = history.set("loss", elements=1, mean=1.0).find(VanishingGradient())
    assert [(f.node, f.first_step) for f in found] == [("detail", 50)] * told
    assert all("a constant has made 1e-6 of it" in f.sentence and f.evidence["constant_factor"] == pytest.approx(1e-6) for f in found)


def test_gradients_far_beyond_the_weights_explode():
    assert [(f.node, f.first_step) for f in deep(**{f"d{i}": {"gradient": [0.1] * 18 + [1e6] * 2} for i in range(5)}).find(ExplodingGradient())] == [
        ("d0", 180)
    ]


def test_large_targets_have_large_gradients():
    far = deep(**{f"d{i}": {"gradient": 1e6} for i in range(5)})
    assert far.find(ExplodingGradient()) != []
    for output, told in ((1.0, False), (3e4, True)):
        far.set("loss", elements=1, mean=1e9).set("d4", l2_norm=output * np.sqrt(320))
        assert bool(far.find(ExplodingGradient())) is told


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


def test_weights_that_never_change_are_told():
    found = deep(d2={"moves": False, "update": 0.0, "gradient": 0.0}).find(UnchangedWeights())
    assert [(f.node, f.quantity) for f in found] == [("d2/kernel", "update")]
    assert "Its gradient is exactly 0." in found[0].sentence
    assert "learning rate" in deep(d2={"moves": False, "update": 0.0}).find(UnchangedWeights())[0].remedy


CHANGING = "layer head Dense [?,8] <- d gradient; variable head/kernel [8,8] gradient update"


@pytest.mark.parametrize(("flow", "told"), [("gradient", ["d/kernel"]), ("", [])])
def test_weights_that_no_optimizer_is_given_are_told_where_gradients_flow_through_their_layer(flow, told):
    states = {"quantities": {"value": QuantityState("materialized"), "update": QuantityState("unreachable", "no_optimizer_step")}}
    text = f"input x [?,8]; layer d Dense [?,8] <- x {flow}; variable d/kernel [8,8]; {CHANGING}; loss loss [] <- head"
    history = History(text, STEPS, d__kernel=states)
    found = history.set("d/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).find(UnchangedWeights())
    assert [f.node for f in found] == told
    moving = history.set("d/kernel", l2_norm=np.linspace(3, 4, 20), mean=0.1, min=-1.0, max=1.0)
    assert moving.find(UnchangedWeights()) == []


@pytest.mark.parametrize(("trained", "told"), [(CHANGING, ["d/weight"]), ("layer head Dense [?,8] <- d gradient; variable head/kernel [8,8]", [])])
def test_a_tf_variable_that_keras_does_not_count_among_the_weights_is_told_with_how_to_make_it_one(trained, told):
    remedy = "Make it a weight, in `__init__` or `build` of `d`:"
    update = QuantityState("unreachable", "not_a_weight", sentence="Keras doesn't count it.", remedy=remedy, code_to_paste="self.add_weight()")
    states = {"quantities": {"value": QuantityState("materialized"), "update": update}}
    text = f"input x [?,8]; layer d GraphConv [?,8] <- x; variable d/weight [8,8]; {trained}; loss loss [] <- head"
    history = History(text, STEPS, d__weight=states)
    found = history.set("d/weight", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).find(UnchangedWeights())
    assert [f.node for f in found] == told
    assert all(f.severity == "warning" and "Keras doesn't count it." in f.sentence and f.code == "self.add_weight()" for f in found)
    buffer = history.set("d/weight", l2_norm=np.linspace(3, 4, 20), mean=0.1, min=-1.0, max=1.0)
    assert buffer.find(UnchangedWeights()) == []


@pytest.mark.parametrize(
    ("variable", "told"),
    [({}, ["q/codes"]), ({"trainable": False}, []), ({"dtype": "int32"}, [])],
    ids=["meant to learn", "constant", "whole numbers"],
)
def test_a_tensorflow_variable_that_its_layer_does_not_count_among_its_weights_is_told(variable, told):
    """Keras 2 trained the codebook of the well-known VQ-VAE example; Keras 3 doesn't."""
    state = QuantityState("unreachable", "not_a_weight", sentence="Not counted.", remedy="Make it a weight:", code_to_paste="self.add_weight()")
    fields = {"quantities": {"value": QuantityState("materialized"), "update": state}, **variable}
    text = "input x [?,8]; layer e Dense [?,8] <- x gradient; variable e/kernel [8,8] gradient update"
    text += "; layer q Codes [?,8] <- e gradient; variable q/codes [8,16]; layer d Dense [?,8] <- q gradient; variable d/kernel [8,8] gradient update"
    history = History(f"{text}; loss loss [] <- d", STEPS, q__codes=fields)
    found = history.set("q/codes", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).find(UnchangedWeights())
    assert [f.node for f in found] == told
    for finding in found:
        assert finding.severity == "warning"
        assert finding.sentence.endswith("Not counted.")
        assert finding.code == "self.add_weight()"
        assert finding.remedy == "If it is constant on purpose, give it `trainable=False`. Else: make it a weight:"
    followed = history.set("q/codes", l2_norm=np.linspace(3, 4, 20), mean=0.1, min=-1.0, max=1.0)
    assert followed.find(UnchangedWeights()) == []  # the step assigns it, as a moving average is


@pytest.mark.parametrize(
    ("shape", "highest", "told"),
    [("[8]", 1e-5, ["d/gamma"]), ("[8]", 2e-5, []), ("[1]", 1e-5, []), ("[]", 1e-5, [])],
    ids=["a scale that was to learn", "constants of their own", "a factor", "a number"],
)
def test_a_vector_of_one_number_that_nothing_trains_is_told(shape, highest, told):
    """The scales of a CaiT, which Keras 2 trained: they begin as 0.00001, and what they scale stays next to nothing."""
    state = QuantityState("unreachable", "not_a_weight", sentence="Not counted.", remedy="Make it a weight:", code_to_paste="self.add_weight()")
    fields = {"quantities": {"value": QuantityState("materialized"), "update": state}}
    text = f"input x [?,8]; layer d LayerScale [?,8] <- x gradient; variable d/gamma {shape}; {CHANGING}; loss loss [] <- head"
    history = History(text, STEPS, d__gamma=fields).set("d/gamma", l2_norm=3e-5, mean=1e-5, min=1e-5, max=highest)
    assert [f.node for f in history.find(UnchangedWeights())] == told


@pytest.mark.parametrize(
    "judge",
    [
        "layer d Dense [?,8] <- x gradient",
        "layer d Dense [?,8] <- head gradient; layer d@2 Dense [?,8] <- x gradient",
    ],
    ids=["a teacher", "a network that judges what is made beside what is real"],
)
def test_a_network_of_its_own_needs_no_optimizer(judge):
    states = {"quantities": {"value": QuantityState("materialized"), "update": QuantityState("unreachable", "no_optimizer_step")}}
    text = f"input x [?,8]; layer head Dense [?,8] <- x gradient; variable head/kernel [8,8] gradient update; {judge}; variable d/kernel [8,8]"
    history = History(f"{text}; loss loss [] <- head d", STEPS, d__kernel=states)
    assert history.set("d/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).find(UnchangedWeights()) == []


@pytest.mark.parametrize(
    ("reason", "others", "told"), [("not_trainable", False, ["d/kernel"]), ("not_trainable", True, []), ("inference_only", False, [])]
)
def test_a_step_that_trains_no_weight_at_all_is_told(reason, others, told):
    """A frozen base below a trained head is frozen on purpose, and validation trains nothing."""
    text = "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]; layer e Dense [?,8] <- d; variable e/bias [8]"
    frozen = {"trainable": False, **without_gradient(reason)}
    history = History(text, STEPS, d__kernel=frozen, e__bias={"trainable": others}).set("d/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0)
    found = history.find(UnchangedWeights())
    assert [f.node for f in found] == told
    assert all("no weight of the model is trainable" in f.sentence for f in found)


def test_a_run_of_twenty_steps_is_long_enough_to_see_that_nothing_changes():
    text = "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8] gradient update; variable d/bias [2,4] gradient update"
    history = History(text, range(20))
    for name in ("d/kernel", "d/bias"):
        history.set(name, l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).set(name, "update", l2_norm=0.0).set(name, "gradient", l2_norm=0.0)
    assert [f.node for f in history.find(UnchangedWeights())] == ["d/kernel"]


def test_accumulated_gradients_change_weights_between_captures():
    assert deep(**{f"d{i}": {"update": 0.0} for i in range(5)}).find(UnchangedWeights()) == []


@pytest.mark.parametrize(("second", "told"), [(20, ["d/kernel"]), (10, [])])
def test_two_captures_are_enough_where_more_steps_lie_between_them_than_gradients_are_added_up_over(second, told):
    text = "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8] gradient update; loss loss [] <- d"
    history = History(text, (0, second)).set("d/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0)
    history.set("d/kernel", "update", l2_norm=0.0).set("d/kernel", "gradient", l2_norm=0.1)
    assert [f.node for f in history.find(UnchangedWeights())] == told
    history.set("d/kernel", "update", l2_norm=3e-7)
    assert [f.node for f in history.find(UpdateTooSmall())] == told


def test_a_schedule_that_ends_at_zero_is_healthy():
    moved = np.minimum(np.arange(20), 9)
    end = {"update": np.where(np.arange(20) < 10, 0.01, 0.0), "value": {"l2_norm": 8 + moved, "mean": moved}}
    assert deep(**{f"d{i}": end for i in range(5)}).find(UnchangedWeights()) == []


def test_steps_as_large_as_the_weights_are_told_unless_the_loss_falls():
    history = deep(d3={"update": 8.0})
    assert [f.node for f in history.find(UpdateTooLarge())] == ["d3/kernel"]
    history.progress[:] = True
    assert history.find(UpdateTooLarge()) == []


@pytest.mark.parametrize(("norm", "told"), [(40.0, ["d2/kernel"]), (30.0, []), (10.0, [])])
def test_weights_that_a_few_steps_replace_are_told_however_small_later_steps_are(norm, told):
    """Ten steps between captures; weights of usual size are 8/√8, and 4 times that is 11.3."""
    weights = {"value": {"l2_norm": np.where(np.arange(20) < 3, 8.0, norm)}, "update": 0.01}
    history = deep(d2=weights, d4=weights)
    history.progress[:] = True
    found = history.find(UpdateTooLarge())
    assert [f.node for f in found] == told  # not at the output, which large targets may ask for
    assert all(f.first_step == 30 and "These weights grew to 5 times their size within 10 steps." in f.sentence for f in found)


@pytest.mark.parametrize(("entries", "told"), [(12.0, ["words/embeddings"]), (8.0, [])])
def test_entries_of_a_table_that_few_steps_make_large_are_told_though_the_loss_falls(entries, told):
    text = "input x [?,8] ; layer words Embedding [?,8,16] <- x; variable words/embeddings [200,16] update; loss loss [] <- words"
    size = np.where(np.arange(20) < 1, 0.03, entries) * np.sqrt(3200)
    history = History(text, STEPS).set("words/embeddings", l2_norm=size, elements=3200).set("words/embeddings", "update", l2_norm=1.0, elements=3200)
    history.progress[:] = True
    found = history.find(UpdateTooLarge())
    assert [f.node for f in found] == told
    assert all(f"grew to {12 * np.sqrt(3200) / 4:.0f} times their size" in f.sentence for f in found)  # of usual entries


def test_weights_that_grow_and_grow_while_the_loss_stands_are_told():
    """By a tenth of their size per step, and by a hundredth."""
    for pace, told in ((0.1, ["d2/kernel"]), (0.01, [])):
        weights = {"value": {"l2_norm": 8.0 * (1 + pace * np.arange(0, 200, 10))}, "update": 0.8}
        history = deep(d2=weights, d4=weights).set("loss", elements=1, mean=2.3)
        found = history.find(UpdateTooLarge())
        assert [f.node for f in found] == told  # not at the output
        assert all("grew to 20 times their size within 190 steps." in f.sentence for f in found)
        history.progress[:] = True
        assert history.find(UpdateTooLarge()) == []


def test_steps_too_small_from_the_beginning_are_told():
    found = deep(**{f"d{i}": {"update": 1e-7} for i in range(5)}).find(UpdateTooSmall())
    assert [f.node for f in found] == [f"d{i}/kernel" for i in range(5)]


def test_one_layer_alone_that_does_not_move_is_told_where_its_gradient_is_no_smaller_than_others():
    assert [(f.node, f.first_step) for f in deep(d0={"update": 1e-7}).find(UpdateTooSmall())] == [("d0/kernel", 50)]
    assert deep(d0={"update": 1e-7, "gradient": 1e-4}).find(UpdateTooSmall()) == []  # has vanished
    assert deep(d0={"update": np.r_[1e-7, np.full(19, 1e-4)]}).find(UpdateTooSmall()) == []
    assert deep(d0={"update": 1e-5}).find(UpdateTooSmall()) == []


@pytest.mark.parametrize(("last", "told"), [(1e-7, True), (1e-4, False)])
def test_steps_that_grow_and_are_still_next_to_nothing_are_told(last, told):
    """Not so a warm-up. Weights have an L2 norm of 8."""
    found = deep(**{f"d{i}": {"update": np.linspace(1e-9, last, 20)} for i in range(5)}).find(UpdateTooSmall())
    assert bool(found) == told
    assert all(f.first_step >= 50 for f in found)


def test_steps_that_float32_loses_count_as_small_beside_small_ones():
    lost = {f"d{i}": {"update": 0.0, "moves": False} for i in range(4)}
    assert [f.node for f in deep(d4={"update": 1e-7}, **lost).find(UpdateTooSmall())] == ["d4/kernel"]


@pytest.mark.parametrize("update", [np.linspace(1e-6, 1e-5, 20), np.geomspace(0.1, 1e-9, 20)])
def test_warm_up_and_convergence_are_healthy(update):
    assert deep(**{f"d{i}": {"update": update} for i in range(5)}).find(UpdateTooSmall()) == []


@pytest.mark.parametrize(
    ("reason", "told"), [("not_on_loss_path", 1), ("gradient_stopped", 1), ("non_differentiable", 1), ("not_trainable", 0), ("not_called", 0)]
)
def test_trainable_weights_without_gradient_are_told(reason, told):
    history = History("input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]", [0], d__kernel=without_gradient(reason)).set("d/kernel")
    assert [f.node for f in history.watch(MissingGradient()).findings()] == ["d/kernel"] * told


@pytest.mark.parametrize("bias_std", [0.0, 0.5])
@pytest.mark.parametrize("feeds", ["e", "loss"])
def test_weights_before_a_stopped_gradient_that_nobody_trains_are_told(bias_std, feeds):
    """Not so those that were trained before, nor those that only make targets."""
    text = f"""
        input x [?,8]
        layer d Dense [?,8] <- x gradient=gradient_stopped
        variable d/kernel [8,8] gradient=no_optimizer_step update=no_optimizer_step
        variable d/bias [8] gradient=no_optimizer_step update=no_optimizer_step
        layer e Dense [?,8] <- {"d" if feeds == "e" else "x"} gradient
        variable e/kernel [8,8] gradient update
        loss loss [] <- e {"" if feeds == "e" else "d"}
    """
    history = History(text, [0]).set("d/kernel").set("d/bias", elements=8, l2_norm=1.0, std=bias_std)
    assert [f.node for f in history.find(MissingGradient())] == ["d/kernel"] * (feeds == "e" and bias_std == 0)


def test_what_lies_between_the_last_gradient_and_the_weights_is_named():
    text = """
        input x [?,8]
        layer d Dense [?,8] <- x
        variable d/kernel [8,8]
        op round Round [?,8] <- d
        op cast Cast [?,8] <- round
        layer e Dense [?,8] <- cast gradient
        variable e/kernel [8,8] gradient update
        loss loss [] <- e
    """
    history = History(text, [0], d__kernel=without_gradient("not_on_loss_path")).set("d/kernel")
    found = history.watch(MissingGradient()).findings()
    assert "none passes back from `e` through `round`, `cast` to `d` at" in found[0].sentence


@pytest.mark.parametrize(("moves", "update", "told"), [(False, 0.1, True), (True, 0.1, False), (False, 1e-6, False)])
def test_weights_that_something_puts_back_are_told(moves, update, told):
    found = deep(d2={"moves": moves, "update": update}).find(UnchangedWeights())
    assert [f.node for f in found] == ["d2/kernel"] * told
    assert all("something puts them back" in f.sentence for f in found)


@pytest.mark.parametrize(("update", "told"), [(0.1, [60]), (1e-6, []), (0.0, [])])
def test_weights_that_something_puts_back_from_the_middle_on_are_told(update, told):
    """They move up to step 50."""
    numbers = np.minimum(np.arange(20), 5) * 0.01
    changes = {"update": np.where(np.arange(20) < 5, 0.1, update), "value": {"l2_norm": 8 + numbers, "mean": numbers}}
    found = deep(d2=changes).find(UnchangedWeights())
    assert [(f.node, f.first_step) for f in found] == [("d2/kernel", step) for step in told]


@pytest.mark.parametrize("update", [0.0, 2.0])
@pytest.mark.parametrize(("low", "high", "told"), [(-1.0, 1.0, False), (-2.0, 1.0, True), (1.0, 1.0, True)])
def test_weights_that_a_clip_holds_at_its_ends_are_not_told(update, low, high, told):
    """64 weights, each 1 or −1: at most they change places. Weights that are all 1 began so."""
    held = {"l2_norm": 8.0, "mean": 0.5, "min": low, "max": high}
    assert [f.node for f in deep(d2={"update": update, "value": held}).find(UnchangedWeights())] == ["d2/kernel"] * told


def test_weights_that_begin_to_move_after_skipped_steps_are_not_put_back():
    """At the capture of their first update they are what they were at first, of course."""
    numbers = np.maximum(np.arange(20) - 4, 0) * 0.01
    changes = {"update": np.where(np.arange(20) < 4, 0.0, 0.1), "value": {"l2_norm": 8 + numbers, "mean": numbers}}
    found = deep(d2=changes).find(UnchangedWeights())
    assert [(f.node, f.first_step, f.last_step) for f in found] == [("d2/kernel", 0, 30)]
    assert "The optimizer has changed none of these weights" in found[0].sentence


def test_weights_that_stand_at_every_second_capture_are_not_put_back():
    """A generator whose turn comes at every second capture."""
    numbers = np.arange(20) // 2 * 0.01
    changes = {"update": np.tile([0.0, 0.1], 10), "value": {"l2_norm": 8 + numbers, "mean": numbers}}
    assert deep(d2=changes).find(UnchangedWeights()) == []


def test_steps_that_a_loss_scale_skips_are_no_matter_of_the_learning_rate():
    skipped = deep(d2={"moves": False, "update": 0.0, "gradient": np.nan}).find(UnchangedWeights())
    assert "Its steps are skipped, as gradients aren't finite." in skipped[0].sentence
    history = deep(d2={"moves": False, "update": 0.0})
    history.loss_scale = np.full(20, 2.0**-9, np.float32)
    assert "(loss scale 0.00195)" in history.find(UnchangedWeights())[0].sentence
    history.loss_scale = 2.0 ** np.arange(40, 20, -1)
    assert "Its steps are skipped" in history.find(UnchangedWeights())[0].sentence
    history.loss_scale = np.full(20, 2.0**15, np.float32)
    assert "Its gradient isn't 0" in history.find(UnchangedWeights())[0].sentence


def standing(update, loss=2.3, gradient=0.1, moving=()):
    """Five layers of which some are given another update: at 20 captures, over 200 steps."""
    still = np.where(np.asarray(update) > 1e-6, np.arange(20), 0) * 0.01
    numbers = {"l2_norm": 8.0 + still, "mean": still}
    history = deep(**{f"d{i}": {"update": update, "gradient": gradient, "value": numbers} for i in range(5) if i not in moving})
    return history.set("loss", elements=1, mean=loss)


def at(capture, low, high=0.01):
    return np.where(np.arange(20) >= capture, low, high)


@pytest.mark.parametrize("rate", [0.0, 1e-13])
def test_a_learning_rate_that_fell_to_nothing_while_the_loss_stands_is_told(rate):
    found = standing(at(1, rate)).find(UpdateTooSmall())
    assert [(f.node, f.rule) for f in found] == [(f"d{i}/kernel", "update_too_small") for i in range(5)]
    assert {f.evidence["standing_since"] for f in found} == {10}
    assert "since step 10, while the loss stands at 2.3" in found[0].sentence


def test_few_captures_are_enough_where_nothing_moved_for_most_of_the_time():
    """Captures 1 to 7 of 8, and 3 to 9 of 10; nothing is known of what comes after."""
    for first, end, told in ((1, 8, 5), (3, 10, 0)):
        update = np.where(np.arange(20) < end, at(first, 0.0), np.nan)
        assert len(standing(update).find(UpdateTooSmall())) == told


def test_rest_at_the_end_of_a_schedule_or_of_learning_is_healthy():
    assert standing(at(16, 0.0)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), loss=at(4, 0.3, 2.3)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), gradient=at(5, 0.0)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), gradient=at(5, 5e-5, 0.1)).find(UpdateTooSmall()) == []  # full batches, and noise that nothing explains


def test_layers_that_wait_while_another_one_moves_do_not_stand_still():
    assert standing(at(5, 0.0), moving=(2,)).find(UpdateTooSmall()) == []


def test_an_optimizer_that_adds_up_gradients_moves_between_captures():
    history = standing(at(1, 0.0))
    for index in range(5):
        history.set(f"d{index}/kernel", elements=64, l2_norm=8.0 + 0.01 * np.arange(20), mean=0.0, min=-1.0, max=1.0, std=1.0)
    assert history.find(UpdateTooSmall()) == []


def test_a_layer_that_is_called_outside_of_the_tape_says_so():
    """The encoder of the GauGAN example: nothing between it and the loss cuts its gradient."""
    text = (
        "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]; layer head Dense [?,8] <- d gradient; variable head/kernel [8,8] gradient"
    )
    outside = {"quantities": {"gradient": QuantityState("unreachable", "outside_tape", sentence="No tape.", remedy="Make the call inside.")}}
    history = History(f"{text}; loss loss [] <- head", [0], d=outside, d__kernel=without_gradient("not_on_loss_path")).set("d/kernel")
    (found,) = history.find(MissingGradient())
    assert (found.sentence, found.remedy) == ("It is trainable, and no gradient reaches it. No tape.", "Make the call inside.")


@pytest.mark.parametrize(
    ("gradients", "loss", "told"),
    [
        ({}, 1.5, 5),
        ({"d4": 1e-12}, 1.5, 0),  # something arrives: what is dead is another rule's matter
        ({"d4": np.where(np.arange(20) < 3, 1e-3, 0.0)}, 1.5, 0),  # something arrived
        ({}, 0.0, 0),  # nothing is left to learn
    ],
)
def test_weights_that_nothing_but_a_decay_changes_are_told(gradients, loss, told):
    """AdamW takes so much away at each step, whatever the gradient is."""
    decay = 0.002 * 0.004
    history = deep(**{f"d{i}": {"gradient": gradients.get(f"d{i}", 0.0), "update": 8 * decay, "moves": False} for i in range(5)})
    for i in range(5):
        history.set(f"d{i}/kernel", elements=64, l2_norm=8 * (1 - decay) ** np.arange(0, 200, 10), mean=0.0, min=-1.0, max=1.0, std=1.0)
    found = history.set("loss", elements=1, mean=loss).find(UnchangedWeights())
    assert [f.node for f in found] == [f"d{i}/kernel" for i in range(told)]
    assert all("nothing but a decay changes these weights" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        (lambda step: 1 - 0.95 ** (step + 1), 5),  # momentum adds up the first few
        (lambda step: (step + 1) / 1000, 0),  # a warm-up goes on
        (lambda step: np.minimum((step + 1) / 100, 1.0), 5),  # one that arrives nowhere
    ],
)
def test_updates_that_grew_at_first_and_stay_tiny_are_told(pace, told):
    update = 8 * 3e-6 * pace(np.arange(0, 200, 10))
    history = deep(**{f"d{i}": {"update": update, "moves": False} for i in range(5)}).set("loss", elements=1, mean=2.0)
    found = history.find(UpdateTooSmall())
    assert [f.node for f in found] == [f"d{i}/kernel" for i in range(told)]
