"""Weights that never change, and those that have a reason not to."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.unchanged import UnchangedWeights
from tb_activations.diagnosis.updates import UpdateTooSmall
from tb_activations.store.nodes import QuantityState
from tests.diagnosis.hand import DEEP, STEPS, History, deep, nodes_of, without_gradient


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
    ("end", "biases", "told"),
    [(0.05, 0.0, ["d/embeddings"]), (0.09, 0.0, []), (0.05, 0.3, [])],
    ids=["drawn evenly, as by Keras", "made by something else", "a network that was trained before"],
)
def test_a_table_that_the_optimizer_is_not_given_is_told_where_its_numbers_say_that_nobody_trained_it(end, biases, told):
    """It has no vectors to tell; no gradient is taken as far as that, as the list of weights begins behind it."""
    text = "input x [?,4]; layer d Embedding [?,8] <- x; variable d/embeddings [50,8]; variable head/bias [8] gradient update"
    states = {name: QuantityState("unreachable", reason) for name, reason in (("gradient", "nothing_trained"), ("update", "no_optimizer_step"))}
    fields = {"d": {"quantities": states}, "d__embeddings": {"quantities": {"value": QuantityState("materialized"), **states}}}
    fields["d__embeddings"]["quantities"]["gradient"] = states["update"]
    history = History(f"{text}; {CHANGING.replace(' gradient;', ';')}; loss loss [] <- head", STEPS, **fields)
    history.set("d/embeddings", elements=400, l2_norm=0.05 / np.sqrt(3) * 20, mean=0.0, min=-end, max=end)
    history.set("head/bias", elements=8, std=biases, l2_norm=3 * biases, mean=0.0, min=-2 * biases, max=2 * biases)
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


@pytest.mark.parametrize(
    ("gradients", "activation", "told"),
    [
        ({"late": 0.0, "head": 1.0}, "", []),
        ({"late": 1.0, "head": 1.0}, "", ["late/kernel"]),  # something holds back what leaves the loss
        ({"late": 0.0, "head": 1.0}, "relu", ["late/kernel"]),  # dead
        ({"late": 0.0, "head": 0.0}, "", ["head/kernel", "late/kernel"]),  # none counts
    ],
)
def test_outputs_that_the_loss_does_not_count_yet_are_not_told(gradients, activation, told):
    text = "input x [?,8]"
    for name, end in (("head", ""), ("late", activation)):
        text += f"; layer {name} Dense [?,8] <- x {end} gradient; variable {name}/kernel [8,8] gradient update"
    history = History(text + "; loss loss [] <- head late", STEPS)
    for name, at_output in gradients.items():
        moves = 0.1 if f"{name}/kernel" not in told and name == "head" else 0.0
        history.set(f"{name}/kernel", elements=64, l2_norm=3.0 + moves * np.arange(20), mean=0.1, min=-1.0, max=1.0)
        history.set(f"{name}/kernel", "update", l2_norm=moves).set(f"{name}/kernel", "gradient", l2_norm=moves)
        history.set(name, "gradient", l2_norm=at_output)
    assert sorted(f.node for f in history.set("loss", elements=1, mean=2.0).find(UnchangedWeights())) == told


@pytest.mark.parametrize(
    ("layer", "moves", "said"),
    [("LSTM", 0.1, "the first one alone"), ("LSTM", 0.0, ""), ("GRUCell", 0.1, "the state that the cell is given, and that is 0 at each call")],
)
def test_recurrent_weights_that_multiply_a_state_of_zero_are_told_to(layer, moves, said):
    """Of the states of all steps the first was read, or there is only one; or a loop of one's own hands none on."""
    text = f"input x [?,9,8]; layer read {layer} [?,8] <- x gradient; loss loss [] <- read"
    for name in ("kernel", "recurrent_kernel"):
        text += f"; variable read/cell/{name} [8,8] gradient update"
    history = History(text, STEPS)
    for name, grows in (("kernel", moves), ("recurrent_kernel", 0.0)):
        history.set(f"read/cell/{name}", elements=64, l2_norm=3.0 + grows * np.arange(20), mean=0.1, min=-1.0, max=1.0)
        history.set(f"read/cell/{name}", "update", l2_norm=grows).set(f"read/cell/{name}", "gradient", l2_norm=grows)
    found = {f.node: f for f in history.set("loss", elements=1, mean=2.0).find(UnchangedWeights())}
    assert (said or "Its gradient is exactly 0.") in found["read/cell/recurrent_kernel"].sentence


def test_a_schedule_that_ends_at_zero_is_healthy():
    moved = np.minimum(np.arange(20), 9)
    end = {"update": np.where(np.arange(20) < 10, 0.01, 0.0), "value": {"l2_norm": 8 + moved, "mean": moved}}
    assert deep(**{f"d{i}": end for i in range(5)}).find(UnchangedWeights()) == []


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


@pytest.mark.parametrize(
    ("differ", "moves", "own", "told"),
    [
        (0.0, 0.0, "", ["copy/d/kernel"]),
        (0.5, 0.0, "", []),  # trained before
        (0.0, 0.01, "", []),  # it is given other weights now and then, as in meta-learning
        (0.0, 0.0, " model/d", []),  # a loss depends on what is changed, too
    ],
)
def test_a_copy_that_the_loss_is_computed_with_in_place_of_the_model(differ, moves, own, told):
    text = f"""
        input x [?,8]
        layer copy/d Dense [?,3] <- x gradient
        variable copy/d/kernel [8,3]
        variable copy/d/bias [3]
        layer model/d Dense [?,3] <- x
        variable model/d/kernel [8,3] gradient update
        loss loss [] <- copy/d{own}
    """
    states = {"quantities": {"value": QuantityState("materialized"), "update": QuantityState("unreachable", "no_optimizer_step")}}
    history = History(text, STEPS, copy__d__kernel=states, copy__d__bias=states)
    history.set("copy/d/kernel", l2_norm=1.0, mean=0.1 + moves * np.arange(len(STEPS)), min=-1, max=1)
    history.set("copy/d/bias", elements=3, l2_norm=1.0, std=differ, mean=0.1, min=-0.4, max=0.7)
    moved = 0.01 * np.arange(len(STEPS))
    history.set("model/d/kernel", l2_norm=1.0, mean=moved, min=-1, max=1).set("model/d/kernel", "update", l2_norm=0.01)
    found = history.find(UnchangedWeights())
    assert [f.node for f in found] == told
    assert all("on none of those that the optimizer changes (`model/d/kernel`)" in f.sentence for f in found)


@pytest.mark.parametrize(
    ("differ", "given", "told"),
    [
        (0.0, "d/bias", ["d/kernel", "head/kernel"]),
        (0.5, "d/bias", []),  # trained before, and tuned by its biases
        (0.0, "head/kernel", ["d/kernel"]),
        (0.0, "", []),  # nothing trains: this is no training
    ],
)
def test_untrained_kernels_are_told_where_an_optimizer_is_given_nothing_but_biases(differ, given, told):
    def variable(name, shape):
        return f"variable {name} {shape}" + " gradient update" * (name == given)

    text = f"""
        input x [?,8]
        layer d Dense [?,8] <- x gradient; {variable("d/kernel", "[8,8]")}; {variable("d/bias", "[8]")}
        layer head Dense [?,3] <- d gradient; {variable("head/kernel", "[8,3]")}; {variable("head/bias", "[3]")}
        loss loss [] <- head
    """
    state = QuantityState("unreachable", "no_optimizer_step")
    names = [name for name in ("d/kernel", "d/bias", "head/kernel", "head/bias") if name != given]
    forgotten = {name.replace("/", "__"): {"quantities": {"value": QuantityState("materialized"), "update": state}} for name in names}
    history = History(text, STEPS, **forgotten)
    for name in ("d", "head"):
        history.set(f"{name}/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0)
        history.set(f"{name}/bias", elements=8, l2_norm=1.0, std=differ, mean=0.1, min=-0.4, max=0.7)
    if given:
        history.set(given, l2_norm=3.0, std=differ, mean=0.01 * np.arange(20), min=-1.0, max=1.0).set(given, "update", l2_norm=0.01)
    assert [f.node for f in history.find(UnchangedWeights())] == told


@pytest.mark.parametrize(
    ("shape", "moves", "told"),
    [("?,8", True, False), ("?,9,8", True, True), ("?,8", False, True)],
    ids=["a state alone", "a sequence", "nothing arrives"],
)
def test_a_decoder_that_is_fed_nothing_but_a_state_needs_no_weights_for_more(shape, moves, told):
    text = f"input x [{shape}]; layer decoder GRU [?,8] <- x gradient; variable decoder/cell/kernel [1,24] gradient update"
    history = History(f"{text}; variable decoder/cell/recurrent_kernel [8,24] gradient update; loss loss [] <- decoder", STEPS)
    for name, moved in (("kernel", False), ("recurrent_kernel", moves)):
        history.set(f"decoder/cell/{name}", l2_norm=3.0, mean=0.01 * moved * np.arange(20), min=-1.0, max=1.0)
        history.set(f"decoder/cell/{name}", "update", l2_norm=0.01 * moved).set(f"decoder/cell/{name}", "gradient", l2_norm=0.1 * moved)
    assert ("decoder/cell/kernel" in [f.node for f in history.find(UnchangedWeights())]) == told


def test_steps_that_a_loss_scale_skips_are_no_matter_of_the_learning_rate():
    skipped = deep(d2={"moves": False, "update": 0.0, "gradient": np.nan}).find(UnchangedWeights())
    assert "Its steps are skipped, as gradients aren't finite." in skipped[0].sentence
    history = deep(d2={"moves": False, "update": 0.0})
    history.loss_scale = np.full(20, 2.0**-9, np.float32)
    assert "(loss scale 0.00195)" in history.find(UnchangedWeights())[0].sentence
    history.loss_scale = 2.0 ** np.arange(40, 20, -1)
    assert "Its steps are skipped" in history.find(UnchangedWeights())[0].sentence
    history.loss_scale = np.full(20, 2.0**15, np.float32)
    found = history.find(UnchangedWeights())[0]
    assert "Its gradient isn't 0" in found.sentence
    assert "that it assigns to the weights" in found.remedy


@pytest.mark.parametrize(("dtype", "rounded"), [("bfloat16", True), ("float16", True), ("float32", False)])
def test_steps_that_the_type_of_the_weights_rounds_away_are_no_matter_of_the_learning_rate_alone(dtype, rounded):
    history = deep(d2={"moves": False, "update": 0.0})
    history.facts = Facts(nodes_of(DEEP, d2__kernel={"dtype": dtype}))
    found = history.find(UnchangedWeights())
    assert [(f.node, f"They are {dtype} numbers" in f.sentence) for f in found] == [("d2/kernel", rounded)]


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


@pytest.mark.parametrize(("units", "axis_is_named"), [(1, True), (4, False)])
def test_scores_of_attention_that_are_shares_of_one_are_told_to_be(units, axis_is_named):
    """Weights of each step of time, of which the softmax takes the last axis."""
    text = f"input x [?,9,8]; layer score Dense [?,9,{units}] <- x softmax gradient; variable score/kernel [8,{units}] gradient update"
    history = History(f"{text}; op pooled Mul [?,9,8] <- score x; loss loss [] <- pooled", STEPS).set("loss", elements=1, mean=0.7)
    history.set("score/kernel", l2_norm=3.0, mean=0.1, min=-1.0, max=1.0).set("score/kernel", "gradient", l2_norm=0.0)
    (found,) = history.set("score/kernel", "update", l2_norm=0.0).find(UnchangedWeights())
    assert ("softmax over its last axis, which has one entry" in found.sentence, "axis=1" in found.code) == (axis_is_named, axis_is_named)
