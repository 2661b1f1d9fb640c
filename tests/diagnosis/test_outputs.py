"""What a network gives out, and what its loss takes it for."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.out_of_range import TargetsOutOfRange
from tb_activations.diagnosis.outputs import OutputMismatch
from tests.diagnosis.hand import History

TEXT = "input x [?,8]; layer scores [?,3] {} <- x; loss loss [] <- scores"


def told(activation="", low=0.0, high=1.0, **attributes):
    history = History(TEXT.format(activation), range(0, 40, 10), loss={"attributes": {name: [node] for name, node in attributes.items()}})
    return history.set("scores", min=low, max=high).find(OutputMismatch())


@pytest.mark.parametrize(
    ("meaning", "low", "high", "count"),
    [
        ("probabilities", -2.0, 3.0, 1),
        ("probabilities", 0.0, 3.0, 1),
        ("probabilities", 0.0, 1.0, 0),
        ("probabilities", -1e-4, 1.0001, 0),  # rounded
        ("shares", -2.0, 3.0, 1),
        ("shares", 0.0, 3.0, 0),  # positive numbers of any size: the loss divides them by their sum
        ("logits", -2.0, 3.0, 0),
    ],
)
def test_numbers_that_are_no_probabilities_are_told_where_the_loss_clips_them(meaning, low, high, count):
    found = told(low=low, high=high, **{meaning: "scores"})
    assert [(f.node, f.severity, f.first_step) for f in found] == [("scores", "error", 0)] * count


@pytest.mark.parametrize(("activation", "empty", "count"), [("relu", 0.5, 1), ("relu", 0.0, 0), ("sigmoid", 0.5, 0)])
@pytest.mark.parametrize("meaning", ["probabilities", "shares"])
def test_zeros_of_a_relu_are_no_probabilities(meaning, activation, empty, count):
    history = History(TEXT.format(activation), range(0, 40, 10), loss={"attributes": {meaning: ["scores"]}})
    found = history.set("scores", min=0.0, max=0.9, mean=0.2, zero_fraction=empty).find(OutputMismatch())
    assert [(f.node, f.severity) for f in found] == [("scores", "error")] * count
    assert all("those of a ReLU" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("activation", "empty", "meanings", "count"),
    [
        ("relu", 0.5, ("logits", "yes_or_no"), 1),
        ("relu", 0.0, ("logits", "yes_or_no"), 0),
        ("relu", 0.5, ("logits",), 0),  # of several classes the largest counts, wherever 0 is
        ("", 0.5, ("logits", "yes_or_no"), 0),
    ],
)
def test_logits_of_a_relu_never_say_no(activation, empty, meanings, count):
    history = History(TEXT.format(activation), range(0, 40, 10), loss={"attributes": {name: ["scores"] for name in meanings}})
    found = history.set("scores", min=0.0, max=2.0, mean=0.2, zero_fraction=empty).find(OutputMismatch())
    assert [(f.node, f.severity) for f in found] == [("scores", "error")] * count
    assert all("never below one half" in f.sentence for f in found)


def test_the_direction_of_a_single_number_is_told():
    found = told(signs="scores", directions="scores")
    assert [(f.node, f.severity) for f in found] == [("scores", "error")]
    assert "1 or −1" in found[0].sentence
    assert told(directions="scores") == []


@pytest.mark.parametrize(("model", "count"), [("Sequential", 1), ("Functional", 1), ("Calibration", 0)])
def test_what_a_model_gives_its_last_layer_has_made(model, count):
    text = f"input x [?,8]; layer net/gate Activation [?,1] <- x sigmoid; layer net {model} [?,1] <- net/gate; loss loss [] <- net"
    history = History(text, range(0, 40, 10), loss={"attributes": {"logits": ["net"]}})
    for node in ("net", "net/gate"):
        history.set(node, min=0.1, max=0.9, mean=0.4)
    assert [f.node for f in history.find(OutputMismatch())] == ["net/gate"] * count


def test_which_loss_takes_logits_depends_on_what_it_compares():
    assert "SparseCategoricalCrossentropy" in told(low=-2.0, probabilities="scores")[0].code
    assert "BinaryCrossentropy" in told(low=-2.0, probabilities="scores", yes_or_no="scores")[0].code


@pytest.mark.parametrize(
    ("meaning", "size", "outputs", "count"),
    [
        ("relative", 1e7, 0.5, 1),
        ("relative", 1e7, 500.0, 0),  # targets may be a hundredth, and outputs far too large
        ("relative", 300.0, 0.5, 0),
        ("shares", 1e7, 0.5, 0),
    ],
)
def test_errors_in_percent_of_targets_next_to_zero_are_told(meaning, size, outputs, count):
    history = History(TEXT.format(""), range(0, 40, 10), loss={"attributes": {meaning: ["scores"]}})
    history.set("scores", elements=32, l2_norm=outputs * np.sqrt(32))
    found = history.set("loss", elements=1, mean=size).find(TargetsOutOfRange())
    assert [(f.node, f.severity) for f in found] == [("loss", "error")] * count
    assert all("in percent" in f.sentence and "mae" in f.code for f in found)


def test_only_numbers_that_go_on_going_beyond_are_told():
    assert told(low=[-2, 0, 0, 0], probabilities="scores") == []


@pytest.mark.parametrize(("activation", "count"), [("softmax", 1), ("sigmoid", 1), ("tanh", 0), ("", 0)])
def test_probabilities_in_a_loss_of_logits_are_told(activation, count):
    found = told(activation, logits="scores")
    assert [(f.node, f.severity) for f in found] == [("scores", "warning")] * count
    assert all(f"a {activation} made already" in f.sentence for f in found)


def test_a_sigmoid_behind_the_softmax_is_told_to_be_one_function_too_many():
    """Keras computes a categorical loss from what goes into the last function, whichever it is."""
    text = "input x [?,8]; layer shares Dense [?,3] <- x softmax; layer squash Activation [?,3] <- shares sigmoid; loss loss [] <- squash"
    history = History(text, range(0, 40, 10), loss={"attributes": {"logits": ["shares"]}})
    history.set("shares", min=0.1, max=0.8, mean=1 / 3).set("squash", min=0.5, max=0.7, mean=0.58)
    assert [(f.node, "Leave out one of the two" in f.remedy, f.code) for f in history.find(OutputMismatch())] == [("shares", True, "")]


def test_what_goes_into_a_loss_of_another_kind_is_not_judged():
    assert told("softmax") == []
    assert told(low=-5, high=5) == []


@pytest.mark.parametrize(
    ("losses", "attributes", "more", "count"),
    [
        (np.linspace(1, -5, 20), {"yes_or_no": ["scores"]}, "", 1),
        (np.linspace(1, 0, 20), {"yes_or_no": ["scores"]}, "", 0),
        (np.linspace(1, -5, 20), {"logits": ["scores"]}, "", 0),  # weighted by what an action was worth
        (np.linspace(1, -5, 20), {"yes_or_no": ["scores"]}, " x", 0),  # and something else
    ],
)
def test_a_binary_cross_entropy_below_zero_has_targets_out_of_range(losses, attributes, more, count):
    text = f"input x [?,8]; layer scores [?,1] <- x; loss loss [] <- scores{more}"
    history = History(text, range(0, 200, 10), loss={"attributes": attributes}).set("loss", elements=1, mean=losses)
    found = history.find(TargetsOutOfRange())
    assert [(f.node, f.severity) for f in found] == [("loss", "error")] * count
    assert all("some are beyond, or its sign is turned round" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("judge", "made", "losses", "told"),
    [
        ("score score@2", "score@2", (1, -0.7), []),
        ("score score@2", "score@3", (1, -0.7), []),
        ("score score@2", "score@2", (-1, 0.7), ["loss"]),  # the judge's own
        ("score", "score@2", (1, -0.7), ["loss@2"]),
        ("other score@2", "score@2", (1, -0.7), ["loss@2"]),
    ],
)
def test_what_deceives_a_judge_may_have_the_loss_of_that_turned_round(judge, made, losses, told):
    """The game of Goodfellow et al. 2014: one brings a cross entropy down, the other one pushes it up."""
    calls = "; ".join(f"layer {name} Dense [?,1] <- x" for name in ("score", "score@2", "score@3", "other"))
    text = f"input x [?,8]; {calls}; loss loss [] <- {judge}; loss loss@2 [] <- {made}"
    asked = {"attributes": {"yes_or_no": ["score", "score@2", "score@3", "other"]}}
    history = History(text, range(0, 200, 10), **{"loss": asked, "loss@2": asked})
    history.set("loss", elements=1, mean=losses[0]).set("loss@2", elements=1, mean=losses[1])
    assert [f.node for f in history.find(TargetsOutOfRange())] == told


def test_no_targets_within_range_make_a_binary_cross_entropy_negative():
    """What the rule rests on, by numpy."""
    y, p = np.meshgrid(np.linspace(0, 1, 21), np.linspace(0.001, 0.999, 50))
    assert (-(y * np.log(p) + (1 - y) * np.log(1 - p))).min() >= 0


@pytest.mark.parametrize(("attributes", "count"), [({"crossed": ["scores"]}, 1), ({}, 0)])
def test_outputs_that_are_compared_with_the_targets_of_all_examples_are_told(attributes, count):
    history = History("input x [?,8]; layer scores Dense [?,1] <- x; loss loss [] <- scores", range(0, 40, 10), loss={"attributes": attributes})
    found = history.set("scores", elements=32, min=-1.0, max=1.0, mean=0.0).find(OutputMismatch())
    assert [(f.node, f.severity, f.first_step) for f in found] == [("scores", "error", 0)] * count
    assert all("[n, n] numbers" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("shares", "last", "remedy"),
    [
        ("softmax", "Dropout", "Leave it out"),
        ("", "Dropout", "Tell the loss that it gets logits"),
        ("softmax", "Dense", "Tell the loss that it gets logits"),
    ],
)
def test_a_layer_behind_the_softmax_is_to_be_left_out(shares, last, remedy):
    text = f"input x [?,8]; layer shares Dense [?,3] <- x {shares}; layer scores {last} [?,3] <- shares; loss loss [] <- scores"
    text += "; variable scores/kernel [3,3]" * (last == "Dense")
    history = History(text, range(0, 40, 10), loss={"attributes": {"probabilities": ["scores"]}}).set("scores", min=0.0, max=1.9, mean=0.3)
    assert [(f.node, f.remedy.startswith(remedy)) for f in history.find(OutputMismatch())] == [("scores", True)]


@pytest.mark.parametrize("others", [{}, {"logits": ["scores"]}, {"shares": ["scores"]}])
def test_a_loss_of_classes_for_a_single_unit_is_told(others):
    """Whatever comes out, its share of itself is 1: also where the unit itself goes on changing."""
    history = History("input x [?,8]; layer scores Dense [?,1] <- x sigmoid; loss loss [] <- scores", range(0, 40, 10), loss={"attributes": others})
    history.set("scores", elements=32, min=0.2, max=0.8, mean=0.5)
    assert not any("several classes" in f.sentence for f in history.find(OutputMismatch()))
    history = History(
        "input x [?,8]; layer scores Dense [?,1] <- x sigmoid; loss loss [] <- scores",
        range(0, 40, 10),
        loss={"attributes": {**others, "single": ["scores"]}},
    )
    found = history.set("scores", elements=32, min=0.2, max=0.8, mean=0.5).find(OutputMismatch())
    assert [(f.node, f.severity, f.code) for f in found] == [("scores", "error", 'model.compile(optimizer, "binary_crossentropy")')]
    assert "the loss is one of several classes" in found[0].sentence


def shares(axis, meaning, steps=4, classes=3, examples=40, size=1.0):
    """What a layer of a user hands to a loss: a softmax over one axis of normal scores, computed by numpy."""
    random, history = np.random.default_rng(0), History(TEXT.format(""), range(0, 10 * steps, 10), loss={"attributes": {meaning: ["scores"]}})
    numbers = np.exp(size * random.normal(size=(steps, examples, classes)))
    if axis is not None:
        numbers /= numbers.sum(axis + 1, keepdims=True)
    ends = {"min": numbers.min((1, 2)), "max": numbers.max((1, 2)), "mean": numbers.mean((1, 2))}
    return history.set("scores", elements=examples * classes, **ends).find(OutputMismatch())


@pytest.mark.parametrize(
    ("axis", "meaning", "severity"), [(1, "logits", "warning"), (0, "shares", "error"), (0, "probabilities", "error"), (0, "nothing", "error")]
)
def test_a_softmax_without_a_name_is_told_by_what_it_adds_up_to(axis, meaning, severity):
    found = shares(axis, meaning)
    assert [(f.node, f.severity, f.first_step) for f in found] == [("scores", severity, 0)]
    assert ("add up to 1 over the 40 examples" if axis == 0 else "a softmax made already") in found[0].sentence


@pytest.mark.parametrize("axis", [0, 1, (0, 1), 2])
@pytest.mark.parametrize("keras_finds_the_scores", [False, True])
def test_a_softmax_over_positions_in_place_of_classes_is_told(axis, keras_finds_the_scores):
    """Of a map of 6 x 7 positions and 3 classes, by numpy."""
    text = "input x [?,6,7,8]; layer scores Conv2D [?,6,7,3] <- x; layer shares Softmax [?,6,7,3] <- scores softmax; loss loss [] <- "
    meaning = {"attributes": {"logits": ["scores"]} if keras_finds_the_scores else {"shares": ["shares"]}}
    history = History(text + ("scores" if keras_finds_the_scores else "shares"), range(0, 40, 10), loss=meaning)
    scores = np.random.default_rng(0).normal(size=(4, 40, 6, 7, 3))
    shares = np.exp(scores) / np.exp(scores).sum(tuple(np.atleast_1d(axis) + 2), keepdims=True)
    for node, numbers in (("scores", scores), ("shares", shares)):
        ends = {name: getattr(numbers, name)((1, 2, 3, 4)) for name in ("min", "max", "mean")}
        history.set(node, elements=40 * 6 * 7 * 3, **ends)
    over = {0: 6, 1: 7, (0, 1): 42}.get(axis)
    found = history.find(OutputMismatch())
    assert [(f.node, f.severity, f"over {over} positions" in f.sentence) for f in found] == [("shares", "error", True)] * (over is not None)


@pytest.mark.parametrize(
    "other",
    [
        {"axis": 1, "meaning": "shares"},
        {"axis": 1, "meaning": "probabilities"},
        {"axis": 1, "meaning": "nothing"},
        {"axis": None, "meaning": "nothing"},
        {"axis": None, "meaning": "logits", "size": 0.1},
    ],
)
def test_shares_of_classes_and_scores_that_are_positive_are_fine(other):
    assert shares(**other) == []


def test_a_batch_of_as_many_examples_as_classes_tells_nothing():
    assert shares(0, "shares", classes=40) == []


def regression(activation, scale, loss="squares", factor=1.0, penalty=0.0, captures=20, mean=True, learned=False):
    """A sigmoid or tanh trained towards normal targets times ``scale``, clipped to its range where that is 0: losses and gradients by numpy.
    ``learned``: it comes as near to them as it can get."""
    random, history = (
        np.random.default_rng(0),
        History(f"input x [?,8]; layer out Dense [?,1] <- x {activation} gradient; loss loss [] <- out", range(captures)),
    )
    losses, gradients, outputs = [], [], []
    for capture in range(captures):
        z = random.normal(size=32)
        p = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else np.tanh(z)
        t = scale * random.normal(size=32) if scale else random.uniform(0 if activation == "sigmoid" else -1, 1, 32)
        if learned:
            known, reached = capture / captures, np.clip(t, 0.02 if activation == "sigmoid" else -0.98, 0.98)
            p = known * reached + (1 - known) * 0.4
        outputs.append(p)
        d, c = p - t, factor / (32 if mean else 1)
        losses.append(c * (d**2 if loss == "squares" else np.abs(d)).sum() + penalty)
        gradients.append(c * (2 * d if loss == "squares" else np.sign(d)))
    history.set("loss", elements=1, mean=np.array(losses)).set(
        "out", elements=32, min=0, max=1, mean=np.mean(outputs, axis=1), std=np.std(outputs, axis=1)
    )
    seen = {"l2_norm": np.linalg.norm(gradients, axis=1), "mean": np.mean(gradients, axis=1), "std": np.std(gradients, axis=1)}
    return history.set("out", "gradient", elements=32, **seen).find(TargetsOutOfRange())


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "tanh"])
@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"scale": 4.0}, 1),
        ({"scale": 4.0, "factor": 1e-3, "mean": False}, 1),  # a sum, weighted
        ({"scale": 0.0}, 0),
        ({"scale": 0.0, "factor": 1e3, "mean": False}, 0),
        ({"scale": 0.0, "penalty": 30.0}, 0),
        ({"scale": 4.0, "loss": "absolute"}, 0),  # not known
        ({"scale": 0.0, "loss": "absolute"}, 0),
    ],
)
def test_targets_that_a_function_cannot_reach_are_told_where_the_loss_is_of_squares(activation, changes, count):
    found = regression(activation, **changes)
    assert [(f.node, f.severity, f.first_step) for f in found] == [("out", "error", 2)] * count
    between = f"ends in a {activation}, between {'−1' if activation == 'tanh' else '0'} and 1"
    assert all(between in f.sentence and f.evidence["distance"] == pytest.approx(4, rel=0.3) for f in found)


@pytest.mark.parametrize(("activation", "scale", "count"), [("sigmoid", 1.0, 1), ("sigmoid", 0.4, 0), ("tanh", 2.5, 1), ("tanh", 1.0, 0)])
def test_targets_of_another_scale_are_told_by_how_they_vary_though_what_is_in_reach_is_learned(activation, scale, count):
    found = regression(activation, scale, learned=True)
    assert [(f.node, f.severity) for f in found] == [("out", "error")] * count
    assert all(f.last_step is None for f in found)


def test_targets_that_vary_too_much_are_told_at_the_third_capture_by_what_the_first_one_was():
    """By then the output has come near to what is in reach, and varies itself."""
    found = regression("sigmoid", scale=1.5, learned=True, captures=3)
    assert [(f.node, f.first_step) for f in found] == [("out", 2)]


def absolutes(targets, outputs, end="sigmoid", penalty=0.0, every=10, factor=1.0):
    """Rows of targets and of the outputs at that capture, of a loss that is the mean of their absolute differences: by numpy."""
    text = f"input x [?,8]; layer out Dense [?,1] <- x {end} gradient; loss loss [] <- out"
    targets, outputs = np.broadcast_arrays(np.asarray(targets, float), outputs)
    history = History(text, range(0, every * len(outputs), every))
    history.set("loss", elements=1, mean=factor * np.abs(outputs - targets).mean(1) + penalty)
    for quantity, rows in (("value", outputs), ("gradient", factor * np.sign(outputs - targets) / outputs.shape[1])):
        seen = {"mean": rows.mean(1), "std": rows.std(1), "min": rows.min(1), "max": rows.max(1), "l2_norm": np.linalg.norm(rows, axis=1)}
        history.set("out", quantity, elements=rows.shape[1], **seen)
    return history.find(TargetsOutOfRange())


HIGH = 1 - np.geomspace(0.5, 0.01, 20)[:, None] * np.random.default_rng(0).uniform(0.5, 1.5, (20, 32))
FAR = np.random.default_rng(1).uniform(2, 9, (20, 32))


@pytest.mark.parametrize(
    ("targets", "outputs", "changes", "count"),
    [
        (FAR, HIGH, {}, 1),
        (-FAR, 1 - HIGH, {}, 1),
        (-FAR, 1 - 2 * HIGH, {"end": "tanh"}, 1),
        (np.minimum(FAR / 9, 0.99), HIGH, {"penalty": 30.0}, 0),  # within its range: some lie below
        (1.0, HIGH, {}, 0),
        (FAR, HIGH, {"end": ""}, 0),  # no end at all
        (0.999 + 0.001 * HIGH, HIGH, {"penalty": np.geomspace(30, 3, 20)}, 0),  # within its range: weights are large
        (1.0, HIGH, {"penalty": 3 + np.abs(np.arange(20) - 12)}, 0),  # or get so again
        (1.0, HIGH, {"penalty": 3.0}, 0),  # as any number may be added
        (FAR, np.full((20, 32), 0.6), {}, 0),  # in between: what is left to the end explains it
        (FAR, HIGH, {"every": 4}, 0),  # nor had it time
        (FAR, HIGH, {"factor": 3.0}, 0),  # what a weighted loss is made of isn't known
        (np.where(np.arange(32) == 5, 0.2, FAR), HIGH, {}, 0),  # and of one that is in range no more
    ],
)
def test_targets_beyond_the_end_of_a_function_are_told_of_absolute_differences(targets, outputs, changes, count):
    found = absolutes(targets, outputs, **changes)
    assert [(f.node, f.severity) for f in found] == [("out", "error")] * count
    assert all("all lie on one side of it" in f.sentence for f in found)
    assert all(f.evidence["absolute"] == pytest.approx(np.abs(targets - outputs).mean(), rel=0.3) for f in found)


def squares(targets, outputs, end="", biases=0.0, every=100):
    """Rows of targets and of the outputs at that capture, of a loss that is the mean of their squared differences: by numpy."""
    text = f"input x [?,8]; layer out Dense [?,1] <- x {end} gradient; variable out/kernel [8,1]; variable out/bias [4]; loss loss [] <- out"
    targets, outputs = np.asarray(targets, float), np.asarray(outputs, float)
    gradients, history = 2 * (outputs - targets) / outputs.shape[1], History(text, range(0, every * len(targets), every))
    history.set("out/bias", elements=4, std=biases, l2_norm=2 * biases, mean=0.0, min=-2 * biases, max=2 * biases)
    history.set("loss", elements=1, mean=((outputs - targets) ** 2).mean(1))
    for quantity, rows in (("value", outputs), ("gradient", gradients)):
        seen = {"mean": rows.mean(1), "std": rows.std(1), "min": rows.min(1), "max": rows.max(1), "l2_norm": np.linalg.norm(rows, axis=1)}
        history.set("out", quantity, elements=rows.shape[1], **seen)
    return history.find(TargetsOutOfRange())


@pytest.mark.parametrize(("middle", "count"), [(0.0, 1), (3.5, 0)])
def test_targets_below_zero_that_a_relu_cannot_reach_are_told(middle, count):
    """Half of standardized targets are; none of others, however far the output is from them."""
    random = np.random.default_rng(0)
    targets = np.abs(random.normal(size=(5, 32))) if middle else random.normal(size=(5, 32))
    outputs = np.maximum(random.normal(size=(5, 32)) * np.linspace(0.05, 1, 5)[:, None] + middle, 0)
    found = squares(targets, outputs, "relu")
    assert [(f.node, f.severity, "ends in a ReLU" in f.sentence) for f in found] == [("out", "error", True)] * count
    assert all(targets[0].min() <= f.evidence["below"] < 0 for f in found)


@pytest.mark.parametrize(
    ("low", "batches", "count"),
    [(-1.5, range(1, 20), 1), (-1.5, [4, 9], 0), (-0.4, range(1, 20), 0)],
    ids=["in many batches", "two odd ones", "a sensor's noise"],
)
def test_targets_below_zero_are_told_where_the_first_batch_does_not_show_them(low, batches, count):
    random = np.random.default_rng(0)
    targets, outputs = np.abs(random.normal(size=(20, 32))) + 0.5, np.abs(random.normal(size=(20, 32))) * 0.3
    for batch in batches:
        targets[batch, 7], outputs[batch, 7] = low, 0
    found = squares(targets, outputs, "relu", every=1)
    assert [(f.node, f.severity) for f in found] == [("out", "error")] * count
    assert all(low <= f.evidence["below"] < 0 for f in found)


@pytest.mark.parametrize(("middle", "count"), [(1.2, 1), (0.9, 0)])
def test_targets_are_out_of_reach_where_none_within_range_is_as_far_from_what_comes_out(middle, count):
    """Of outputs from 0.4 to 0.6 none is further than 0.6 from a number between 0 and 1."""
    random = np.random.default_rng(0)
    found = squares(middle + 0.05 * random.normal(size=(5, 32)), random.uniform(0.4, 0.6, size=(5, 32)), "sigmoid")
    assert [(f.node, f.sentence.startswith("Its targets lie 0.6")) for f in found] == [("out", True)] * count


@pytest.mark.parametrize(("end", "said"), [("softplus", "a softplus"), ("exponential", "an exponential"), ("elu", "")])
@pytest.mark.parametrize("middle", [0.0, 3.5])
def test_targets_below_zero_are_told_of_other_functions_that_give_none(end, said, middle):
    random = np.random.default_rng(0)
    targets = np.abs(random.normal(size=(5, 32))) if middle else random.normal(size=(5, 32))
    outputs = np.log1p(np.exp(random.normal(size=(5, 32)) * np.linspace(0.05, 1, 5)[:, None])) + middle
    found = squares(targets, outputs, end)
    assert [f.node for f in found] == ["out"] * (said != "" and not middle)
    assert all(f"ends in {said}, which gives nothing below 0" in f.sentence and "what is 0" not in f.sentence for f in found)


@pytest.mark.parametrize(
    ("mean", "last", "changes", "count"),
    [
        (200_000, 800, {}, 1),
        (-200_000, -800, {}, 1),
        (200_000, 100_000, {}, 0),  # on its way
        (200_000, 800, {"biases": 1.0}, 0),  # trained before
        (200_000, 800, {"every": 10}, 0),  # no time yet
        (50, 1, {}, 0),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_targets_are_told_that_are_far_from_an_output_which_begins_near_zero(mean, last, changes, count, same):
    """Also where every epoch begins with the same batch, and the loss stands still."""
    random = np.random.default_rng(0)
    spread = random.normal(size=(1 if same else 5, 32)) * mean / 4
    targets = np.broadcast_to(mean + spread, (5, 32))
    outputs = random.normal(size=(5, 32)) * 0.3 + np.linspace(0, last, 5)[:, None]
    found = squares(targets, outputs, **changes)
    assert [(f.node, f.severity) for f in found] == [("out", "error")] * count
    assert all(f.evidence["mean"] == pytest.approx(mean, rel=0.2) and f.evidence["output"] == pytest.approx(last, rel=0.1) for f in found)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.99])
def test_no_targets_within_range_vary_more_than_yes_and_no(share):
    """What the rule rests on, by numpy: yes and no have the largest variance around their mean."""
    random = np.random.default_rng(0)
    for targets in (random.uniform(size=500) < share, random.beta(share, 1 - share, 500), random.uniform(0, share, 500)):
        assert targets.var() <= targets.mean() * (1 - targets.mean()) + 1e-12


GAN = """
    input noise [?,4]
    layer g/hidden Dense [?,8] <- noise relu
    variable g/hidden/kernel [4,8]
    layer g/out Dense [?,2] <- g/hidden {end} gradient
    variable g/out/kernel [8,2]
    layer g Sequential [?,2] <- g/out
    input d/given [?,2] <- {first}
    layer d/score Dense [?,1] <- d/given
    variable d/score/kernel [2,1]
    input d/given@2 [?,2] <- {second}
    layer d/score@2 Dense [?,1] <- d/given@2
    loss loss [] <- d/score
    loss loss@2 [] <- d/score@2
"""


@pytest.mark.parametrize(
    ("drawing", "data", "told"),
    [
        ({}, 3.0, ["g/out"]),
        ({"end": "sigmoid"}, 3.0, ["g/out"]),
        ({"first": "g"}, 3.0, ["g/out"]),  # put together with what the generator gave, in the step
        ({}, 0.99, []),
        ({"end": ""}, 3.0, []),
        ({"end": "relu"}, 3.0, []),
        ({"first": "g/hidden"}, 3.0, []),  # what weights made of something is no data
        ({"second": "g noise"}, 3.0, []),  # states beside actions
        ({"second": "noise"}, 3.0, []),
    ],
)
def test_a_generator_that_cannot_reach_the_data_that_it_is_judged_beside_is_told(drawing, data, told):
    text = GAN.format(**{"end": "tanh", "first": "", "second": "g", **drawing})
    history = History(text, range(0, 100, 10)).set("d/given", l2_norm=data * np.sqrt(320)).set("g/out", l2_norm=0.9 * np.sqrt(320))
    found = history.find(TargetsOutOfRange())
    assert [finding.node for finding in found] == told
    assert all("a root mean square of 3, which are beyond" in finding.sentence for finding in found)
    assert all(("* 2 - 1" in finding.code) == (drawing.get("end") != "sigmoid") for finding in found)


@pytest.mark.parametrize(
    "text",
    [
        "input f/in [?,2]; layer f/out Dense [?,2] <- f/in tanh; variable f/out/kernel [2,2]; layer f Sequential [?,2] <- f/out;"
        " input f/in@2 [?,2] <- f; layer f/out@2 Dense [?,2] <- f/in@2 tanh; loss loss [] <- f/out@2",
        "input f/in [?,2]; layer f Dense [?,2] <- f/in tanh; variable f/kernel [2,2]; layer f@2 Dense [?,2] <- f tanh; loss loss [] <- f@2",
        "input f/in [?,2]; layer h Dense [?,2] <- f/in; variable h/kernel [2,2]; layer g Dense [?,2] <- h tanh; variable g/kernel [2,2];"
        " layer f Dense [?,2] <- f/in; variable f/kernel [2,2]; layer f@2 Dense [?,2] <- g; layer sum Add [?,2] <- f f@2; loss loss [] <- sum",
    ],
    ids=["a model that reads its own answers again", "a layer that does", "a shared layer whose answers are added"],
)
def test_what_is_called_twice_for_another_reason_is_no_judge(text):
    assert History(text, range(0, 100, 10)).set("f/in", l2_norm=60.0).find(TargetsOutOfRange()) == []
