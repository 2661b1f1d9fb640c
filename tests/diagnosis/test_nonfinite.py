"""NaN and infinity: where they began, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.nonfinite import Nonfinite
from tests.diagnosis.hand import History

STEPS = range(10)
NET = """
    input x [?,8]
    layer first Dense [?,8] <- x gradient
    variable first/kernel [8,8] gradient update
    layer norm Norm [?,8] <- first gradient
    layer last Dense [?,8] <- norm gradient
    variable last/kernel [8,8] gradient update
    op mask Where [?,8] <- norm gradient
    loss loss [] <- last
"""


def net(*bad, steps=(4, 5, 6, 7, 8, 9), count="nan_count", loss_scale=np.nan, every=1):
    """The network; ``bad``: "node" or "node gradient" with 3 NaN at ``steps``."""
    history = History(NET, [step * every for step in STEPS], loss_scale=loss_scale)
    for name in history.facts.names:
        for quantity in ("value", "gradient", "update"):
            history.set(name, quantity, min=-2.0, max=2.0)
    counts = np.where(np.isin(np.arange(10), steps), 3, 0)
    for item in bad:
        name, _, quantity = item.partition(" ")
        history.set(name, quantity or "value", min=-2.0, max=2.0, **{count: counts})
    return history.find(Nonfinite())


def test_the_first_node_forward_is_the_origin():
    found = net("norm", "last", "loss", "mask", "first gradient", "first/kernel gradient", "last/kernel gradient")
    assert [(f.node, f.quantity, f.title, f.first_step, f.last_step) for f in found] == [("norm", "value", "NaN in value", 4, None)]
    assert (
        "3 NaN in the output at step 4 at model.py:13: the first node of the step that has any. `first` was last finite between -2 and 2."
        in found[0].sentence
    )
    assert found[0].evidence["inheriting_nodes"] == 3


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("softmax", "from_logits=True"),
        ("sigmoid", "keras.losses.BinaryCrossentropy"),
        ("", "y_train.max()"),  # of a loss of differences, such as log(cosh(x)), nobody knows more than that
    ],
)
def test_a_loss_that_has_it_is_told_what_may_help_with_what_it_is_given(function, said):
    text = f"input x [?,8]; layer last Dense [?,8] <- x {function}; loss loss [] <- last"
    history = History(text, STEPS).set("x", min=-2.0, max=2.0).set("last", min=0.0, max=1.0)
    found = history.set("loss", elements=1, nan_count=1).find(Nonfinite())
    assert [(f.node, said in f.code) for f in found] == [("loss", True)]


@pytest.mark.parametrize(
    ("node", "dtype", "said"),
    [
        ("Softmax [?,8] <- x softmax", "float32", "-1e4"),
        ("Scale [?,8] <- x", "float32", "maximum(x, 1e-7)"),
        ("Softmax [?,8] <- x softmax", "float16", "-1e4"),
        ("Scale [?,8] <- x", "float16", 'dtype="float32"'),
    ],
)
def test_what_to_do_depends_on_the_function_and_on_the_type(node, dtype, said):
    text = f"input x [?,8]; layer part {node}; loss loss [] <- part"
    history = History(text, STEPS, part={"dtype": dtype}).set("x", min=-2.0, max=2.0)
    found = history.set("part", nan_count=3).set("loss", elements=1, nan_count=1).find(Nonfinite())
    assert [(f.node, said in f.code) for f in found] == [("part", True)]


def test_a_finite_forward_pass_puts_the_origin_into_the_backward_pass():
    found = net("first gradient", "first/kernel gradient")
    assert [(f.node, f.quantity) for f in found] == [("norm", "gradient")]
    assert "Its backward pass at model.py:13 makes 3 NaN for `first`" in found[0].sentence


def test_of_two_consumers_the_one_that_can_make_it_is_the_origin():
    text = """
        input x [?,8]
        layer first Dense [?,8] <- x gradient
        layer angle Angle [?,1] <- first gradient
        layer both Concatenate [?,9] <- first angle gradient
        loss loss [] <- both
    """
    history = History(text, STEPS)
    for name in history.facts.names:
        history.set(name)
    history.set("first", "gradient", nan_count=3)
    assert [f.node for f in history.find(Nonfinite())] == ["angle"]


def test_a_weight_gradient_alone_comes_from_its_layer():
    assert [f.node for f in net("last/kernel gradient")] == ["last"]


@pytest.mark.parametrize("bad", [("x", "first/kernel gradient"), ("x", "x gradient", "first/kernel gradient")])
def test_a_relu_that_makes_0_out_of_nan_hides_nothing(bad):
    """On a CPU the output of a dense layer with a ReLU is finite then; the gradient of its kernel is not."""
    found = net(*bad)
    assert [(f.node, f.quantity, f.evidence["count"]) for f in found] == [("x", "value", 3)]


def test_an_output_that_a_relu_hides_is_no_matter_of_the_backward_pass():
    """A mean over nothing is NaN; the ReLU after it gives 0, and what flows back to the layer before it is NaN again."""
    found = net("norm", "first gradient", "first/kernel gradient", "last/kernel gradient")
    assert [(f.node, f.quantity) for f in found] == [("norm", "value")]
    assert found[0].sentence.startswith("3 NaN in the output at step 4")


def test_a_loss_that_makes_it_itself_is_the_origin():
    assert [f.node for f in net("loss", "last gradient", "norm gradient", "first gradient", "first/kernel gradient", "last/kernel gradient")] == [
        "loss"
    ]
    assert [f.node for f in net("last gradient", "norm gradient", "first gradient", "first/kernel gradient", "last/kernel gradient")] == ["loss"]


@pytest.mark.parametrize(("count", "what", "sought"), [("nan_count", "NaN", "missing values"), ("neg_inf_count", "Inf", "logarithms of 0")])
def test_input_data_can_be_the_origin(count, what, sought):
    found = net("x", "first", "norm", "last", "loss", count=count)
    assert [f.node for f in found] == ["x"]
    assert found[0].sentence.startswith(f"3 {what} in the data at step 4")
    assert sought in found[0].remedy
    assert "x_train" in found[0].code


def test_a_loss_is_told_as_a_loss():
    assert net("loss")[0].sentence.startswith("3 NaN in the loss at step 4")


@pytest.mark.parametrize(("class_name", "origin"), [("Norm", "norm"), ("LayerNormalization", "loss")])
def test_weights_that_have_it_already_point_at_a_layer_of_the_user_or_the_loss(class_name, origin):
    text = NET.replace("norm Norm", f"norm {class_name}").replace("op mask Where", "op mask Add")
    history = History(text, range(0, 100, 10))
    for name in history.facts.names:
        history.set(name, "value", min=-2.0, max=2.0, nan_count=3 * (np.arange(10) > 3) * (name != "x"))
    assert [f.node for f in history.find(Nonfinite())] == [origin]


@pytest.mark.parametrize(
    ("class_name", "ends_in", "attributes", "origin"),
    [
        ("LSTM", "", {"activation": "relu"}, "memory"),
        ("LSTM", "", {"activation": "tanh"}, "loss"),
        ("LSTM", "", {}, "loss"),
        ("SimpleRNN", "relu", {}, "memory"),
        ("Dense", "relu", {}, "loss"),  # once, and not at each time step
    ],
)
def test_weights_that_have_it_already_point_at_a_recurrence_that_nothing_bounds(class_name, ends_in, attributes, origin):
    text = f"input x [?,9,2]; layer memory {class_name} [?,4] <- x {ends_in}; variable memory/kernel [2,4]; layer out Dense [?,1] <- memory;"
    history = History(text + "variable out/kernel [4,1]; loss loss [] <- out", range(0, 100, 10), memory={"attributes": attributes})
    for name in history.facts.names:
        history.set(name, "value", min=-2.0, max=2.0, nan_count=3 * (np.arange(10) > 3) * (name != "x"))
    found = history.find(Nonfinite())
    assert [f.node for f in found] == [origin]
    assert "where can't be told for certain" in found[0].sentence


@pytest.mark.parametrize("count", ["neg_inf_count", "pos_inf_count", "nan_count"])
def test_what_reaches_nothing_is_a_mask(count):
    assert net("mask", count=count) == []


def test_a_skipped_step_of_a_dynamic_loss_scale_is_no_trouble():
    bad = ("last gradient", "first gradient", "first/kernel gradient", "last/kernel gradient")
    assert net(*bad, steps=(0,), count="pos_inf_count", loss_scale=32768.0) == []
    assert [f.node for f in net(*bad, "loss", loss_scale=32768.0)] == ["loss"]
    assert [f.node for f in net(*bad, loss_scale=0.5)] == ["loss"]  # no scale is left that could be the reason


def test_weights_that_have_it_already_leave_the_origin_open_and_say_so():
    found = net("first/kernel", "last/kernel", "first", "norm", "last", "mask", "loss", every=2)
    assert [f.node for f in found] == ["norm"]  # the one operation that can be undefined
    assert "it began between steps 6 and 8" in found[0].sentence


def test_weights_of_one_layer_are_counted_where_the_suspect_has_none_itself():
    found = net("last/kernel", "loss", every=2)
    assert [f.node for f in found] == ["norm"]
    assert found[0].sentence.startswith("`last/kernel` has 3 NaN at step 8, so it began between steps 6 and 8")


RATIOS = "input x [?,8]; layer first Dense [?,8] <- x gradient; variable first/kernel [8,8]; loss loss [] <- first"


@pytest.mark.parametrize(
    ("ill_at", "told"), [((7,), [("loss", 40), ("x", 70)]), ((7, 9), [("loss", 40), ("x", 70)]), ((2, 7), [("loss", 40)]), ((), [("loss", 40)])]
)
def test_data_that_has_it_later_is_told_beside_weights_that_had_it_between_two_captures(ill_at, told):
    """Infinities that came in before, and harmed nothing, are masks. What is told twice is told of the data once."""
    history = History(RATIOS, range(0, 100, 10))
    for name in history.facts.names:
        history.set(name, min=-2.0, max=2.0, nan_count=3 * (np.arange(10) > 3) * (name != "x"))
    history.set("x", min=0.0, max=1.0, neg_inf_count=2 * np.isin(np.arange(10), ill_at))
    found = history.find(Nonfinite())
    assert [(f.node, f.first_step) for f in found] == told
    if len(told) > 1:
        assert found[1].sentence == "2 Inf in the data at step 70. The weights have it since step 40 already, which likely came from such data, too."
        assert (found[1].statistic, found[1].quantity) == ("neg_inf_count", "value")


def test_data_is_not_looked_at_where_the_origin_is_known():
    assert [f.node for f in net("norm", "last", "loss", steps=(4, 5, 6))] == ["norm"]
    history = History(RATIOS, range(6))
    for name in history.facts.names:
        history.set(name, min=-2.0, max=2.0, nan_count=3 * (np.arange(6) > 3))
    history.set("first/kernel", min=-2.0, max=2.0, nan_count=3 * (np.arange(6) > 4))
    assert [f.node for f in history.find(Nonfinite())] == ["x"]


def test_a_single_weight_that_begins_with_it_is_the_origin():
    assert [f.node for f in net("last/kernel", "last", "loss", steps=range(10))] == ["last/kernel"]


def test_it_is_over_when_it_is_gone():
    found = net("norm", "last", "loss", steps=(2, 3))
    assert [(f.first_step, f.last_step) for f in found] == [(2, 3)]


def test_infinity_is_named():
    assert [f.title for f in net("norm", "last", "loss", count="pos_inf_count")] == ["Inf in value"]


@pytest.mark.parametrize(("end", "origin"), [(np.finfo(np.float32).max, "logarithm"), (1e30, "last")])
def test_a_pooling_of_infinities_gives_the_last_number_of_its_type_and_hides_nothing(end, origin):
    """`tf.nn.max_pool` begins with the lowest number there is, which it gives for nothing but −Inf."""
    text = """
        input x [?,8]; layer logarithm Log [?,8] <- x; layer pooling MaxPooling1D [?,4] <- logarithm
        layer last Dense [?,8] <- pooling; loss loss [] <- last
    """
    history = History(text, range(4)).set("x", min=0.0, max=1.0).set("logarithm", min=-5.0, max=0.0, neg_inf_count=9)
    history.set("pooling", min=-end, max=0.0).set("last", nan_count=3).set("loss", nan_count=1)
    assert [f.node for f in history.find(Nonfinite())] == [origin]
