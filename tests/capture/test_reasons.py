"""Every reason of the closed list is produced by a real step; the code that a reason hands out is code that can be run."""

from __future__ import annotations

import ast
import functools
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.store.reasons import REASONS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
L = keras.layers
LEAN = {"histograms": False, "samples": "none", "validation": False, "print_findings": False}
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


class Everything(keras.Model):
    """One layer for each way in which a tensor can't be had."""

    def __init__(self):
        super().__init__(name="everything")
        names = ("early", "side", "cut", "rounded", "compiled", "taken", "untaken", "head", "left_out", "spare", "mapped", "past")
        self.dense = {name: L.Dense(3, name=name) for name in names}
        self.frozen = L.Dense(3, name="frozen", trainable=False)
        self.scaled = L.Rescaling(2.0, name="scaled")
        self.numbers = L.Lambda(lambda x: tf.cast(x, tf.int32), name="numbers")
        self.words = L.Lambda(tf.strings.as_string, name="words")
        self.shape_of = L.Lambda(lambda x: x.shape.rank, name="shape_of")
        self.dense["compiled"].build((None, 3))
        for name in ("mapped", "past"):
            self.dense[name].build((None, 3))
        self.on_its_own = tf.function(self.dense["compiled"], jit_compile=True)
        self.attention = L.MultiHeadAttention(1, 2, name="attention")
        self.count = self.add_weight(shape=(), name="count", trainable=False)
        self.bare = L.Lambda(lambda x: x * self.bare.scale, name="bare")
        self.bare.scale = tf.Variable(1.0)

    def call(self, x):
        dense = self.dense
        x = self.frozen(self.scaled(self.bare(x)))
        dense["side"](x)
        self.words(self.numbers(x))
        self.shape_of(x)
        self.count.assign_add(1.0)
        stopped = tf.stop_gradient(dense["cut"](x)) + tf.round(dense["rounded"](x)) + self.on_its_own(x)
        x = x + self.attention(x[:, None], x[:, None])[:, 0]
        mapped = keras.ops.vectorized_map(lambda row: dense["mapped"](row[None])[0], x)
        branch = tf.cond(self.count > 0, lambda: dense["taken"](x), lambda: dense["untaken"](x))
        return dense["head"](dense["left_out"](x) + stopped + branch + mapped + dense["past"].call(x))


class ByHand(keras.Model):
    """A step that changes its weights without an optimizer of Keras."""

    def __init__(self):
        super().__init__(name="by_hand")
        self.head = L.Dense(1, name="head")

    def call(self, x):
        return self.head(x)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
        for gradient, weight in zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True):
            weight.assign_sub(0.0 * gradient)
        return {"loss": loss}


class Inside(ByHand):
    """Trains in a branch of a condition."""

    def train_step(self, data):
        return tf.cond(tf.reduce_mean(data[0]) > -1e9, lambda: keras.Model.train_step(self, data), lambda: {"loss": 0.0})


class Nested(ByHand):
    """Trains in a function that can't run inline."""

    def train_step(self, data):
        return self.on_its_own(data)

    @tf.function(jit_compile=True)
    def on_its_own(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Beside(ByHand):
    """Calls a layer before the tape records."""

    def __init__(self):
        super().__init__()
        self.before = L.Dense(3, name="before")

    def call(self, x):
        return self.head(self.before(x))

    def train_step(self, data):
        x = self.before(data[0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.head(x) - data[1]) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.head.trainable_weights), self.head.trainable_weights)
        return {"loss": loss}


class Penalized(ByHand):
    """Its loss is nothing but a penalty on the gradient of what it gives by what it is given."""

    def train_step(self, data):
        x = data[0]
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = self(x)
            loss = tf.reduce_mean((tf.norm(inner.gradient(score, x), axis=1) - 1.0) ** 2)
        self.optimizer.apply(outer.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Classifier(keras.Model):
    """Ends in a sigmoid, as classifiers do."""

    def __init__(self):
        super().__init__(name="classifier")
        self.head = L.Dense(1, activation="sigmoid", name="head")

    def call(self, x):
        return self.head(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.losses.binary_crossentropy(y, y_pred))


class Thawed(ByHand):
    """Was frozen, or the network inside of it, and one layer in it set free again."""

    def __init__(self, *, inside):
        super().__init__()
        x = keras.Input((3,))
        self.encoder = keras.Model(x, L.Dense(2, name="low")(L.Dense(2, name="top")(x)), name="encoder")
        frozen, free = (self.encoder, self.encoder.get_layer("top")) if inside else (self, self.head)
        frozen.trainable = False
        free.trainable = True

    def call(self, x):
        return self.head(self.encoder(x))

    def train_step(self, data):
        if not self.trainable:
            return keras.Model.train_step(self, data)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
        weights = self.encoder.trainable_weights + self.head.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


REPLICATED = """
import sys, numpy as np, tensorflow as tf, keras
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import tb_activations as tba
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.GRU(2, name="gru"), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
callback = tba.ActivationsCallback(sys.argv[1], every=1, histograms=False, samples="none", kinds=["layer"], validation=False, print_findings=False)
model.fit(np.ones((8, 4, 3), "float32"), np.ones((8, 1), "float32"), batch_size=8, verbose=0, callbacks=[callback])
"""


def fitted(log_dir, model, epochs=1, loss="mse", **options):
    model(X)  # a function that Keras traces first, to learn shapes, would hold no variables
    model.compile("sgd", loss, jit_compile=False)
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, every=1, **{**LEAN, **options})])
    return tba.open_run(log_dir / "train")


def watched(log_dir, model):
    """An eager step that calls a compiled function."""
    model(X)

    @tf.function
    def differentiate(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x) ** 2)
        return tape.gradient(loss, model.trainable_weights)

    def step(x):
        keras.optimizers.SGD().apply(differentiate(x), model.trainable_weights)

    with tba.watch(step, model=model, log_dir=log_dir, every=1, histograms=False) as watching:
        watching(X)
    return tba.open_run(log_dir / "train")


def watched_epoch(log_dir, model):
    """A function that loops over a dataset."""
    model(X)

    @tf.function
    def epoch(batches):
        for x in batches:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(x) ** 2)
            for gradient, weight in zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True):
                weight.assign_sub(0.1 * gradient)

    with tba.watch(epoch, model=model, log_dir=log_dir, every=1, histograms=False) as watching:
        watching(tf.data.Dataset.from_tensors(X).repeat(3))
    return tba.open_run(log_dir / "train")


def in_eight_bits():
    model = keras.Sequential([L.Input((3,)), L.Dense(3, name="inner"), L.Dense(1, name="head")], name="eight_bits")
    model.get_layer("inner").quantize("float8")
    return model


class OwnGradient(keras.Model):
    """A layer inside a function that tells its gradient by itself."""

    def __init__(self):
        super().__init__(name="own_gradient")
        self.before, self.inside, self.head = L.Dense(3, name="before"), L.ReLU(name="inside"), L.Dense(1, name="head")

    def call(self, x):
        @tf.custom_gradient
        def squared(x):
            return self.inside(x) * x, lambda upstream: 2.0 * x * upstream

        return self.head(squared(self.before(x)))


class ByLayers(keras.Model):
    """Its step calls its layers, and not the model."""

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.get_layer("head")(data[0]) - data[1]) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by name, each trained when first asked for."""

    @functools.cache
    def run(name):
        log_dir = tmp_path_factory.mktemp(name)
        if name == "everything":
            return fitted(log_dir, Everything(), exclude="^left_out", ops="list", slots=True)
        if name == "values":
            return fitted(log_dir, ByHand(), kinds=["layer"], quantities=["value"])
        if name == "classifier":
            return fitted(log_dir, Classifier(), kinds=["layer"])
        if name == "beside":
            return fitted(log_dir, Beside(), kinds=["layer", "variable"])
        if name == "by layers":
            x = L.Input((3,), name="given")
            return fitted(log_dir, ByLayers(x, L.Dense(1, name="head")(x), name="by_layers"), kinds=["input", "layer"])
        if name == "penalized":
            return fitted(log_dir, Penalized(), kinds=["layer", "variable"])
        if name == "thawed":
            return fitted(log_dir, Thawed(inside=False), kinds=["layer", "variable"])
        if name == "eight bits":
            return fitted(log_dir, in_eight_bits(), kinds=["variable"])
        if name == "own gradient":
            return fitted(log_dir, OwnGradient(), kinds=["layer"])
        if name == "inside":
            return fitted(log_dir, Inside(), epochs=2, kinds=["variable"], samples="full", quantities=["value", "gradient", "update"])
        if name == "nested":
            return fitted(log_dir, Nested(), kinds=["variable"])
        if name == "predict":
            ByHand().predict(X, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, **LEAN, kinds=["layer"])])
            return tba.open_run(log_dir / "predict")
        if name == "eager":
            with pytest.warns(RuntimeWarning, match="Nothing but variables .* inside `differentiate`"):
                return watched(log_dir, ByHand())
        if name == "epoch":
            return watched_epoch(log_dir, ByHand())
        if name == "on_batch":
            model = ByHand()
            model(X)
            model.compile("sgd", "mse", jit_compile=False)
            watching = tba.watch(lambda: model.train_on_batch(X, Y), model=model, log_dir=log_dir, every=1, histograms=False)
            with watching as step, pytest.warns(RuntimeWarning, match="Nothing but variables .* Don't watch the step"):
                step()
            return tba.open_run(log_dir / "train")
        if name == "replicated":
            subprocess.run([sys.executable, "-c", REPLICATED, str(log_dir)], check=True, capture_output=True, timeout=600)
            return tba.open_run(log_dir / "train")
        if name == "thinned":
            return fitted(log_dir, ByHand(), samples="full", max_bytes=30_000, epochs=60)
        return without_captures(Path(run("values").path), log_dir)

    return run


def without_captures(run_dir, log_dir):
    """What a run is between its first step and the first segment on disk."""
    folder = log_dir / "train/plugins/tb_activations"
    folder.mkdir(parents=True)
    for graph in (run_dir / "plugins/tb_activations").glob("graph-*.json"):
        shutil.copy(graph, folder)
    return tba.open_run(log_dir / "train")


CASES = {
    "not_captured_yet": ("fresh", "head", "value"),
    "filtered": ("everything", "left_out", "value"),
    "kind_off": ("values", "head/kernel", "value"),
    "quantity_off": ("values", "head", "gradient"),
    "not_called": ("everything", "spare", "value"),
    "used_without_call": ("everything", "past", "value"),
    "past_model": ("by layers", "given", "value"),
    "fused_attention": ("everything", "attention/softmax", "value"),
    "no_dropout_rate": ("everything", "attention/dropout", "value"),
    "other_branch": ("everything", "untaken", "value"),
    "while_body": ("replicated", "gru/gru_cell", "value"),
    "traced_earlier": ("everything", "compiled", "value"),
    "function_of_dataset": ("epoch", "head", "value"),
    "function_in_eager_step": ("eager", "head", "value"),
    "function_of_keras": ("on_batch", "head", "value"),
    "vectorized": ("everything", "mapped", "value"),
    "not_on_loss_path": ("everything", "side", "gradient"),
    "nothing_differentiated": ("thawed", "head", "gradient"),
    "loss_from_logits": ("classifier", "head", "gradient"),
    "gradient_stopped": ("everything", "cut", "gradient"),
    "non_differentiable": ("everything", "rounded", "gradient"),
    "kept_by_layer": ("everything", "count", "gradient"),
    "optimizer_state": ("everything", "optimizer/learning_rate", "gradient"),
    "not_trainable": ("everything", "frozen", "gradient"),
    "nothing_trained": ("everything", "scaled", "gradient"),
    "outside_tape": ("beside", "before", "gradient"),
    "inner_gradient": ("penalized", "head", "gradient"),
    "is_loss": ("everything", "loss", "gradient"),
    "op_value_only": ("everything", "head/MatMul", "gradient"),
    "op_not_selected": ("everything", "head/MatMul", "value"),
    "no_output": ("everything", "AssignAddVariableOp", "value"),
    "no_gradient_dtype": ("everything", "numbers", "gradient"),
    "no_statistics_dtype": ("everything", "words", "value"),
    "not_a_tensor": ("everything", "shape_of", "value"),
    "inference_only": ("predict", "head", "gradient"),
    "no_optimizer_step": ("beside", "before/kernel", "update"),
    "frozen_from_above": ("thawed", "head/kernel", "update"),
    "not_a_weight": ("everything", "bare/scale", "gradient"),
    "trained_inside": ("inside", "head/kernel", "gradient"),
    "replaced": ("eight bits", "inner/inputs_scale", "gradient"),
    "custom_gradient": ("own gradient", "inside", "gradient"),
    "no_update": ("everything", "head", "update"),
}


@pytest.mark.parametrize("code", [code for code in REASONS if code != "size_budget"])
def test_a_real_step_produces_it(runs, code):
    name, node, quantity = CASES[code]
    nodes = {found.name: found for found in runs(name).nodes}
    if code == "no_output":
        node = next(found.name for found in nodes.values() if found.class_name == "AssignSubVariableOp" or found.class_name == node)
    if node.startswith("attention/"):
        node = next(name for name in nodes if name.startswith(node))  # Keras numbers it through the process
    state = nodes[node].quantities[quantity]
    assert state.reason == code, state
    assert state.state == REASONS[code].state
    check_words(state)


def test_weights_that_a_function_uses_of_which_nothing_is_seen_say_so(runs):
    nodes = {node.name: node for node in runs("nested").nodes}
    assert nodes["head/kernel"].quantities["gradient"].reason == "traced_earlier"


def test_the_update_of_weights_that_are_trained_inside_is_recorded(runs):
    run = runs("inside")
    before, after = run.value("head/kernel", 0), run.value("head/kernel", 1)
    assert np.abs(after - before).max() > 0
    np.testing.assert_allclose(run.value("head/kernel", 0, "update"), after - before, rtol=1e-4, atol=1e-7)


def test_the_code_that_gives_attention_a_dropout_makes_the_very_layer(tmp_path):
    x = L.Input((4, 4))
    kinds = {"heads": L.MultiHeadAttention(2, 3, name="heads"), "groups": L.GroupQueryAttention(3, 4, 2, name="groups")}
    model = keras.Model(x, L.Dense(1, name="out")(kinds["heads"](x, x) + kinds["groups"](x, x)))
    model.compile("sgd", "mse", jit_compile=False)
    data = np.ones((8, 4, 4)), np.ones((8, 4, 1))
    model.fit(*data, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, **LEAN, kinds=["layer"])])
    nodes = [node for node in tba.open_run(tmp_path / "train").nodes if node.quantities["value"].reason == "no_dropout_rate"]
    assert [node.name.split("/")[0] for node in nodes] == ["heads", "groups"]
    for node in nodes:
        scope = {"keras": keras}
        exec(f"made = {node.code_to_paste}", scope)
        made, kind = scope["made"], kinds[node.name.split("/")[0]]
        assert type(made) is type(kind)
        sizes = {"num_heads", "key_dim", "head_dim", "num_query_heads", "num_key_value_heads"} & made.get_config().keys()
        assert {size: made.get_config()[size] for size in sizes} == {size: kind.get_config()[size] for size in sizes}
        assert made.get_config()["dropout"] == pytest.approx(0.1)


def test_what_takes_the_place_of_a_scale_is_its_next_value_and_no_gradient(runs):
    nodes = {node.name: node for node in runs("eight bits").nodes}
    for name in ("inner/inputs_scale", "inner/inputs_amax_history"):
        states = nodes[name].quantities
        assert (states["value"].reason, states["gradient"].reason, states["update"].reason) == (None, "replaced", None)
    assert nodes["inner/kernel"].quantities["gradient"].state == "materialized"


def test_around_a_function_with_a_gradient_of_its_own_gradients_are_recorded(runs):
    nodes = {node.name: node for node in runs("own gradient").nodes}
    assert nodes["before"].quantities["gradient"].state == nodes["head"].quantities["gradient"].state == "materialized"


def test_a_layer_that_attention_never_calls_says_so_whether_or_not_the_scores_are_asked_for(tmp_path):
    """Without a rate, the dropout of an attention is never called."""
    x = L.Input((4, 3))
    fused = L.MultiHeadAttention(1, 2, name="fused")(x, x)
    attended, _ = L.MultiHeadAttention(1, 2, name="asked")(x, x, return_attention_scores=True)
    model = keras.Model(x, L.Dense(1)(fused + attended))
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((8, 4, 3)), np.ones((8, 4, 1)), verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, **LEAN, kinds=["layer"])])
    reasons = {node.name.split("_")[0]: node.quantities["value"].reason for node in tba.open_run(tmp_path / "train").nodes}
    assert reasons["fused/softmax"] == "fused_attention"
    assert reasons["fused/dropout"] == reasons["asked/dropout"] == "no_dropout_rate"
    assert reasons["asked/softmax"] is None


def test_a_layer_whose_table_another_looks_into_is_used_without_a_call(tmp_path):
    words = L.TextVectorization(output_sequence_length=3, vocabulary=["to", "be"], name="words")
    spare = L.StringLookup(vocabulary=["to"], name="spare")
    x = L.Input((1,), dtype="string")
    model = keras.Model(x, L.Dense(1)(L.Flatten()(L.Embedding(5, 2)(words(x)))))
    model.spare = spare
    model.compile("sgd", "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensors((tf.constant([["to be"]]), tf.constant([[1.0]])))
    model.fit(data, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, **LEAN, kinds=["layer"])])
    reasons = {node.name: node.quantities["value"].reason for node in tba.open_run(tmp_path / "train").nodes}
    (lookup,) = [name for name in reasons if name.startswith("words/")]
    assert (reasons[lookup], reasons["spare"]) == ("used_without_call", "not_called")


def test_the_function_that_an_eager_step_calls_can_be_watched_in_its_place(runs, tmp_path):
    assert "differentiate = tb_activations.watch(differentiate, " in {node.name: node for node in runs("eager").nodes}["head"].code_to_paste
    assert {node.name: node for node in runs("on_batch").nodes}["head/kernel"].quantities["gradient"].reason == "function_of_keras"


def test_weights_without_a_gradient_say_what_their_layer_says(runs):
    nodes = {node.name: node for node in runs("everything").nodes}
    for layer, code in {"side": "not_on_loss_path", "cut": "gradient_stopped", "rounded": "non_differentiable"}.items():
        for name in (layer, f"{layer}/kernel", f"{layer}/bias"):
            assert nodes[name].quantities["gradient"].reason == code, name


def test_a_real_training_within_a_size_budget_says_what_was_left_out(runs):
    run = runs("thinned")
    left_out = [step for step in run.steps("head").tolist() if step not in run.sample_steps("head")]
    reason = run.left_out("head", left_out[-1])
    assert reason.code == "size_budget"
    assert reason.state == REASONS["size_budget"].state
    check_words(reason)


def check_words(told):
    for text in (told.title, told.sentence, told.remedy, told.code_to_paste):
        assert "?" not in text, text
        assert "{" not in text, text
    check_code(told.code_to_paste)


def check_code(code):
    """It parses, and what it calls by a public name exists and takes these arguments."""
    for call in [found for found in ast.walk(ast.parse(code)) if isinstance(found, ast.Call)]:
        path = ast.unparse(call.func)
        if path.startswith(("tb_activations.", "keras.")):
            module, *names = path.split(".")
            function = functools.reduce(getattr, names, {"tb_activations": tba, "keras": keras}[module])
            inspect.signature(function).bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords})
        else:
            assert path in ("function", "model", "step", "attention", "self.add_weight") or path.endswith("get_layer"), path


def test_a_weight_in_a_frozen_network_is_told_what_is_frozen_and_the_code_frees_it(tmp_path):
    model = Thawed(inside=True)
    nodes = {node.name: node for node in fitted(tmp_path, model, kinds=["layer", "variable"]).nodes}
    told = nodes["encoder/top/kernel"].quantities["gradient"]
    assert (told.reason, nodes["encoder/low/kernel"].quantities["gradient"].reason) == ("frozen_from_above", "not_trainable")
    assert "`trainable` of encoder" in told.sentence
    assert nodes["head/kernel"].quantities["gradient"].state == "materialized"
    exec(told.code_to_paste, {"model": model})
    assert len(model.encoder.trainable_weights) == 4
    model.trainable = False
    model.head.trainable = True
    explained = tba.explain(model.head.kernel, model)
    assert ("`trainable` of the model" in explained.gradient, explained.code) == (True, "model.trainable = True   # the model")


def test_the_code_for_a_frozen_layer_unfreezes_it(runs):
    nodes = {node.name: node for node in runs("everything").nodes}
    model = Everything()
    exec(nodes["frozen"].quantities["gradient"].code_to_paste, {"model": model})
    assert model.frozen.trainable
