"""`watch`: the user's own loop, recorded: by value, without a trace on the training, and with nothing of ours in the way."""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.errors import ArgumentError

from .conftest import told_of_an_earlier_training
from .tiny import batches, make_model

L = keras.layers
pytestmark = pytest.mark.slow

MODES = {"eager": None, "graph": {}, "xla": {"jit_compile": True}}


@pytest.fixture(params=MODES)
def compiled(request):
    """Makes a step function eager, a `tf.function`, or one under XLA."""
    options = MODES[request.param]
    return (lambda function: function) if options is None else tf.function(**options)


def make_step(model, optimizer, apply="apply"):
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        if apply == "apply":
            optimizer.apply(gradients, model.trainable_variables)
        else:
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def train(compiled, count, watching=None, apply="apply"):
    model = make_model()
    optimizer = keras.optimizers.Adam(0.05)
    step = compiled(make_step(model, optimizer, apply))
    if watching is not None:
        step = tba.watch(step, model=model, **watching)
    losses = [float(step(x, y)) for x, y in batches(count)]
    if watching is not None:
        step.close()
    return model, losses


def test_values_gradients_and_updates_are_those_of_the_step(tmp_path, compiled):
    model = make_model()
    optimizer = keras.optimizers.SGD(0.1)
    with tba.watch(compiled(make_step(model, optimizer, "apply_gradients")), model=model, log_dir=tmp_path, every=1, samples="full") as step:
        expected = []
        for x, y in batches(2):
            hidden = np.tanh(x @ model.layers[0].kernel + model.layers[0].bias)
            kernel = model.layers[0].kernel.numpy()
            step(x, y)
            expected.append((hidden, kernel, model.layers[0].kernel.numpy()))
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == [0, 1]
    for index, (hidden, before, after) in enumerate(expected):
        np.testing.assert_allclose(run.value("hidden", index), hidden, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(run.value("hidden/kernel", index), before)
        np.testing.assert_allclose(run.value("hidden/kernel", index, "update"), after - before, atol=1e-7)
        np.testing.assert_allclose(run.value("hidden/kernel", index, "gradient"), (before - after) / 0.1, atol=1e-5)
        # d loss / d hidden, through the dropout, whose output is known.
        upstream = run.value("drop", index, "gradient")
        kept = run.value("drop", index) != 0
        np.testing.assert_allclose(run.value("hidden", index, "gradient"), upstream * kept / 0.7, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_loss_of_16_bits_is_recorded(tmp_path, compiled, dtype):
    model, optimizer = make_model(), keras.optimizers.SGD(0.1)

    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.cast(tf.reduce_mean((model(x) - y) ** 2), dtype)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    with tba.watch(compiled(train_step), model=model, log_dir=tmp_path, every=1) as step:
        losses = [step(x, y).numpy() for x, y in batches(2)]
    run = tba.open_run(tmp_path / "train")
    assert run.node("loss").dtype == dtype
    assert [run.value("loss", index) for index in range(2)] == losses
    np.testing.assert_array_equal(run.statistics("loss")["mean"], np.array(losses, np.float32))


def test_arrays_are_inputs_as_tensors_are(tmp_path, compiled):
    x = L.Input((3,), name="x")
    model = keras.Model(x, L.Dense(1, name="out")(x), name="tiny")
    with tba.watch(compiled(make_step(model, keras.optimizers.SGD(0.1))), model=model, log_dir=tmp_path, every=1, samples="full") as step:
        for x, y in batches(2):
            step(x.numpy(), y.numpy())
    run = tba.open_run(tmp_path / "train")
    for index, (x, _) in enumerate(batches(2)):
        np.testing.assert_array_equal(run.value("x", index), x)


@pytest.mark.parametrize(
    "make_strategy", [tf.distribute.get_strategy, lambda: tf.distribute.OneDeviceStrategy("CPU:0")], ids=["default", "one device"]
)
def test_what_a_strategy_of_one_device_runs_is_recorded_as_what_the_step_calls(tmp_path, make_strategy):
    strategy = make_strategy()

    def train(directory, through):
        with strategy.scope():
            model = make_model()
            replica_step = make_step(model, keras.optimizers.SGD(0.05))
        with tba.watch(tf.function(lambda x, y: through(replica_step, x, y)), model=model, log_dir=directory, every=1, samples="full") as step:
            losses = [float(step(x, y)) for x, y in batches(3)]
        return model.get_weights(), losses, tba.open_run(directory / "train")

    weights, losses, run = train(tmp_path / "run", lambda step, x, y: strategy.reduce("SUM", strategy.run(step, args=(x, y)), axis=None))
    expected, expected_losses, called = train(tmp_path / "called", lambda step, x, y: step(x, y))
    assert losses == expected_losses
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [(node.kind, node.class_name, node.state) for node in run.nodes] == [(node.kind, node.class_name, node.state) for node in called.nodes]
    for name, quantity in [
        ("hidden", "value"),
        ("hidden", "gradient"),
        ("hidden/kernel", "gradient"),
        ("hidden/kernel", "update"),
        ("loss", "value"),
    ]:
        np.testing.assert_array_equal(run.value(name, 2, quantity), called.value(name, 2, quantity))


def test_a_strategy_of_which_nothing_can_be_recorded_is_told(tmp_path):
    strategy = tf.distribute.experimental.CentralStorageStrategy(["CPU:0"])
    step = tba.watch(tf.function(lambda x: strategy.run(tf.negative, args=(x,))), log_dir=tmp_path, every=1)
    with pytest.warns(RuntimeWarning, match=r"Nothing is recorded of what the step runs by `CentralStorageStrategy\.run`"):
        assert float(step(tf.constant(1.0))) == -1.0
    step.close()


@pytest.mark.parametrize("apply", ["apply", "apply_gradients"])
def test_weights_and_results_are_bit_identical(tmp_path, compiled, apply):
    plain, plain_losses = train(compiled, 6, apply=apply)
    watched, losses = train(compiled, 6, {"log_dir": tmp_path, "every": 2}, apply=apply)
    assert losses == plain_losses
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0, 2, 4]


def test_without_a_model_and_by_hand(tmp_path, compiled):
    weight = tf.Variable([[1.0], [2.0], [3.0]], name="weight")

    def by_hand(x, y):
        with tf.GradientTape() as tape:
            product = tba.probe(x @ weight, "product")
            loss = tf.reduce_sum((product - y) ** 2)
        weight.assign_sub(0.01 * tape.gradient(loss, weight))
        return loss

    step = tba.watch(compiled(by_hand), log_dir=tmp_path, every=1, samples="full")
    (x, y), *_ = batches(1)
    before = weight.numpy()
    step(x, y)
    step.close()
    run = tba.open_run(tmp_path / "train")
    error = x.numpy() @ before - y.numpy()
    np.testing.assert_allclose(run.value("product", 0), x.numpy() @ before, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("product", 0, "gradient"), 2 * error, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("weight", 0, "gradient"), 2 * x.numpy().T @ error, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.value("weight", 0, "update"), weight.numpy() - before, rtol=1e-4, atol=1e-6)


def test_a_function_with_arguments_given_beforehand_is_recorded_as_it_is_alone(tmp_path, compiled):
    model = make_model()
    step = functools.partial(compiled(lambda factor, x, y, *, power: factor * tf.reduce_mean((model(x) - y) ** power)), 2.0, power=4)
    with tba.watch(step, model=model, log_dir=tmp_path, every=1) as watched:
        losses = [float(watched(x, y, power=2)) for x, y in batches(2)]
    run = tba.open_run(tmp_path / "train")
    for at, (x, _) in enumerate(batches(2)):
        np.testing.assert_allclose(run.value("hidden", at), np.asarray(model.get_layer("hidden")(x))[:4], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses, [float(2.0 * tf.reduce_mean((model(x) - y) ** 2)) for x, y in batches(2)], rtol=1e-5, atol=1e-6)


def test_an_object_whose_call_is_a_function_is_recorded_as_that_function(tmp_path):
    class Step(tf.Module):
        def __init__(self):
            self.model, self.optimizer = make_model(), keras.optimizers.Adam(0.05)

        @tf.function
        def __call__(self, x, y):
            return make_step(self.model, self.optimizer)(x, y)

    plain, watched = Step(), Step()
    expected = [float(plain(x, y)) for x, y in batches(3)]
    with tba.watch(watched, model=watched.model, log_dir=tmp_path, every=1) as step:
        assert [float(step(x, y)) for x, y in batches(3)] == expected
    for one, other in zip(plain.model.get_weights(), watched.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    run = tba.open_run(tmp_path / "train")
    assert {node.state for node in run.nodes} == {"materialized"}
    assert {"hidden", "drop", "out", "hidden/kernel", "loss"} <= {node.name for node in run.nodes}


def test_a_block_that_is_entered_again_says_that_nothing_is_recorded_any_more(tmp_path):
    model = make_model()
    watched = tba.watch(make_step(model, keras.optimizers.SGD(0.1)), model=model, log_dir=tmp_path, every=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with watched as step:
            step(*next(batches(1)))
    with pytest.warns(RuntimeWarning, match="over, and is not begun again. Watch the function anew, with `first_step=1`"), watched as step:
        step(*next(batches(1)))
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0]


def test_what_goes_wrong_is_told_though_another_thread_made_the_step(tmp_path):
    def never(step):
        raise ZeroDivisionError("a schedule's")

    model = make_model()
    step = tba.watch(make_step(model, keras.optimizers.SGD(0.1)), model=model, log_dir=tmp_path, every=never)
    with pytest.warns(RuntimeWarning, match="`every` failed, and recording is over: ZeroDivisionError"), ThreadPoolExecutor(1) as another:
        another.submit(step, *next(batches(1)))


def test_a_step_that_is_differentiated_from_outside(tmp_path):
    """TensorFlow makes the gradient of a compiled function when the function is called, and so after its trace."""
    model = make_model()
    forward = tf.function(lambda x, y: tf.reduce_mean((model(x, training=False) - y) ** 2))
    found = []
    with tba.watch(forward, model=model, log_dir=tmp_path, every=2) as step:
        for function in (forward, step):
            for x, y in batches(3):
                with tf.GradientTape() as tape:
                    loss = function(x, y)
                found.append([gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)])
    for expected, ours in zip(found[:3], found[3:], strict=True):
        for left, right in zip(expected, ours, strict=True):
            np.testing.assert_allclose(right, left, rtol=1e-6, atol=1e-6)
    assert tba.open_run(tmp_path / "train").steps("out").tolist() == [0, 2]


def test_the_plain_function_itself_runs_between_captures(tmp_path):
    traces, model = [], make_model()
    optimizer = keras.optimizers.SGD(0.1)
    body = make_step(model, optimizer)

    @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None, 1])])
    def train_step(x, y):
        traces.append("trace")
        return body(x, y)

    step = tba.watch(train_step, model=model, log_dir=tmp_path, every=lambda n: n in (1, 3))
    for index, (x, y) in enumerate(batches(5)):
        step(x[: 8 - index], y[: 8 - index])  # one signature: no batch size traces anew
        if index == 0:
            before = len(traces)
    step.close()
    assert len(traces) == before + 1  # the twin, once
    assert train_step.experimental_get_tracing_count() == before
    assert tba.open_run(tmp_path / "train").steps().tolist() == [1, 3]
    assert step.__name__ == "train_step"


def test_a_twin_that_would_train_other_weights_than_the_function_is_refused(tmp_path):
    ends = []
    for every in (None, [2]):
        model = make_model()
        step = tf.function(make_step(model, keras.optimizers.SGD(0.1)))
        step = step if every is None else tba.watch(step, model=model, log_dir=tmp_path, every=every)
        for index, (x, y) in enumerate(batches(4)):
            if index == 2 and every:
                with pytest.warns(RuntimeWarning, match="`trainable` of .*hidden.* was changed after the train step was traced"):
                    step(x, y)
            else:
                step(x, y)
            if index == 0:
                model.get_layer("hidden").trainable = False
        ends.append(model.get_weights())
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_python_control_flow_is_converted_in_the_twin_too(tmp_path):
    @tf.function
    def train_step(x):
        y = x * 3
        if tf.reduce_sum(x) > 0:
            y = x * 2
        for _ in tf.range(2):
            y += 1
        return tba.probe(y, "y")

    with tba.watch(train_step, log_dir=tmp_path, every=1) as step:
        assert step(tf.constant([1.0])).numpy() == [4.0]
        assert step(tf.constant([-1.0])).numpy() == [-1.0]
    assert tba.open_run(tmp_path / "train").statistics("y")["max"].tolist() == [4.0, -1.0]


def test_an_error_of_the_step_is_the_users(tmp_path, compiled):
    def train_step(x):
        raise KeyError("mine")

    with tba.watch(compiled(train_step), log_dir=tmp_path, every=1) as step, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(KeyError, match="mine"):
            step(tf.constant(1.0))


def test_a_failure_of_ours_is_one_warning_and_the_steps_go_on(tmp_path, compiled, monkeypatch):
    monkeypatch.setattr("tb_activations.capture.handover.collect", lambda *args: 1 / 0)
    plain, _ = train(compiled, 3)
    with pytest.warns(RuntimeWarning, match="recording is over: ZeroDivisionError") as told:
        watched, _ = train(compiled, 3, {"log_dir": tmp_path, "every": 1})
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_calls_go_on_after_close_and_a_resumed_training_counts_on(tmp_path):
    step = tba.watch(lambda x: tba.probe(x, "x"), log_dir=tmp_path, every=1, first_step=10)
    step(tf.constant([1.0]))
    step.close()
    step.close()
    step(tf.constant([2.0]))
    assert tba.open_run(tmp_path / "train").steps().tolist() == [10]


def train_until_asked_to_stop(step):
    for x, y in batches(500):
        step(x, y * np.float32("nan"))
        if step.should_stop:
            break
        time.sleep(0.01)  # segments are written every other second
    step(x, y)  # goes on all the same


def test_a_second_training_in_a_used_directory_is_told_unless_it_was_resumed(tmp_path):
    for first_step, told in ((0, contextlib.nullcontext()), (1, contextlib.nullcontext()), (0, told_of_an_earlier_training())):
        with told, tba.watch(lambda x: tba.probe(x, "x"), log_dir=tmp_path, every=1, first_step=first_step) as step:
            step(tf.ones([2]))
    assert tba.open_run(tmp_path / "train").steps("x").tolist() == [0]


def test_two_that_write_into_one_directory_in_turn_are_told_so(tmp_path):
    def make(log_dir):
        return tba.watch(lambda x: tba.probe(x, "x"), log_dir=log_dir, every=1)

    with make(tmp_path / "one") as one, make(tmp_path / "other") as other:
        for _ in range(3):
            one(tf.ones([2]))
            other(tf.ones([2]))
    with make(tmp_path / "one2") as one, make(tmp_path / "one2") as other:
        one(tf.ones([2]))
        other(tf.ones([2]))
        with pytest.warns(RuntimeWarning, match="Two recordings write .*one2.train in turn") as told:
            one(tf.ones([2]))
        one(tf.ones([2]))
    assert len(told) == 1


def test_a_function_of_which_only_the_graph_is_left_is_refused(tmp_path):
    module = tf.Module()
    module.step = tf.function(lambda x: x * 2.0, input_signature=[tf.TensorSpec([2])])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    for left in (module.step.get_concrete_function(), tf.saved_model.load(str(tmp_path / "saved")).step):
        with pytest.raises(ArgumentError, match="only the graph is left"):
            tba.watch(functools.partial(left), log_dir=tmp_path)


def test_a_finding_is_printed_and_handed_over_and_asks_for_the_end_that_the_loop_decides_on(tmp_path, compiled, capfd):
    model, found = make_model(), []
    options = {"every": 1, "on_finding": found.append, "stop_on": "error"}
    step = tba.watch(compiled(make_step(model, keras.optimizers.SGD(0.1))), model=model, log_dir=tmp_path, **options)
    assert not step.should_stop
    with pytest.warns(RuntimeWarning, match="Training should stop because of `stop_on`: NaN in value at loss since step 0") as told:
        train_until_asked_to_stop(step)
    step.close()
    assert len(told) == 1
    assert step.should_stop
    assert step.step < 500
    assert "nonfinite" in {finding.rule for finding in found}
    assert "tb_activations error: NaN in value at loss" in capfd.readouterr().err


def test_single_operations_are_listed_and_recorded(tmp_path):
    model = make_model()
    train_step = tf.function(make_step(model, keras.optimizers.SGD(0.1)))
    (x, y), *_ = batches(1)
    expected = x.numpy() @ model.layers[0].kernel.numpy()
    with tba.watch(train_step, model=model, log_dir=tmp_path, every=1, ops=["^hidden/MatMul$"], samples="full") as step:
        step(x, y)
    run = tba.open_run(tmp_path / "train")
    np.testing.assert_allclose(run.value("hidden/MatMul", 0), expected, rtol=1e-5, atol=1e-6)
    assert "ops" in run.configuration


@pytest.mark.parametrize("place", ["function", "replicas"])
def test_a_watched_step_inside_another_function_is_told_to_be_in_the_wrong_place(tmp_path, place):
    step = tba.watch(lambda x: x + 1, log_dir=tmp_path, every=1)
    inside = tf.function(step) if place == "function" else lambda x: tf.distribute.OneDeviceStrategy("CPU:0").run(step, args=(x,))
    with pytest.warns(RuntimeWarning, match=r"Watch the outermost function, the one that calls `strategy\.run`") as told:
        assert [float(inside(tf.constant(1.0))) for _ in range(2)] == [2.0, 2.0]
    assert [one.category for one in told].count(RuntimeWarning) == 1
    assert step.step == 0
    assert float(step(tf.constant(1.0))) == 2.0
    step.close()
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0]


def test_lines_are_those_of_the_user_where_autograph_wrote_the_code_that_runs(tmp_path):
    dense = L.Dense(2, name="dense")
    dense.build((None, 3))

    @tf.function
    def train_step(x):
        if tf.reduce_sum(x) > 1e9:
            tf.print("large")
        return dense(x)

    with tba.watch(train_step, log_dir=tmp_path, every=1) as step:
        step(tf.ones([1, 3]))
    (node,) = [node for node in tba.open_run(tmp_path / "train").nodes if node.name == "dense"]
    lines = Path(__file__).read_text().splitlines()
    assert node.source.file.endswith("test_watch.py")
    assert lines[node.source.line - 1].strip() == "return dense(x)"


def test_the_fixed_batch_is_the_same_at_every_capture_and_moves_nothing(tmp_path, compiled):
    fixed = np.random.default_rng(9).normal(size=(3, 3)).astype("float32")
    plain, plain_losses = train(compiled, 5)
    ours, our_losses = train(compiled, 5, {"log_dir": tmp_path, "every": 4, "probe_data": fixed, "print_findings": False})
    assert our_losses == plain_losses
    for expected, weight in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, weight)
    run, first = tba.open_run(tmp_path / "probe"), make_model()
    assert run.steps().tolist() == tba.open_run(tmp_path / "train").steps().tolist() == [0, 4]
    np.testing.assert_allclose(run.value("hidden", 0), first.layers[0](fixed), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("out", 0), first(fixed, training=False), rtol=1e-5, atol=1e-6)
    after, _ = train(compiled, 4)
    np.testing.assert_allclose(run.value("out", 4), after(fixed, training=False), rtol=1e-4, atol=1e-6)


def test_a_fixed_batch_needs_a_model_and_one_that_does_not_fit_ends_nothing(tmp_path):
    with pytest.raises(ArgumentError, match="`probe_data` must come with `model`"):
        tba.watch(lambda x: x, log_dir=tmp_path, probe_data=np.zeros((2, 3)))
    with pytest.warns(RuntimeWarning, match="`probe_data` failed"):
        train(tf.function, 5, {"log_dir": tmp_path, "every": 1, "probe_data": np.zeros((2, 7)), "print_findings": False})
    assert tba.open_run(tmp_path / "train").steps().tolist() == list(range(5))


def test_the_input_of_a_model_whose_call_runs_without_it_says_so(tmp_path):
    """As `stateless_call` does, with weights of the user's."""
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(1, name="head")])
    weights = [variable.value for variable in model.trainable_variables]

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.stateless_call([weight - 0.1 for weight in weights], [], x)[0])
        return tape.gradient(loss, model.trainable_variables)

    with tba.watch(tf.function(step), model=model, log_dir=tmp_path, every=1, print_findings=False) as watched:
        watched(tf.ones((2, 3)))
    run = tba.open_run(tmp_path)
    assert run.node("head").quantities["value"].state == "materialized"
    assert run.node("x").quantities["value"].reason == "past_model"
