"""Validation, `evaluate`, `predict`, the fixed batch, saving, and what a run directory looks like."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

import tb_activations as tba

from .conftest import LEAN

pytestmark = pytest.mark.slow
L = keras.layers
VALUES = {"histograms": False, "samples": "full", "quantities": ["value"]}


def hidden(model, x):
    return model.get_layer("hidden")(x).numpy()


def test_validation_goes_to_a_run_of_its_own(make_tiny, data, tmp_path):
    model = make_tiny()
    callback = tba.ActivationsCallback(tmp_path, every=5, **VALUES)
    model.fit(*data, batch_size=4, epochs=2, verbose=0, validation_data=data, callbacks=[callback])
    run = tba.open_run(tmp_path / "validation")
    assert run.steps().tolist() == [6, 12]
    np.testing.assert_allclose(run.value("hidden", 12), hidden(model, data[0][:4]), rtol=1e-5, atol=1e-6)
    assert len(run.value("loss", 12).shape) == 0
    assert {node.quantities["gradient"].reason for node in run.nodes} == {"inference_only"}


def test_validation_is_numbered_by_the_steps_before_it_also_where_the_last_execution_made_fewer(make_tiny, data, lean, steps):
    model = make_tiny(steps_per_execution=4)
    model.fit(*data, batch_size=4, epochs=2, verbose=0, validation_data=data, callbacks=[lean(validation=True)])
    assert (steps(), steps("validation")) == ([*range(12)], [6, 12])


def test_evaluation_with_several_steps_per_execution_sees_all_the_data(make_tiny, data, tmp_path):
    model = make_tiny(steps_per_execution=4)
    loss = model.evaluate(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, **VALUES)])
    np.testing.assert_allclose(loss, model.evaluate(*data, batch_size=4, verbose=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(tba.open_run(tmp_path / "validation").value("hidden", 0), hidden(model, data[0][:4]), rtol=1e-5, atol=1e-6)


def test_a_model_that_was_loaded_is_evaluated_at_the_step_that_it_was_trained_to(make_tiny, data, tmp_path):
    model = make_tiny()
    recorded = tba.ActivationsCallback(tmp_path / "logs", every=5, **VALUES)
    model.fit(*data, batch_size=4, epochs=2, verbose=0, validation_data=data, callbacks=[recorded])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.evaluate(*data, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path / "logs", **VALUES)])
    assert tba.open_run(tmp_path / "logs" / "validation").steps().tolist() == [6, 12]


def test_a_model_in_whose_place_another_is_shown_is_told_of(make_tiny, data, tmp_path, recwarn):
    make_tiny().fit(*data, batch_size=4, epochs=2, verbose=0, validation_data=data, callbacks=[tba.ActivationsCallback(tmp_path, every=5, **VALUES)])
    assert not [str(warning.message) for warning in recwarn if "tb_activations" in str(warning.message)]
    with pytest.warns(RuntimeWarning, match="validation holds captures of later steps than 0, where this model stands, and they are shown no more"):
        make_tiny().evaluate(*data, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, **VALUES)])


def test_a_program_that_changes_its_directory_goes_on_with_the_same_run(make_tiny, data, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    move = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: monkeypatch.chdir(tmp_path / "other"))
    make_tiny().fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback("logs", every=1, **VALUES), move])
    assert tba.open_run(tmp_path / "logs").steps().tolist() == [*range(12)]
    assert not [*(tmp_path / "other").iterdir()]


def test_validation_can_be_left_out(make_tiny, data, tmp_path):
    make_tiny().fit(*data, verbose=0, validation_data=data, callbacks=[tba.ActivationsCallback(tmp_path, **{**LEAN, "validation": False})])
    assert not (tmp_path / "validation").exists()


def test_evaluate_and_predict(make_tiny, data, tmp_path):
    model, callback = make_tiny(), tba.ActivationsCallback(tmp_path, **VALUES)
    model.evaluate(*data, batch_size=8, verbose=0, callbacks=[callback])
    predicted = model.predict(data[0], batch_size=8, verbose=0, callbacks=[callback])
    np.testing.assert_array_equal(predicted, model.predict(data[0], batch_size=8, verbose=0))
    for run in ("validation", "predict"):
        np.testing.assert_allclose(tba.open_run(tmp_path / run).value("hidden", 0), hidden(model, data[0][:8]), rtol=1e-5, atol=1e-6)


def test_predict_with_several_steps_per_execution(make_tiny, data, tmp_path):
    model = make_tiny(steps_per_execution=2)
    predicted = model.predict(data[0], batch_size=5, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, **VALUES)])
    np.testing.assert_allclose(predicted, model.predict(data[0], batch_size=5, verbose=0), rtol=1e-6, atol=1e-6)
    assert tba.open_run(tmp_path / "predict").value("hidden", 0).shape == (5, 4)


def test_the_plain_function_is_traced_for_no_part_of_an_execution_of_predict(make_tiny, data, tmp_path):
    model, traced = make_tiny(steps_per_execution=3), []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, **VALUES)]):
        model.predict(data[0], batch_size=5, verbose=0, callbacks=callbacks)
        traced.append(model.predict_function.experimental_get_tracing_count())
    assert traced[0] == traced[1] > 0


def test_the_fixed_batch_is_seen_with_the_weights_before_the_step(make_tiny, data, tmp_path):
    model, fixed = make_tiny(), data[0][:3]
    before = hidden(model, fixed)
    model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=6, probe_data=fixed, **VALUES)])
    run = tba.open_run(tmp_path / "probe")
    assert run.steps().tolist() == [0, 6]
    np.testing.assert_allclose(run.value("hidden", 0), before, rtol=1e-5, atol=1e-6)
    assert not np.allclose(run.value("hidden", 6), before)


def test_the_fixed_batch_moves_no_state(tmp_path, data):
    """A layer that draws noise in inference too would move its seed."""

    class Noise(L.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = keras.random.SeedGenerator(1)

        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)

    ends = []
    for options in ({}, {"probe_data": data[0][:3]}):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([L.Input((3,)), Noise(), L.BatchNormalization(), L.Dense(1)])
        model.compile("sgd", "mse", jit_compile=False)
        model.fit(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path / str(len(ends)), every=2, **LEAN, **options)])
        ends.append([variable.numpy() for variable in model.variables])
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.filterwarnings("ignore:`build..` was called on layer")
def test_the_fixed_batch_of_a_model_that_is_not_built_yet(data, tmp_path):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = L.Dense(1, name="out")

        def call(self, x):
            return self.out(x)

    model = Late()
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=3, probe_data=data[0][:2], **VALUES)])
    assert tba.open_run(tmp_path / "probe").steps().tolist() == [1, 3]


def test_a_model_can_be_saved_while_it_is_recorded_and_after(make_tiny, data, lean, tmp_path):
    class Save(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.save(tmp_path / "during.keras")

        on_train_batch_end = on_train_batch_begin

    model = make_tiny()
    model.fit(*data, batch_size=8, verbose=0, callbacks=[lean(1), Save()])
    model.save(tmp_path / "after.keras")
    for name in ("during", "after"):
        again = keras.models.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    assert not {"train_step", "test_step", "predict_step", "compute_loss", "call"} & set(vars(model))


def test_half_precision_gradients_are_unscaled(make_tiny, data, tmp_path):
    ends = {}
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = make_tiny(optimizer=keras.optimizers.SGD(0.0))
        finally:
            keras.config.set_dtype_policy("float32")
        callback = tba.ActivationsCallback(tmp_path / policy, every=1, samples="full", validation=False)
        model.fit(*data, batch_size=24, shuffle=False, verbose=0, callbacks=[callback])
        ends[policy] = tba.open_run(tmp_path / policy / "train")
    assert ends["mixed_float16"].captures().loss_scale.tolist() == [2.0**15]
    assert np.isnan(ends["mixed_bfloat16"].captures().loss_scale).all()
    for policy in ("mixed_float16", "mixed_bfloat16"):
        nodes = {node.name: node for node in ends[policy].nodes}
        assert nodes["hidden"].dtype == policy.removeprefix("mixed_")
        assert nodes["hidden/kernel"].dtype == "float32"
        for name in ("hidden", "out/kernel", "out"):
            expected, got = (run.value(name, 0, "gradient") for run in (ends["float32"], ends[policy]))
            np.testing.assert_allclose(got.astype("float32"), expected, rtol=0.05, atol=3e-3)
            mean = ends[policy].statistics(name, "gradient")["l2_norm"]
            np.testing.assert_allclose(mean, ends["float32"].statistics(name, "gradient")["l2_norm"], rtol=0.03)
        np.testing.assert_allclose(ends[policy].value("loss", 0), ends["float32"].value("loss", 0), rtol=0.02)


def test_a_step_that_overflowed_is_told_apart(make_tiny, data, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make_tiny(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**30))
    finally:
        keras.config.set_dtype_policy("float32")
    model.fit(*data, batch_size=24, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, validation=False)])
    run = tba.open_run(tmp_path / "train")
    counts = run.statistics("hidden/kernel", "gradient")
    assert counts["nan_count"][0] + counts["pos_inf_count"][0] + counts["neg_inf_count"][0] > 0
    assert run.statistics("hidden/kernel", "update")["l2_norm"].tolist() == [0.0]


def test_weights_gradients_and_updates_of_a_step(make_tiny, data, tmp_path):
    model = make_tiny(optimizer=keras.optimizers.SGD(0.1, clipnorm=0.01))
    before = model.get_weights()
    model.fit(*data, batch_size=24, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, samples="full", validation=False)])
    run = tba.open_run(tmp_path / "train")
    for index, name in enumerate(("hidden/kernel", "hidden/bias", "out/kernel", "out/bias")):
        np.testing.assert_array_equal(run.value(name, 0), before[index])
        np.testing.assert_allclose(run.value(name, 0, "update"), model.get_weights()[index] - before[index], rtol=1e-5, atol=1e-8)
        gradient = run.value(name, 0, "gradient")  # what the optimizer received, before it clipped
        clipped = gradient * min(1.0, 0.01 / np.linalg.norm(gradient))
        np.testing.assert_allclose(run.value(name, 0, "update"), -0.1 * clipped, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("scaled", [False, True], ids=["adam", "loss scaling around it"])
def test_what_the_optimizer_keeps_is_recorded_on_request(make_tiny, data, tmp_path, scaled):
    class Slots(keras.callbacks.Callback):
        """What is there before each step, by the optimizer's own names."""

        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_batch_begin(self, batch, logs=None):
            names = [slot.name.removeprefix("tiny_") for slot in self.model.optimizer.variables]  # loss scaling has a counter of its own
            kept = zip(names, self.model.optimizer.variables, strict=True)
            self.seen.append({name: slot.numpy() for name, slot in kept if names.count(name) == 1})

    adam = keras.optimizers.Adam(0.05)
    model, slots = make_tiny(optimizer=keras.optimizers.LossScaleOptimizer(adam) if scaled else adam), Slots()
    options = {"every": 1, "samples": "full", "validation": False, "slots": True, "print_findings": False}
    model.fit(*data, batch_size=8, shuffle=False, verbose=0, callbacks=[slots, tba.ActivationsCallback(tmp_path, **options)])
    run = tba.open_run(tmp_path / "train")
    nodes = {node.name for node in run.nodes if node.name.startswith("optimizer/")}
    assert {f"optimizer/{weight}/{slot}" for weight in ("hidden/kernel", "out/bias") for slot in ("momentum", "velocity")} < nodes
    assert {name.removeprefix("optimizer/").replace("/", "_") for name in nodes} >= set(slots.seen[2])
    for step in (1, 2):  # before the first, Keras has not made them yet
        for name, expected in slots.seen[step].items():
            (node,) = [node for node in nodes if node.removeprefix("optimizer/").replace("/", "_") == name]
            np.testing.assert_array_equal(run.value(node, step), expected)
    assert not run.value("optimizer/hidden/kernel/momentum", 0).any()
    kept = next(node for node in run.nodes if node.name == "optimizer/hidden/kernel/velocity").quantities["update"]
    assert kept.reason == "optimizer_state"


def test_what_the_optimizer_keeps_without_a_name_goes_by_its_attribute(make_tiny, data, lean, tmp_path):
    """Keras makes it trainable, and counts such variables through the process."""
    model = make_tiny(optimizer=keras.optimizers.Nadam())
    model.fit(*data, batch_size=24, verbose=0, callbacks=[lean(1, slots=True, samples="full", kinds=["variable"])])
    node = tba.open_run(tmp_path / "train").node("optimizer/u_product")
    assert {node.quantities[quantity].reason for quantity in ("gradient", "update")} == {"optimizer_state"}


def test_what_the_optimizer_keeps_under_the_bare_name_of_a_weight_goes_by_its_list(make_tiny, data, lean, tmp_path):
    model = make_tiny(optimizer=keras.optimizers.Adafactor())
    model.fit(*data, batch_size=24, verbose=0)
    optimizer, place = model.optimizer, next(i for i, weight in enumerate(model.trainable_variables) if weight is model.get_layer("hidden").kernel)
    expected = {"r": optimizer._r[place].numpy(), "c": optimizer._c[place].numpy(), "velocity": optimizer._v[place].numpy()}
    model.fit(*data, batch_size=24, verbose=0, callbacks=[lean(1, slots=True, samples="full", kinds=["variable"])])
    run = tba.open_run(tmp_path / "train")
    for name, values in expected.items():
        np.testing.assert_array_equal(run.value(f"optimizer/hidden/kernel/{name}", 0), values)
    assert len({*expected["r"].tolist()}) > 1


def test_what_the_optimizer_keeps_is_not_listed_by_default(make_tiny, data, lean, tmp_path):
    make_tiny().fit(*data, batch_size=24, verbose=0, callbacks=[lean(1)])
    assert not [node.name for node in tba.open_run(tmp_path / "train").nodes if node.name.startswith("optimizer")]


@pytest.mark.parametrize("asked", [True, False])
def test_source_text_is_kept_only_where_it_is_asked_for(make_tiny, data, tmp_path, asked):
    class Twice(L.Layer):
        def call(self, x):
            # two lines before
            y = x * 2
            return tba.probe(y, "doubled")  # this line

    model = keras.Sequential([L.Input((3,)), Twice(name="twice"), L.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data, batch_size=24, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, **LEAN, source_text=asked)])
    node = next(node for node in tba.open_run(tmp_path / "train").nodes if node.name == "twice/doubled")
    if not asked:
        assert "source_text" not in node.attributes
        return
    lines = node.attributes["source_text"].splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("# two lines before")
    assert lines[2].split() == [str(node.source.line), "return", "tba.probe(y,", '"doubled")', "#", "this", "line"]


def test_the_cost_of_a_capture_is_kept(make_tiny, data, lean, tmp_path):
    make_tiny().fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[lean(5)])
    overhead = tba.open_run(tmp_path / "train").captures().overhead
    assert np.isnan(overhead[0])  # nothing to compare the first step with
    assert (overhead[1:] >= 0).all()


_SCRIPT = """
import sys, keras, numpy as np, tb_activations as tba
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", jit_compile=False)
model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[tba.ActivationsCallback(sys.argv[1], every=1)])
assert not [name for name in sys.modules if name.split(".")[0] == "tensorboard"]
"""


def test_each_run_has_one_marker_and_tensorboard_is_not_imported(tmp_path):
    for _ in range(2):
        subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path)], check=True, capture_output=True, text=True)
    (marker,) = (tmp_path / "train").glob("*tfevents*")
    content = marker.read_bytes()
    assert b"tb_activations" in content
    assert len(content) < 500
