"""What people do on purpose and looks like a fault; beside each the fault that it looks like."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.activations import ExplodingActivation, SaturatedActivation
from tb_activations.diagnosis.collapse import CollapsedOutput
from tb_activations.diagnosis.dead_units import DeadUnits
from tb_activations.diagnosis.gradients import ExplodingGradient, MissingGradient, VanishingGradient
from tb_activations.diagnosis.incoming import ConstantInput, UnnormalizedInput
from tb_activations.diagnosis.initialization import PoorInitialization
from tb_activations.diagnosis.losses import ExplodingLoss, OscillatingLoss
from tb_activations.diagnosis.nonfinite import Nonfinite
from tb_activations.diagnosis.precision import HalfUnderflow
from tb_activations.diagnosis.unchanged import UnchangedWeights
from tb_activations.store.nodes import QuantityState
from tests.diagnosis.hand import History, without_gradient

STEPS = range(0, 100, 5)
HARDENING = np.minimum(np.linspace(0.1, 3.0, 20), 0.99)
NET = """
    input x [?,8]
    layer hidden Dense [?,64] <- x tanh gradient
    variable hidden/kernel [8,64] gradient update
    variable hidden/bias [64] gradient update
    layer output Dense [?,3] <- hidden softmax gradient
    variable output/kernel [64,3] gradient update
    variable output/bias [3] gradient update
    loss loss [] <- output
"""


def rms(value, elements=320):
    return np.asarray(value) * np.sqrt(elements)


def net(hidden_bias=0.0, output_bias=0.0, text=NET, trains=True):
    """A network whose biases begin as one number, or as ``(rms, std)``."""
    history = History(text, STEPS)
    history.trains = trains
    for name, bias in (("hidden", hidden_bias), ("output", output_bias)):
        size, std = bias if isinstance(bias, tuple) else (bias, 0.0)
        history.set(f"{name}/bias", elements=64, l2_norm=rms(size, 64), std=std)
    return history.set("x", l2_norm=rms(1.0), std=1.0, batch_std=1.0, min=-3.0, max=3.0, zero_fraction=0.0)


@pytest.mark.parametrize(
    ("rule", "node", "statistics"),
    [
        (SaturatedActivation(), "output", {"saturated_fraction": 0.97}),
        (SaturatedActivation(), "hidden", {"saturated_fraction": 0.97}),
        (ExplodingActivation(), "output", {"l2_norm": rms(20_000.0), "max": 3e4}),
        (UnnormalizedInput(), "x", {"l2_norm": rms(80.0), "min": 0.0, "max": 255.0, "zero_fraction": 0.1}),
        (PoorInitialization(), "hidden/kernel", {"elements": 512, "l2_norm": rms(5.0, 512), "std": 5.0}),
    ],
)
def test_weights_that_were_trained_before_are_what_training_made_of_them(rule, node, statistics):
    trained = (0.3, 0.2)
    assert [f.node for f in net().set(node, **statistics).find(rule)] == [node]
    assert net(trained, trained).set(node, **statistics).find(rule) == []
    assert net(trains=False).set(node, **statistics).find(rule) == []


def test_weights_that_were_trained_before_may_explode_later():
    grown = net((0.3, 0.2), (0.3, 0.2)).set("output", l2_norm=rms(np.geomspace(20.0, 2e6, 20)), max=1.0)
    assert [f.node for f in grown.find(ExplodingActivation())] == ["output"]


def test_biases_that_are_drawn_at_random_were_not_trained():
    text = NET.replace("loss loss [] <- output", "layer more Dense [?,3] <- output; variable more/bias [3]; loss loss [] <- more")
    wide = {"elements": 192, "l2_norm": rms(5.0, 192), "std": 5.0}
    history = net(hidden_bias=0.0, output_bias=(0.3, 0.2), text=text).set("more/bias", elements=3, l2_norm=0.0, std=0.0)
    assert [f.node for f in history.set("output/kernel", **wide).find(PoorInitialization())] == ["output/kernel"]
    base = net((0.3, 0.2), (0.3, 0.2), text.replace("[3]; loss", "[3]; layer last Dense [?,3] <- more; variable last/bias [3]; loss"))
    for fresh in ("more/bias", "last/bias"):
        base.set(fresh, elements=3, l2_norm=0.0, std=0.0)
    assert base.set("output/kernel", **wide).find(PoorInitialization()) == []


def test_a_new_head_on_trained_layers_is_judged_for_itself():
    history = net(hidden_bias=(0.3, 0.2)).set("hidden/kernel", elements=512, l2_norm=rms(5.0, 512), std=5.0)
    history.set("output/kernel", elements=192, l2_norm=rms(5.0, 192), std=5.0)
    assert [f.node for f in history.find(PoorInitialization())] == ["output/kernel"]


def test_a_bias_for_a_rare_class_makes_a_confident_output():
    assert [f.node for f in net().set("output", saturated_fraction=0.97).find(SaturatedActivation())] == ["output"]
    for loss, told in ((0.02, []), (3.0, ["output"])):
        history = net(output_bias=6.0).set("output", saturated_fraction=0.97).set("loss", elements=1, mean=loss)
        assert [f.node for f in history.find(SaturatedActivation())] == told
    assert [f.node for f in net(hidden_bias=9.0).set("hidden", saturated_fraction=1.0).find(SaturatedActivation())] == ["hidden"]


def test_a_bias_at_the_mean_of_large_targets_explains_large_outputs():
    history = net(output_bias=20_000.0)
    history.set("output", l2_norm=rms(20_000.0), max=21_000.0, batch_std=np.geomspace(0.5, 900.0, 20)).set("hidden", l2_norm=rms(1.0), batch_std=0.5)
    history.set("loss", elements=1, mean=9e6)
    history.set("output/kernel", elements=192, l2_norm=8.0).set("output/kernel", "gradient", l2_norm=5e4)
    for rule in (ExplodingActivation(), CollapsedOutput(), ExplodingGradient()):
        assert history.find(rule) == [], rule.name
    alike = history.set("output", l2_norm=rms(20_000.0), max=21_000.0, batch_std=np.where(np.arange(20) < 5, 0.5, 0.0))
    assert [f.node for f in alike.find(CollapsedOutput())] == ["output"]


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (["layer back Rescaling [?,1] <- output"], False),
        (["op product Multiply [?,1] <- output", "op back Add [?,1] <- product"], False),
        (["op back Multiply [?,1] <- output"], True),
        (["layer back Amplify [?,1] <- output"], True),
        (
            [
                "layer large Rescaling [?,1] <- output",
                "layer more Dense [?,1] <- large",
                "variable more/kernel [1,1]",
                "layer back Identity [?,1] <- more",
            ],
            True,
        ),
    ],
    ids=["a layer", "operations", "a factor alone", "any layer", "in the middle"],
)
@pytest.mark.parametrize(("size", "loss", "gradient"), [(200_000.0, 1e10, 5e9), (90.0, 60.0, 45.0)], ids=["houses", "small"])
def test_what_a_model_scales_back_at_the_end_has_the_size_of_its_targets(ways, told, size, loss, gradient):
    text = f"input x [?,8]; layer output Dense [?,1] <- x gradient; variable output/kernel [8,1] gradient; {'; '.join(ways)}; loss loss [] <- back"
    history = History(text, STEPS).set("x", l2_norm=rms(1.0)).set("output", l2_norm=rms(1.0)).set("loss", elements=1, mean=loss)
    for way in ways:
        if "variable" not in way:
            history.set(way.split()[1], l2_norm=rms(size), max=1.5 * size)
    history.set("output/kernel", elements=8, l2_norm=1.0).set("output/kernel", "gradient", elements=8, l2_norm=gradient)
    assert bool(history.find(ExplodingGradient())) == told
    assert bool(history.find(ExplodingActivation())) == (told and size > 1_000)


def test_a_gate_may_begin_shut():
    text = "input x [?,8]; layer gate Dense [?,8] <- x sigmoid; layer after {} [?,8] <- gate; layer out Dense [?,8] <- after"
    text += "; variable out/kernel [8,8]; loss loss [] <- out"
    for consumer, told in (("Multiply", []), ("Dense", ["gate"])):
        assert [f.node for f in History(text.format(consumer), STEPS).set("gate", saturated_fraction=1.0).find(SaturatedActivation())] == told


def test_masked_scores_make_a_confident_softmax():
    text = """
        input x [?,8]
        layer scores Dense [?,8] <- x
        layer seen Softmax [?,8] <- scores softmax
        layer out Dense [?,8] <- seen
        variable out/kernel [8,8]
        loss loss [] <- out
    """
    for lowest, told in ((-60.0, ["seen"]), (-1e9, [])):
        assert [
            f.node for f in History(text, STEPS).set("scores", min=lowest).set("seen", saturated_fraction=0.9).find(SaturatedActivation())
        ] == told


def test_pictures_that_go_to_their_judge_may_be_black_and_white():
    text = """
        input z [?,8]
        layer g/picture Dense [?,64] <- z tanh
        layer {}/judge Dense [?,8] <- g/picture
        variable {}/judge/kernel [64,8]
        loss loss [] <- {}/judge
        loss other [] <- {}/judge
    """
    for model, told in (("d", []), ("g", ["g/picture"])):
        history = History(text.format(*[model] * 4), STEPS).set("g/picture", saturated_fraction=HARDENING)
        assert [f.node for f in history.find(SaturatedActivation())] == told


def test_a_loss_that_is_no_measure_blames_no_saturation_that_came_later():
    for loss, told in ((1.0, ["hidden"]), (-1.0, [])):
        history = net().set("hidden", saturated_fraction=HARDENING).set("loss", elements=1, mean=loss)
        assert [f.node for f in history.find(SaturatedActivation())] == told


def test_a_mask_that_is_a_product_is_no_explosion():
    text = "input x [?,8]; layer one Dense [?,8] <- x; variable one/kernel [8,8]; layer mask Multiply [?,8] <- x; loss loss [] <- one mask"
    history = History(text, STEPS).set("x", l2_norm=rms(1.0)).set("mask", l2_norm=rms(1e8), max=0.0, min=-1e9)
    assert history.find(ExplodingActivation()) == []
    assert [f.node for f in history.set("one", l2_norm=rms(1e8), max=-1.0).find(ExplodingActivation())] == ["one"]


def test_a_mask_that_a_layer_keeps_is_infinite():
    frozen = {"layer__mask": {"trainable": False}}
    text = "input x [?,8]; layer layer Own [?,8] <- x gradient; variable layer/mask [8,8]; variable layer/w [8,8] gradient; loss loss [] <- layer"
    history = History(text, range(10), **frozen)
    for name in history.facts.names:
        history.set(name, min=-1.0, max=1.0)
    history.set("layer/mask", neg_inf_count=28)
    assert history.find(Nonfinite()) == []
    bad = np.where(np.arange(10) > 5, 3, 0)
    found = history.set("layer", nan_count=bad).set("loss", nan_count=bad).find(Nonfinite())
    assert [(f.node, f.statistic) for f in found] == [("layer", "nan_count")]
    weights = History(text, range(10)).set("layer/mask", neg_inf_count=28)
    assert [(f.node, f.statistic) for f in weights.find(Nonfinite())] == [("layer/mask", "neg_inf_count")]


def test_a_logarithm_of_0_is_minus_infinity():
    history = History("input x [?,8]; layer log Log [?,8] <- x gradient; loss loss [] <- log", range(10))
    history.set("x").set("log", neg_inf_count=4).set("loss", elements=1, neg_inf_count=1)
    assert [(f.node, f.statistic) for f in history.find(Nonfinite())] == [("log", "neg_inf_count")]


def test_zeros_that_a_layer_of_a_user_gives_beside_its_output_are_no_dead_units():
    """The second output is a bias that the layer doesn't need. A ReLU there was positive at first."""
    text = "input x [?,8]; input y [?,8]; layer own Own [?,8] <- x; layer own:1 Own [?,8] <- y; loss loss [] <- own, own:1"
    several = {f"own{key}": {"trainable": True, "attributes": {"output": str(index)}} for index, key in enumerate(["", ":1"])}
    history = History(text, STEPS, **several).set("own", zero_unit_fraction=0.0, zero_fraction=0.0, min=-1.0, max=1.0)
    zeros = {"zero_unit_fraction": 1.0, "zero_fraction": 1.0, "min": 0.0, "max": 0.0}
    assert history.set("own:1", **zeros).find(DeadUnits()) == []
    died = [0.0] + [1.0] * (len(STEPS) - 1)
    history.set("own:1", **zeros | {"zero_unit_fraction": died, "zero_fraction": died, "max": [1.0] + [0.0] * (len(STEPS) - 1)})
    assert [f.node for f in history.find(DeadUnits())] == ["own:1"]


def test_a_mask_that_a_layer_of_a_user_adds_explodes_nothing():
    """Scores of attention, most of which are −1e9, beside the output; numbers as large that are positive are told."""
    text = "input x [?,8]; layer own Attend [?,8] <- x; variable own/kernel [8,8]; layer own:1 Attend [?,4,4] <- x; loss loss [] <- own, own:1"
    history = History(text, STEPS).set("x", l2_norm=np.sqrt(320)).set("own", l2_norm=np.sqrt(320), min=-3, max=3)
    assert history.set("own:1", l2_norm=7e8 * np.sqrt(320), min=-1e9, max=0.3).find(ExplodingActivation()) == []
    assert [f.node for f in history.set("own:1", max=1e9).find(ExplodingActivation())] == ["own:1"]


def test_a_branch_that_begins_as_nothing_is_not_dead_at_once():
    text = "input x [?,8]; layer branch Own [?,8] <- x; loss loss [] <- branch"
    branch = {"branch": {"trainable": True}}
    nothing = History(text, STEPS, **branch).set("branch", zero_unit_fraction=[1.0] + [0.0] * 19, zero_fraction=[1.0] + [0.0] * 19, min=0.0)
    assert nothing.find(DeadUnits()) == []
    assert [f.node for f in nothing.set("branch", zero_unit_fraction=1.0, zero_fraction=1.0, min=0.0).find(DeadUnits())] == ["branch"]


def test_states_of_0_are_where_a_recurrent_layer_begins():
    text = "input x [?,9,8]; input state [?,8]; layer r {} [?,8] <- x state; variable r/kernel [8,8]; loss loss [] <- r"
    for consumer, told in (("GRU", []), ("Dense", [("state", "note")])):
        history = History(text.format(consumer), STEPS).set("x", l2_norm=rms(1.0), std=1.0, batch_std=1.0)
        history.set("state", l2_norm=0.0, std=0.0, batch_std=0.0, mean=0.0)
        assert [(f.node, f.severity) for f in history.find(ConstantInput())] == told


def test_a_sequence_of_0_is_no_state():
    text = "input x [?,9,8]; input state [?,8]; layer r GRU [?,8] <- {}; variable r/kernel [8,8]; loss loss [] <- r"
    for inputs, told in (("x", ["x"]), ("x state", ["x"])):
        history = History(text.format(inputs), STEPS).set("state", l2_norm=rms(1.0), std=1.0, batch_std=1.0)
        history.set("x", l2_norm=0.0, std=0.0, batch_std=0.0, mean=0.0)
        assert [f.node for f in history.find(ConstantInput())] == told


def test_a_sparse_input_of_ones_tells_by_where_they_stand():
    text = "input x [?,8]; layer d Dense [?,3] <- x; variable d/kernel [8,3]; loss loss [] <- d"
    for attributes, told in (({}, ["x"]), ({"layout": "sparse"}, [])):
        history = History(text, STEPS, x={"attributes": attributes}).set("x", l2_norm=rms(1.0), std=0.0, mean=1.0, min=1.0, max=1.0)
        assert [f.node for f in history.find(ConstantInput())] == told


def test_distances_beside_the_states_of_a_users_layer_are_not_multiplied_by_weights():
    text = "input x [?,9,8]; input far [?,9,9]; layer own Own [?,9,8] <- x far; variable own/w [8,8]; loss loss [] <- own"
    numbers = {"l2_norm": rms(50.0), "min": 0.0, "max": 90.0, "zero_fraction": 0.1, "std": 9.0}
    assert History(text, STEPS).set("far", **numbers).find(UnnormalizedInput()) == []
    assert [f.node for f in History(text, STEPS).set("x", **numbers).find(UnnormalizedInput())] == ["x"]


def heads(output=1.0, first=0.1, bias=None, gradient=0.1):
    """Two layers; kernels and gradients by their root mean square times the square root of the fan-in, and by their norms."""
    history = net().set("hidden/kernel", elements=512, l2_norm=8.0).set("output/kernel", elements=192, l2_norm=rms(output / 8, 192))
    history.set("hidden/kernel", "gradient", l2_norm=first).set("output/kernel", "gradient", l2_norm=gradient)
    return history if bias is None else history.set("hidden/bias", "gradient", l2_norm=bias).set("output/bias", "gradient", l2_norm=gradient)


def test_a_head_of_zeros_holds_gradients_back_until_it_has_grown():
    assert [f.node for f in heads(output=1.0, first=1e-6).find(VanishingGradient())] == ["hidden"]
    assert heads(output=0.0, first=1e-9).find(VanishingGradient()) == []
    assert heads(output=0.01, first=1e-5).find(VanishingGradient()) == []


def test_a_head_of_zeros_has_a_gradient_far_beyond_its_weights():
    assert heads(output=1e-6, gradient=1.0).find(ExplodingGradient()) == []
    assert [f.node for f in heads(output=1e-6, gradient=1e6).find(ExplodingGradient())] == ["output"]


def test_where_small_numbers_come_in_the_bias_gets_the_gradient():
    assert heads(first=1e-6, bias=0.05).find(VanishingGradient()) == []
    assert [f.node for f in heads(first=1e-6, bias=1e-6).find(VanishingGradient())] == ["hidden"]


def test_branches_that_begin_near_0_let_the_gradient_pass_beside_them():
    text = """
        input ids [?,9] int32
        layer table Embedding [?,9,8] <- ids gradient
        variable table/embeddings [50,8] gradient update
        layer branch Dense [?,9,8] <- table gradient
        variable branch/kernel [8,8] gradient update
        layer sum Add [?,9,8] <- table branch gradient
        layer out Dense [?,9,50] <- sum gradient
        variable out/kernel [8,50] gradient update
        loss loss [] <- out
    """
    for table, told in ((0.5, []), (1e-6, ["branch"])):
        history = History(text, STEPS).set("out/kernel", elements=400, l2_norm=7.0).set("branch/kernel", elements=64, l2_norm=3.0)
        history.set("out/kernel", "gradient", l2_norm=1.0).set("branch/kernel", "gradient", l2_norm=1e-6)
        assert [f.node for f in history.set("table/embeddings", "gradient", l2_norm=table).find(VanishingGradient())] == told


def test_a_normalization_takes_the_scale_of_wide_weights_away():
    text = "input x [?,8]; layer wide Dense [?,8] <- x; variable wide/kernel [8,8]; layer after {} [?,8] <- wide; loss loss [] <- after"
    for after, told in (("BatchNormalization", []), ("ReLU", ["wide/kernel"])):
        history = History(text.format(after), STEPS).set("wide/kernel", elements=64, l2_norm=rms(5.0, 64), std=5.0)
        assert [f.node for f in history.find(PoorInitialization())] == told


@pytest.mark.parametrize(
    ("kind", "made", "highest", "told"),
    [("Equalized", 1.4, 4.0, []), ("Own", 8.0, 24.0, ["e/kernel"]), ("Own", 0.9, 1.0, ["e/kernel"]), ("Dense", 1.4, 4.0, ["e/kernel"])],
    ids=["scales its weights", "doesn't", "ends in a tanh", "of Keras"],
)
def test_large_weights_that_a_layer_of_a_users_scales_itself_are_no_trouble(kind, made, highest, told):
    """StyleGAN draws them with a standard deviation of 1, and multiplies with what an initializer would have given: 0.125 here."""
    text = f"input x [?,64]; layer e {kind} [?,64] <- x; variable e/kernel [64,64]; layer out Dense [?,3] <- e; variable out/kernel [64,3]"
    history = History(f"{text}; loss loss [] <- out", STEPS).set("x", l2_norm=np.sqrt(320)).set("e/kernel", elements=4096, l2_norm=64.0, std=1.0)
    history.set("e", l2_norm=made * np.sqrt(320), max=highest, min=-highest).set("out/kernel", elements=192, l2_norm=1.7, std=0.125)
    assert [f.node for f in history.find(PoorInitialization())] == told
    several = History(f"{text}; variable e/key [64,64]; loss loss [] <- out", STEPS)
    several.set("x", l2_norm=np.sqrt(320)).set("e/kernel", elements=4096, l2_norm=64.0, std=1.0)
    several.set("e", l2_norm=made * np.sqrt(320), max=highest, min=-highest).set("out/kernel", elements=192, l2_norm=1.7, std=0.125)
    several.set("e/key", elements=4096, l2_norm=64.0, std=1.0)
    assert "e/kernel" in [f.node for f in several.find(PoorInitialization())]


@pytest.mark.parametrize(("behind", "told"), [(1.0, []), (1e-6, ["block/out/kernel"])], ids=["added inside", "all there is"])
def test_a_layer_of_a_users_may_add_what_next_to_no_weights_make(behind, told):
    """The attention blocks of the DDPM example: `return inputs + self.proj(x)`, whose weights begin at 1e-6; something that scales comes next."""
    text = "input x [?,8]; layer block/norm LayerNormalization [?,8] <- x; layer block/out Dense [?,8] <- block/norm; variable block/out/kernel [8,8]"
    text += "; layer block Own [?,8] <- block/norm block/out; layer up UpSampling1D [?,8] <- block"
    text += "; layer e Dense [?,3] <- up; variable e/kernel [8,3]"
    history = History(f"{text}; loss loss [] <- e", STEPS).set("block/out/kernel", elements=64, l2_norm=8e-6, std=1e-6)
    history.set("block/out", l2_norm=2e-5, batch_std=1e-6).set("block", l2_norm=18.0, batch_std=behind).set("up", l2_norm=18.0, batch_std=behind)
    assert [f.node for f in history.find(PoorInitialization())] == told


def test_what_an_adapter_of_a_users_layer_hands_out_is_added():
    text = """
        input x [?,8]
        layer own/up Dense [?,8] <- x
        variable own/up/kernel [8,8]
        layer own Own [?,8] <- own/up
        layer sum {} [?,8] <- x own
        layer out Dense [?,3] <- sum
        variable out/kernel [8,3]
        loss loss [] <- out
    """
    for after, told in (("Add", []), ("Concatenate", ["own/up/kernel"])):
        history = History(text.format(after), STEPS).set("own/up/kernel", elements=64, l2_norm=0.0, std=0.0)
        assert [f.node for f in history.find(PoorInitialization())] == told


def test_weights_without_a_name_are_kernels_where_they_have_a_row_for_each_number_that_comes_in():
    text = "input x [?,8]; layer own Linear [?,16] <- x; variable own/variable [8,16]; variable own/{} [{}]; loss loss [] <- own"
    for name, shape, kernels in (("variable_1", "16", 1), ("positions", "8,16", 1), ("variable_1", "9,16", 1), ("query", "8,4", 2)):
        assert len(History(text.format(name, shape), STEPS).facts.kernels) == kernels


NO_STEP = {"quantities": {"value": QuantityState("materialized"), "update": QuantityState("unreachable", "no_optimizer_step")}}


@pytest.mark.parametrize(("judge", "told"), [("judge/dense", []), ("dense", [("dense/kernel", "warning")])])
def test_a_judge_behind_all_that_learns_needs_no_optimizer(judge, told):
    """A last layer that was forgotten does."""
    text = f"""
        input z [?,8]
        layer generator Dense [?,8] <- z gradient
        variable generator/kernel [8,8] gradient update
        layer {judge} Dense [?,3] <- generator gradient
        variable {judge}/kernel [8,3] gradient
        loss loss [] <- {judge}
    """
    history = History(text, STEPS, **{f"{judge}/kernel".replace("/", "__"): NO_STEP}).set(f"{judge}/kernel", l2_norm=1.0, mean=0.1, min=-1, max=1)
    found = history.find(UnchangedWeights())
    assert [(f.node, f.severity) for f in found] == told
    assert all("If that is on purpose" in f.remedy for f in found)


@pytest.mark.parametrize(
    ("differ", "reads", "told"), [(0.0, "base", [("base/kernel", "warning")]), (0.5, "base", []), (0.0, "x", [])], ids=["new", "trained", "aside"]
)
def test_layers_that_no_gradient_is_taken_for_were_trained_before_or_are_read_by_nothing_that_learns(differ, reads, told):
    """Where the optimizer gets the head only, nothing asks for the gradient before it."""
    text = f"""
        input x [?,8]
        layer base Dense [?,8] <- x gradient=nothing_trained
        variable base/kernel [8,8]
        variable base/bias [8]
        layer head Dense [?,3] <- {reads} gradient
        variable head/kernel [8,3] gradient update
        loss loss [] <- head base
    """
    history = History(text, STEPS, base__kernel=NO_STEP, base__bias=NO_STEP).set("base/kernel", l2_norm=1.0, mean=0.1, min=-1, max=1)
    history.set("base/bias", elements=8, l2_norm=1.0, std=differ, mean=0.1, min=-0.4, max=0.7)
    assert [(f.node, f.severity) for f in history.find(UnchangedWeights())] == told


@pytest.mark.parametrize(("differ", "told"), [(0.5, []), (0.0, ["judge/d/kernel"])])
def test_a_judge_that_was_never_trained_needs_an_optimizer(differ, told):
    """It is called on what is real, and on what a generator made. Biases that differ were trained before."""
    text = """
        input x [?,8]
        layer made Dense [?,8] <- x gradient
        variable made/kernel [8,8] gradient update
        layer judge/d Dense [?,3] <- x
        variable judge/d/kernel [8,3] gradient
        variable judge/d/bias [3] gradient
        layer judge/d@2 Dense [?,3] <- made gradient
        loss loss [] <- judge/d judge/d@2
    """
    history = History(text, STEPS, judge__d__kernel=NO_STEP).set("judge/d/kernel", l2_norm=1.0, mean=0.1, min=-1, max=1)
    history.set("judge/d/bias", elements=3, l2_norm=1.0, std=differ, mean=0.1, min=-0.4, max=0.7)
    assert [f.node for f in history.find(UnchangedWeights())] == told


def test_an_output_without_a_loss_may_be_left_over():
    text = "input x [?,8]; layer pooler Dense [?,8] <- x; variable pooler/kernel [8,8]; layer out Dense [?,8] <- x; loss loss [] <- out{}"
    for more, severity in (("", "warning"), (" pooler", "error")):
        history = History(text.format(more), STEPS, pooler__kernel=without_gradient("not_on_loss_path")).set("pooler/kernel")
        found = history.find(MissingGradient())
        assert [(f.node, f.severity) for f in found] == [("pooler/kernel", severity)]
        assert ("If that is on purpose, set `trainable = False`" in found[0].remedy) == (severity == "warning")


def losses(values):
    return History("input x [?,8]; loss loss [] <- x", range(0, 2 * len(values), 2)).set("loss", elements=1, mean=np.asarray(values, float))


def test_a_loss_that_begins_near_0_has_met_nothing_yet():
    random = np.random.default_rng(0)
    reward = np.concatenate([np.full(3, 1e-7), 0.02 * random.random(40)])
    for values in (reward, np.concatenate([np.zeros(3), 0.02 * random.random(40)])):
        assert losses(values).find(ExplodingLoss()) == losses(values).find(OscillatingLoss()) == []
    found = losses([0.0, 0.0, *np.geomspace(1, 1e6, 20)]).find(ExplodingLoss())
    assert "and was 0 at first" in found[0].sentence


def test_rare_examples_make_peaks_and_no_oscillation():
    peaks, swings = np.where(np.arange(60) % 5 == 4, 0.3, 0.02), np.where(np.arange(60) % 2, 0.3, 0.08)
    peaks[0] = swings[0] = 0.1
    assert losses(peaks).find(OscillatingLoss()) == []
    assert losses(swings).find(OscillatingLoss()) != []
    swings[0] = 0.001
    assert losses(swings).find(OscillatingLoss()) == []


@pytest.mark.parametrize(("count", "told"), [(4, []), (2, ["e0/kernel"])])
def test_of_several_experts_one_may_never_be_asked(count, told):
    experts = "".join(f"layer e{i} Dense [?,8] <- x gradient; variable e{i}/kernel [8,8] gradient update;" for i in range(count))
    names = " ".join(f"e{i}" for i in range(count))
    history = History(f"input x [?,8]; {experts} op stack Stack [?,8] <- {names}; loss loss [] <- stack", STEPS)
    for index in range(count):
        moving = np.arange(20) * 0.01 * (index > 0)
        history.set(f"e{index}/kernel", elements=64, l2_norm=3.0 + moving, mean=moving, min=-1.0, max=1.0)
        for quantity in ("gradient", "update"):
            history.set(f"e{index}/kernel", quantity, elements=64, l2_norm=0.1 * (index > 0))
    assert [f.node for f in history.find(UnchangedWeights())] == told


def test_a_float16_gradient_that_is_0_at_the_output_was_lost():
    half = {"output": {"dtype": "float16"}}
    for loss, told in ((2.0, ["output"]), (0.0, [])):
        history = History(NET, STEPS, **half).set("output", "gradient", subnormal_fraction=0.0, zero_fraction=1.0).set("loss", elements=1, mean=loss)
        assert [f.node for f in history.find(HalfUnderflow())] == told


@pytest.mark.parametrize(("head", "passed", "told"), [(1.0, 1e-7, ["hidden"]), (0.0, 1e-7, []), (1.0, 0.0, [])])
def test_a_float16_gradient_that_is_0_before_a_head_in_float32_was_lost(head, passed, told):
    """A head of zeros hands nothing back, and one that gets nothing can't."""
    history = History(NET, STEPS, hidden={"dtype": "float16"}).set("hidden", "gradient", subnormal_fraction=0.0, zero_fraction=1.0)
    history.set("output/kernel", l2_norm=head).set("output/kernel", "gradient", l2_norm=passed).set("loss", elements=1, mean=2.0)
    assert [f.node for f in history.find(HalfUnderflow())] == told


def test_what_another_finding_stood_for_is_told_when_that_is_over():
    text = ";".join(f"layer d{i} Dense [?,8] <- {f'd{i - 1}' if i else 'x'} gradient; variable d{i}/kernel [8,8] gradient update" for i in range(3))
    history = History("input x [?,8];" + text + "; loss loss [] <- d2", range(0, 400, 10))
    at = np.arange(40)
    for index, exploding in enumerate((at < 0, at >= 8, (at >= 5) & (at < 15))):
        history.set(f"d{index}/kernel", elements=64, l2_norm=3.0).set(f"d{index}/kernel", "gradient", l2_norm=np.where(exploding, 1e5, 0.1))
    assert [(f.node, f.first_step, f.last_step) for f in history.find(ExplodingGradient())] == [("d2", 50, 140), ("d1", 80, None)]
