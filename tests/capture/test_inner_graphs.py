"""Layers in loops, in branches and in functions of their own: compared with the same computation written out in Python, run eagerly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.statistics.running import EXTREMES, SUMS, extremes, from_sums, sums
from tb_activations.store.schema import COUNTS, STATISTICS

pytestmark = pytest.mark.filterwarnings(
    "ignore:Gradients do not exist", "ignore:`build..` was called on layer", "ignore:Layer .* does not have a `build"
)

L = keras.layers
TIMES = 3


class Construct(L.Layer):
    """A construct of TensorFlow or Keras around a layer, and what it means: `plain` tells each value that the layer makes."""

    def __init__(self, name, activation="tanh"):
        super().__init__(name=name)
        self.inner = L.Dense(4, activation=activation, name="inner")
        self.other = L.Dense(4, activation="relu", name="other")

    def build(self, shape):
        self.inner.build((None, 4))
        self.other.build((None, 4))

    def loop(self, x, tell):
        for _ in range(TIMES):
            x = tell(f"{self.name}/inner", self.inner(x))
        return x

    plain = loop


class While(Construct):
    def call(self, x):
        return tf.while_loop(lambda i, h: i < TIMES, lambda i, h: (i + 1, self.inner(h)), (0, x), maximum_iterations=TIMES)[1]


class KerasWhile(Construct):
    def call(self, x):
        return keras.ops.while_loop(lambda i, h: i < TIMES, lambda i, h: (i + 1, self.inner(h)), (0, x), maximum_iterations=TIMES)[1]


class Fori(Construct):
    def call(self, x):
        return keras.ops.fori_loop(0, TIMES, lambda i, h: self.inner(h), x)


class Scan(Construct):
    def call(self, x):
        def body(carry, row):
            carry = self.inner(carry + row)
            return carry, carry * 2.0

        carry, rows = keras.ops.scan(body, x, tf.stack([x, 2 * x, 3 * x]))
        return carry + rows[0]

    def plain(self, x, tell):
        carry, rows = x, []
        for factor in range(1, TIMES + 1):
            carry = tell(f"{self.name}/inner", self.inner(carry + factor * x))
            rows.append(carry * 2.0)
        return carry + rows[0]


class Function(Construct):
    """A `tf.function` that needs AutoGraph, and was traced before."""

    @tf.function
    def run(self, x):
        h = self.inner(x)
        if tf.reduce_sum(h) > 1e9:
            h = h * 0.0
        return tf.nn.relu(h)

    def call(self, x):
        return self.run(x)

    def plain(self, x, tell):
        return tf.nn.relu(tell(f"{self.name}/inner", self.inner(x)))


class Branch(Construct):
    """`inner` where the mean is positive, else `other`."""

    def call(self, x):
        return tf.cond(tf.reduce_mean(x) > 0, lambda: self.inner(x), lambda: self.other(x) * 2.0)

    def plain(self, x, tell):
        if tf.reduce_mean(x) > 0:
            return tell(f"{self.name}/inner", self.inner(x))
        return tell(f"{self.name}/other", self.other(x)) * 2.0


class KerasBranch(Branch):
    def call(self, x):
        return keras.ops.cond(tf.reduce_mean(x) > 0, lambda: self.inner(x), lambda: self.other(x) * 2.0)


class Switch(Branch):
    def call(self, x):
        return keras.ops.switch(tf.cast(tf.reduce_mean(x) <= 0, tf.int32), [self.inner, lambda x: self.other(x) * 2.0], x)


class BranchInLoop(Construct):
    """Even iterations go one way, odd ones the other."""

    def call(self, x):
        def body(i, h):
            return i + 1, tf.cond(i % 2 == 0, lambda: self.inner(h), lambda: self.other(h))

        return tf.while_loop(lambda i, h: i < TIMES, body, (0, x), maximum_iterations=TIMES)[1]

    def plain(self, x, tell):
        for i in range(TIMES):
            x = tell(f"{self.name}/{('inner', 'other')[i % 2]}", (self.inner, self.other)[i % 2](x))
        return x


class Recurrent(Construct):
    """An LSTM, whose cell hands its output on twice: as output and as state."""

    def __init__(self, name):
        super().__init__(name)
        self.lstm = L.LSTM(4, name="lstm")

    def call(self, x):
        return self.lstm(tf.stack([x, -x, 2 * x], axis=1))

    def plain(self, x, tell):
        h, c = tf.zeros_like(x), tf.zeros_like(x)
        cell, name = self.lstm.cell, f"{self.name}/lstm/lstm_cell"
        for row in (x, -x, 2 * x):
            gates = row @ cell.kernel.value + h @ cell.recurrent_kernel.value + cell.bias.value
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            output, h, c = tell(name, h), tell(f"{name}:1/0", h), tell(f"{name}:1/1", c)
        return output


class Gated(Construct):
    """A GRU."""

    def __init__(self, name):
        super().__init__(name)
        self.gru = L.GRU(4, name="gru")

    def call(self, x):
        return self.gru(tf.stack([x, -x, 2 * x], axis=1))

    def plain(self, x, tell):
        h, cell, name = tf.zeros_like(x), self.gru.cell, f"{self.name}/gru/gru_cell"
        for row in (x, -x, 2 * x):
            z_x, r_x, h_x = tf.split(row @ cell.kernel.value + cell.bias.value[0], 3, axis=1)
            z_h, r_h, h_h = tf.split(h @ cell.recurrent_kernel.value + cell.bias.value[1], 3, axis=1)
            z = tf.sigmoid(z_x + z_h)
            h = z * h + (1 - z) * tf.tanh(h_x + tf.sigmoid(r_x + r_h) * h_h)
            output, h = tell(name, h), tell(f"{name}:1/0", h)
        return output


def simple(cell, row, h):
    return tf.tanh(row @ cell.kernel.value + h @ cell.recurrent_kernel.value + cell.bias.value)


class Stacked(Construct):
    """Two cells, one above the other."""

    def __init__(self, name):
        super().__init__(name)
        self.rnn = L.RNN([L.SimpleRNNCell(4, name="lower"), L.SimpleRNNCell(4, name="upper")], name="rnn")

    def call(self, x):
        return self.rnn(tf.stack([x, -x, 2 * x], axis=1))

    def plain(self, x, tell):
        states, scope = [tf.zeros_like(x)] * 2, f"{self.name}/rnn/{self.rnn.cell.name}"
        for row in (x, -x, 2 * x):
            output = row
            for level, cell in enumerate(self.rnn.cell.cells):
                h, name = simple(cell, output, states[level]), f"{scope}/{cell.name}"
                output, states[level] = tell(name, h), tell(f"{name}:1/0", h)
        return output


class BothWays(Construct):
    """A recurrent layer that runs forwards and backwards."""

    def __init__(self, name):
        super().__init__(name)
        self.both = L.Bidirectional(L.SimpleRNN(4, name="simple"), name="both")

    def call(self, x):
        return self.both(tf.stack([x, -x, 2 * x], axis=1))

    def plain(self, x, tell):
        outputs = []
        for layer, rows in ((self.both.forward_layer, (x, -x, 2 * x)), (self.both.backward_layer, (2 * x, -x, x))):
            h, name = tf.zeros_like(x), f"{self.name}/both/{layer.name}/{layer.cell.name}"
            for row in rows:
                h = simple(layer.cell, row, h)
                output, h = tell(name, h), tell(f"{name}:1/0", h)
            outputs.append(output)
        return tf.concat(outputs, 1)


class Shared(Construct):
    """One recurrent layer that is called twice: each call is rehearsed and then runs in a loop of its own."""

    def __init__(self, name):
        super().__init__(name)
        self.simple = L.SimpleRNN(4, name="simple")

    def call(self, x):
        return tf.concat([self.simple(tf.stack([x, 2 * x], axis=1)), self.simple(tf.stack([-x, x, x], axis=1))], 1)

    def plain(self, x, tell):
        outputs, cell = [], f"{self.name}/simple/{self.simple.cell.name}"
        for call, rows in (("", (x, 2 * x)), ("@2", (-x, x, x))):
            h = tf.zeros_like(x)
            for row in rows:
                h = simple(self.simple.cell, row, h)
                output, h = tell(f"{cell}{call}", h), tell(f"{cell}{call}:1/0", h)
            outputs.append(output)
        return tf.concat(outputs, 1)


class All(keras.Model):
    def __init__(self, kinds):
        super().__init__(name="all")
        self.constructs = [kind(name=kind.__name__.lower()) for kind in kinds]

    def call(self, x):
        # Side by side, not added up: in which order TensorFlow adds more than two tensors is for its optimizer to choose.
        return tf.concat([construct(x) for construct in self.constructs], 1)


REPEATED = (While, KerasWhile, BranchInLoop, Recurrent, Gated, Stacked, BothWays, Shared)
ONCE = (Function, Branch, KerasBranch, Switch)


def data():
    random = np.random.default_rng(3)
    x = random.normal(size=(16, 4)).astype("float32")
    x[:8] += 1.0 - x[:8].mean()  # the first batch goes into one branch, the second into the other
    x[8:] -= 1.0 + x[8:].mean()
    return x, random.normal(size=(16, 1)).astype("float32")


def make(kinds, jit_compile):
    keras.utils.set_random_seed(5)
    model = All(kinds)
    model(data()[0])  # traces the function
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=jit_compile)
    return model


def written_out(model, x, y):
    """Values and gradients of every call, as {name: [arrays]}, of the same computation in Python."""
    told = {}

    def tell(name, tensor):
        told.setdefault(name, []).append(tf.identity(tensor))
        return told[name][-1]

    with tf.GradientTape(persistent=True) as tape:
        predicted = tf.concat([construct.plain(tf.constant(x), tell) for construct in model.constructs], 1)
        loss = tf.reduce_mean((predicted - y) ** 2)
    return told, {name: [tape.gradient(loss, part, unconnected_gradients="zero") for part in parts] for name, parts in told.items()}


def assert_same(statistics, arrays, columns, name):
    numbers = np.stack([np.asarray(array, np.float64) for array in arrays])
    expected = {"min": numbers.min(), "max": numbers.max(), "mean": numbers.mean(), "std": numbers.std(), "l2_norm": np.sqrt((numbers**2).sum())}
    expected |= {"zero_fraction": (numbers == 0).mean(), "elements": numbers.size}
    for column in columns:
        np.testing.assert_allclose(statistics[column][0], expected[column], rtol=2e-4, atol=1e-6, err_msg=f"{name} {column}")
    assert [statistics[count][0] for count in COUNTS[1:]] == [0, 0, 0]


SUMMED = ("mean", "std", "l2_norm", "zero_fraction", "elements")


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_values_and_gradients_are_those_of_the_same_computation_written_out(tmp_path, jit_compile):
    kinds = (*REPEATED, *ONCE, *([] if jit_compile else [Fori, Scan]))  # XLA can't differentiate a loop whose length it isn't told
    model, plain = make(kinds, jit_compile), make(kinds, jit_compile)
    x, y = data()
    values, gradients = written_out(model, x[:8], y[:8])
    callback = tba.ActivationsCallback(tmp_path, every=1, kinds=["layer"], quantities=["value", "gradient"], samples="none")
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[callback])
    plain.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    run = tba.open_run(tmp_path / "train")
    nodes = {node.name: node for node in run.nodes}
    once = {construct.name for construct in model.constructs if isinstance(construct, ONCE)}
    for name in values:
        is_once = name.split("/")[0] in once
        assert_same(run.statistics(name), values[name], ("min", "max", *SUMMED), name)
        assert_same(run.statistics(name, "gradient"), gradients[name], ("min", "max", *SUMMED) if is_once else SUMMED, name)
        assert nodes[name].attributes.get("recorded") == (None if is_once else "over all iterations of a loop")
        assert run.histogram(name).counts.sum(1).tolist()[:1] == ([np.size(values[name][0])] if is_once else [])
    for name in once - {"function"}:
        for quantity in ("value", "gradient"):
            assert run.steps(f"{name}/inner", quantity).tolist() == [0]
            assert run.steps(f"{name}/other", quantity).tolist() == [1]
    twice = {f"shared/simple{of}" for of in ("@2", "/simple_rnn_cell@2", "/simple_rnn_cell@2:1/0")}
    assert {node.name for node in run.nodes if "@" in node.name} == twice


class Twofold(L.Layer):
    """Gives two tensors, of which the loop around it uses one."""

    def __init__(self):
        super().__init__(name="twofold")
        self.inner = L.Dense(4, name="inner")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x), x * 2.0


@pytest.mark.slow
def test_what_nothing_in_a_loop_uses_has_no_gradient_and_says_so(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.twofold, self.head = Twofold(), L.Dense(1, name="head")

        def call(self, x):
            return self.head(tf.while_loop(lambda i, h: i < TIMES, lambda i, h: (i + 1, self.twofold(h)[0]), (0, x))[1])

    model = Net()
    model(data()[0])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data(), batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    assert run.node("twofold").quantities["gradient"].state == "materialized"
    assert run.node("twofold:1").quantities["value"].state == "materialized"
    assert run.node("twofold:1").quantities["gradient"].reason == "not_on_loss_path"


@pytest.mark.slow
def test_what_is_stopped_inside_a_loop_or_a_branch_says_what_stops_it(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.stopped, self.rounded, self.chosen, self.after, self.head = (
                L.Dense(4, name=n) for n in ("stopped", "rounded", "chosen", "after", "head")
            )

        def build(self, shape):
            for layer in (self.stopped, self.rounded, self.chosen, self.after, self.head):
                layer.build((None, 4))
            self.built = True

        def turn(self, i, h):
            return i + 1, self.after(h * tf.stop_gradient(self.stopped(h)) + tf.round(self.rounded(h)))

        def call(self, x):
            h = tf.while_loop(lambda i, h: i < TIMES, self.turn, (0, x))[1]
            h = tf.cond(tf.reduce_mean(h) < 1e9, lambda: h + tf.stop_gradient(self.chosen(h)), lambda: h)
            return keras.ops.sum(self.head(h), axis=1, keepdims=True)

    model = Net()
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data(), batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    told = {name: run.node(name).quantities["gradient"] for name in ("stopped", "rounded", "chosen", "after")}
    assert {name: plan.reason for name, plan in told.items() if plan.state != "materialized"} == {
        "stopped": "gradient_stopped",
        "rounded": "non_differentiable",
        "chosen": "gradient_stopped",
    }


@pytest.mark.slow
def test_what_is_stopped_around_a_loop_or_a_branch_says_so_inside_of_it(tmp_path):
    """The output of a recurrent layer, of a loop around a branch, and what a loop carries on to its next iteration."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.teacher, self.listed = L.LSTM(4, name="teacher"), L.GRU(4, return_sequences=True, name="listed")
            self.chosen, self.earlier, self.head = (L.Dense(4, name=n) for n in ("chosen", "earlier", "head"))

        def turn(self, i, h, carried):
            h = tf.cond(tf.reduce_mean(h) < 1e9, lambda: self.chosen(h), lambda: h)
            return i + 1, tf.stop_gradient(h), tf.round(self.earlier(carried))

        def call(self, x):
            sequence = tf.stack([x, 2.0 * x], 1)
            _, h, carried = tf.while_loop(lambda i, *_: i < TIMES, self.turn, (0, x, x))
            given = tf.stop_gradient(self.teacher(sequence)) + tf.round(self.listed(sequence))[:, 0]
            return keras.ops.sum(self.head(h + carried + given), axis=1, keepdims=True)

    model = Net()
    model(data()[0])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data(), batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    inside = ("teacher/lstm_cell", "listed/gru_cell", "chosen", "earlier")
    assert {name: run.node(name).quantities["gradient"].reason for name in inside} == {
        "teacher/lstm_cell": "gradient_stopped",
        "listed/gru_cell": "non_differentiable",
        "chosen": "gradient_stopped",
        "earlier": "non_differentiable",
    }


class JoiningCell(L.Layer):
    """A recurrent cell that makes a layer each time it is called."""

    state_size = output_size = 4

    def __init__(self):
        super().__init__(name="joining")
        self.inner = L.Dense(4, activation="tanh", name="inner")

    def build(self, shape):
        self.inner.build((None, shape[-1] + 4))

    def call(self, x, states):
        h = self.inner(L.Concatenate(name="joined")([x, states[0]]))
        return h, [h]


@pytest.mark.slow
def test_a_layer_that_a_cell_makes_in_its_call_is_one_node_in_the_loop(tmp_path):
    cell = JoiningCell()
    model = keras.Sequential([L.Input((3, 2), name="x"), L.RNN(cell, name="rnn"), L.Dense(1, name="head")])
    model.compile("sgd", "mse", jit_compile=False)
    x = np.random.default_rng(1).normal(size=(8, 3, 2)).astype("float32")
    joined, h = [], tf.zeros((8, 4))
    for step in range(3):
        joined.append(tf.concat([x[:, step], h], 1))
        h = cell.inner(joined[-1])
    model.fit(x, np.ones((8, 1)), batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    (node,) = (node for node in run.nodes if node.class_name == "Concatenate")
    assert node.quantities["gradient"].state == "materialized"
    assert_same(run.statistics(node.name), joined, SUMMED, node.name)


class Around(L.Layer):
    """A model in a branch or a loop that is given what was made before it."""

    def __init__(self, name, runs):
        super().__init__(name=name)
        self.nested = keras.Sequential([L.Input((4,), name=f"{name}_in"), L.Dense(4, activation="tanh", name="inner")], name="nested")
        self.runs = runs

    def call(self, x):
        if self.runs == 1:
            return tf.cond(tf.reduce_mean(x) < 1e9, lambda: x + self.nested(x), lambda: x)
        return tf.while_loop(lambda i, h: i < self.runs, lambda i, h: (i + 1, h * self.nested(x)), (0, x), maximum_iterations=self.runs)[1]

    def plain(self, x, tell):
        if self.runs == 1:
            return x + self.nested(tell(f"{self.name}/nested/{self.name}_in", x))
        h = x
        for _ in range(self.runs):
            h *= self.nested(tell(f"{self.name}/nested/{self.name}_in", x))
        return h


@pytest.mark.slow
def test_what_was_made_before_a_loop_or_branch_has_its_gradient_of_what_happens_inside(tmp_path):
    keras.utils.set_random_seed(2)
    layers = [L.Dense(4, name="first"), Around("branch", 1), Around("loop", 2), L.Dense(1, name="head")]
    model = keras.Sequential([L.Input((3,), name="x"), *layers])
    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
    told: dict[str, list[tf.Tensor]] = {}

    def tell(name, value):
        told.setdefault(name, []).append(tf.identity(value))
        return told[name][-1]

    with tf.GradientTape() as tape:
        h = x
        for layer in layers:
            h = layer.plain(h, tell) if isinstance(layer, Around) else layer(h)
        loss = tf.reduce_mean((h - y) ** 2)
    expected = {name: np.linalg.norm(gradients) for name, gradients in zip(told, tape.gradient(loss, list(told.values())), strict=True)}

    model.compile("sgd", "mse", jit_compile=False)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    assert len(expected) == 2
    for name, norm in expected.items():
        assert run.statistics(name, "gradient")["l2_norm"].tolist() == pytest.approx([norm], rel=1e-4)


@pytest.mark.slow
def test_where_every_number_is_checked_ours_are_not(tmp_path):
    """The largest number is looked for from minus infinity on, and what can't be known is NaN: neither is the user's."""
    x, y = data()
    tf.debugging.enable_check_numerics()
    try:
        trained = []
        for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1, print_findings=False)]):
            model = make((While, Recurrent, Branch), jit_compile=False)
            model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
            trained.append(model.get_weights())
    finally:
        tf.debugging.disable_check_numerics()
    for plain, recorded in zip(*trained, strict=True):
        np.testing.assert_array_equal(plain, recorded)
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == list(range(6))
    assert np.isfinite(run.statistics("while/inner")["max"]).all()
    assert not [node.name for node in run.nodes if "@" in node.name]  # the call before the loop is known to be for shapes only


@pytest.mark.slow
def test_a_branch_not_taken_yet_says_so(tmp_path):
    model = make([Branch], False)
    x, y = data()
    callback = tba.ActivationsCallback(tmp_path, every=1, kinds=["layer"], samples="none", histograms=False)
    model.fit(x[:8], y[:8], batch_size=8, verbose=0, callbacks=[callback])
    nodes = {node.name: node for node in tba.open_run(tmp_path / "train").nodes}
    assert nodes["branch/inner"].state == "materialized"
    assert nodes["branch/other"].state == "unreachable"
    assert nodes["branch/other"].reason == "other_branch"
    assert nodes["branch/other"].quantities["gradient"].reason == "other_branch"
    assert "branch of `tf.cond`" in nodes["branch/other"].sentence


HOSTILE = {
    "normal": (np.arange(-6, 6) / 3, np.ones(5)),
    "not finite": (np.array([np.nan, 1, np.inf]), np.array([-np.inf, 0, 2, 3])),
    "large": (np.full(4, 3e38), np.full(3, -3e38)),
    "far from zero": (1e4 + np.arange(6) / 100, 1e4 - np.arange(6) / 100),
    "nothing finite": (np.array([np.nan]), np.array([np.inf])),
    "subnormal": (np.array([0, -1e-39, 1e-39, 1]), np.array([1e-40, -2])),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("case", HOSTILE)
def test_sums_of_several_times_are_the_statistics_of_all(case, dtype):
    with np.errstate(all="ignore"):
        parts = [np.asarray(part).astype(dtype) for part in HOSTILE[case]]
    largest = np.max([EXTREMES, *(extremes(tf.constant(part)) for part in parts)], 0)
    rows = from_sums(sum(sums(tf.constant(part)) for part in parts)[None], tf.constant(largest[None]))
    columns, counts = dict(zip(STATISTICS, rows.statistics.numpy()[0], strict=True)), dict(zip(COUNTS, rows.counts.numpy()[0], strict=True))
    everything = np.concatenate(parts).astype(np.float64)
    finite = everything[np.isfinite(everything)]
    assert counts["elements"] == everything.size
    assert counts["nan_count"] == np.isnan(everything).sum()
    assert (counts["pos_inf_count"], counts["neg_inf_count"]) == ((everything == np.inf).sum(), (everything == -np.inf).sum())
    expected = {"min": np.min, "max": np.max, "mean": np.mean, "std": np.std, "l2_norm": np.linalg.norm, "zero_fraction": lambda a: np.mean(a == 0)}
    smallest = np.finfo(dtype).smallest_normal if np.issubdtype(dtype, np.floating) else 0
    expected["subnormal_fraction"] = lambda a: np.mean((a != 0) & (np.abs(a) < smallest))
    for name, function in expected.items():
        with np.errstate(over="ignore"):
            wanted = np.float32(function(finite)) if finite.size else np.nan
        np.testing.assert_allclose(columns[name], wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_nothing_summed_is_nothing_recorded():
    rows = from_sums(tf.zeros([1, len(SUMS)], tf.float64), tf.constant([EXTREMES], tf.float64))
    assert rows.counts.numpy().tolist() == [[-1, 0, 0, 0]]
    assert np.isnan(rows.statistics).all()


class Mapped(keras.Model):
    """A layer that is called with one example at a time, as far as the code can see, and a penalty on a Jacobian."""

    def __init__(self):
        super().__init__(name="mapped")
        self.before, self.inner, self.after = (L.Dense(2, activation="tanh", name=name) for name in ("before", "inner", "after"))
        for layer in (self.before, self.inner, self.after):
            layer.build((None, 2))

    def call(self, x):
        rows = keras.ops.vectorized_map(lambda row: self.inner(row[None])[0], self.before(x))
        return self.after(tba.probe(rows, "rows"))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                predicted = self(x)
            loss = tf.reduce_mean((predicted - y) ** 2) + tf.reduce_mean(inner.batch_jacobian(predicted, x) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


@pytest.mark.parametrize("compiling", [{"jit_compile": False}, {"run_eagerly": True}], ids=["graph", "eager"])
@pytest.mark.filterwarnings("ignore")
def test_what_vectorized_map_calls_is_not_shown_as_if_one_example_were_all(tmp_path, compiling):
    keras.utils.set_random_seed(2)
    x = np.random.default_rng(2).normal(size=(8, 2)).astype("float32")
    trained = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1, ops="list", validation=False, print_findings=False)]):
        keras.utils.set_random_seed(2)
        model = Mapped()
        model.compile(keras.optimizers.SGD(0.1), **compiling)
        before = model.before(x).numpy(), model.after(model.inner(model.before(x))).numpy()
        rows = model.inner(before[0]).numpy()
        model.fit(x, x, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
        trained.append(model.get_weights())
    run = tba.open_run(tmp_path / "train")
    nodes = {node.name: node for node in run.nodes}
    assert {nodes["inner"].quantities[quantity].reason for quantity in ("value", "gradient")} == {"vectorized"}
    np.testing.assert_allclose(run.value("before", 0), before[0][:4], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("rows", 0), rows[:4], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("after", 0), before[1][:4], rtol=1e-5, atol=1e-6)
    for plain, ours in zip(*trained, strict=True):
        np.testing.assert_array_equal(plain, ours)
    operations = [node for node in run.nodes if node.kind == "op" and node.name.endswith("inner/MatMul")]
    assert all(node.quantities["value"].reason == "vectorized" for node in operations)
    assert operations or "run_eagerly" in compiling
