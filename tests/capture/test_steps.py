"""Exactly the scheduled steps are recorded, and numbered by the train steps executed before them."""

from __future__ import annotations

import contextlib
import copy
import operator
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import polymorphic_function

import tb_activations as tba
from tb_activations.capture.twin import Twin

from .conftest import LEAN, told_of_an_earlier_training

pytestmark = pytest.mark.slow


def test_over_epochs_and_a_second_fit(make_tiny, data, lean, steps):
    model, callback = make_tiny(), lean(7)
    model.fit(*data, batch_size=4, epochs=3, verbose=0, callbacks=[callback])
    model.fit(*data, batch_size=4, epochs=4, initial_epoch=2, verbose=0, callbacks=[callback])
    assert steps() == [0, 7, 14, 21, 28]


def test_who_says_nothing_of_steps_has_many_of_the_first_and_few_later(make_tiny, data, steps, tmp_path):
    """120 steps; of a training of 60 the hundredths alone would be one."""
    make_tiny().fit(*data, batch_size=4, epochs=20, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, **LEAN, validation=False)])
    assert steps() == [*range(20), *range(20, 40, 5), *range(40, 101, 10)]


def test_thousands_of_steps_are_all_kept(make_tiny, data, lean, steps):
    make_tiny().fit(*data, batch_size=1, epochs=50, verbose=0, callbacks=[lean(range(0, 1200, 1))])
    assert steps() == list(range(1200))


def test_the_loss_at_a_step_is_that_of_the_step(make_tiny, data, lean, tmp_path):
    class Losses(keras.callbacks.Callback):
        seen = ()

        def on_train_batch_end(self, batch, logs=None):
            self.model.reset_metrics()  # so that the next log is the loss of one batch
            self.seen = (*self.seen, logs["loss"])

    losses = Losses()
    make_tiny().fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[lean(1), losses])
    np.testing.assert_allclose(tba.open_run(tmp_path / "train").statistics("loss")["mean"], losses.seen, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("examples", [24, 22], ids=["even", "shorter last batch"])
@pytest.mark.parametrize("length_known", [True, False])
def test_several_steps_per_execution(make_tiny, data, lean, steps, examples, length_known):
    """6 steps an epoch, 4 per execution: the second execution of each epoch is cut short."""

    def batches():
        for first in range(0, examples, 4):
            yield data[0][:examples][first : first + 4], data[1][:examples][first : first + 4]

    signature = tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    fed = (data[0][:examples], data[1][:examples]) if length_known else (dataset,)

    def counted(callbacks):
        model = make_tiny(steps_per_execution=4)
        model.fit(*fed, **({"batch_size": 4} if length_known else {}), shuffle=False, epochs=3, verbose=0, callbacks=callbacks)
        return int(model.optimizer.iterations.numpy())

    plain, ours = counted([]), counted([lean([0, 3, 5, 6, 11, 13, 17])])
    assert steps() == [0, 3, 5, 6, 11, 13, 17]
    assert ours == plain  # 18; before Keras 3.7 one more for each end of the data


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(("steps_per_execution", "examples"), [(1, 20), (4, 24)], ids=["data that ends sooner", "executions that go on"])
def test_steps_per_epoch_that_do_not_fit(make_tiny, data, lean, tmp_path, steps_per_execution, examples):
    """Of 6 steps that were announced, 5 are made, or 8."""
    updates = {"kinds": ["variable"], "quantities": ["value", "update"], "samples": "full"}
    model = make_tiny(steps_per_execution=steps_per_execution)
    batches = tf.data.Dataset.from_tensor_slices(data).take(examples).batch(4)
    fed = batches.repeat() if steps_per_execution > 1 else batches
    for _ in range(2):
        model.fit(fed, epochs=2, steps_per_epoch=6, shuffle=False, verbose=0, callbacks=[lean(**updates)])
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == list(range(int(model.optimizer.iterations.numpy())))
    for step in run.steps()[:-1]:
        after = run.value("hidden/kernel", step) + run.value("hidden/kernel", step, "update")
        np.testing.assert_allclose(after, run.value("hidden/kernel", step + 1), rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("lengths", [(6, 4, 5), (4, 5, 3)], ids=["shorter", "longer"])
@pytest.mark.parametrize("announced", [True, False])
def test_epochs_of_many_lengths(make_tiny, data, lean, steps, lengths, announced):
    """As where a filter draws, or a `PyDataset` has fewer batches in a later epoch. Keras asks for one more than in the first epoch."""
    waiting = iter(lengths)

    def batches():
        for first in range(0, 4 * next(waiting), 4):
            yield data[0][first : first + 4], data[1][first : first + 4]

    signature = tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    announcing = {"steps_per_epoch": 7} if announced else {}
    make_tiny().fit(dataset, epochs=3, shuffle=False, verbose=0, callbacks=[lean()], **announcing)
    assert steps() == list(range(sum(lengths)))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_of_unknown_length(make_tiny, data, lean, steps):
    dataset = tf.data.Dataset.from_generator(lambda: zip(*data, strict=True), output_signature=(tf.TensorSpec((3,)), tf.TensorSpec((1,)))).batch(4)
    make_tiny().fit(dataset, shuffle=False, epochs=3, verbose=0, callbacks=[lean(5)])
    assert steps() == [0, 5, 10, 15]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("steps_per_execution", [1, 2, 4])
def test_a_validation_stands_where_the_steps_before_it_ended_though_nobody_knew_how_many_there_are(make_tiny, data, lean, steps, steps_per_execution):
    batches = tf.data.Dataset.from_tensor_slices(data).batch(4).filter(lambda x, y: True)
    model = make_tiny(steps_per_execution=steps_per_execution)
    model.fit(batches, shuffle=False, epochs=3, verbose=0, validation_data=data, callbacks=[lean(1, validation=True)])
    assert steps() == list(range(18))
    assert steps("validation") == [6, 12, 18]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_evaluation_between_two_steps_stands_there(make_tiny, data, lean, steps):
    batches = tf.data.Dataset.from_tensor_slices(data).batch(4).filter(lambda x, y: True)
    callback = lean(1, validation=True)

    class Between(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch in (1, 3):
                self.model.evaluate(*data, verbose=0, callbacks=[callback])

    make_tiny().fit(batches, shuffle=False, verbose=0, callbacks=[callback, Between()])
    assert (steps(), steps("validation")) == (list(range(6)), [2, 4])


def test_a_pydataset_feeds_too(make_tiny, data, lean, steps):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return data[0][4 * index : 4 * index + 4], data[1][4 * index : 4 * index + 4]

    make_tiny().fit(Batches(), shuffle=False, epochs=2, verbose=0, callbacks=[lean(4)])
    assert steps() == [0, 4, 8]


def test_a_shorter_last_batch_is_not_traced_again_each_epoch(make_tiny, data, lean, monkeypatch):
    traces = []
    finish = Twin._finish
    monkeypatch.setattr(Twin, "_finish", lambda self, *rest: traces.append(1) or finish(self, *rest))
    make_tiny().fit(data[0][:22], data[1][:22], batch_size=4, epochs=4, verbose=0, callbacks=[lean(1)])
    assert len(traces) <= 2


class InPieces(keras.Model):
    """Its layers may have their weights before it is called for the first time, which builds it all the same."""

    def __init__(self, is_built):
        super().__init__(name="pieces")
        self.hidden, self.out = keras.layers.Dense(4, activation="tanh", name="hidden"), keras.layers.Dense(1, name="out")
        self.still = keras.layers.Dropout(0.0, name="still")
        if is_built:
            self.hidden.build((None, 3))
            self.out.build((None, 4))

    def call(self, x):
        return self.out(self.still(self.hidden(x)))


class OfItsOwn(InPieces):
    """A step of its own, with an optimizer of its own; the one that `compile` gives it is never built."""

    def __init__(self):
        super().__init__(is_built=True)
        self.still.build((None, 4))
        self.mine = keras.optimizers.Adam(name="mine")
        self.steps_traced = 0

    def train_step(self, data):
        self.steps_traced += 1
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        self.mine.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


@pytest.mark.parametrize(
    ("make", "optimizer", "metrics"),
    [
        (None, keras.optimizers.Adam, None),
        (None, keras.optimizers.Adam, ["mae"]),
        (lambda: InPieces(is_built=False), keras.optimizers.Adam, None),
        (lambda: InPieces(is_built=True), keras.optimizers.SGD, None),
        (OfItsOwn, keras.optimizers.Adam, None),
    ],
    ids=["optimizer", "metrics", "weights", "nothing", "step of its own"],
)
def test_what_keras_makes_in_a_trace_does_not_take_two_recorded_ones(make_tiny, data, lean, steps, monkeypatch, make, optimizer, metrics):
    traces = []
    finish = Twin._finish
    monkeypatch.setattr(Twin, "_finish", lambda self, *rest: traces.append(1) or finish(self, *rest))
    trained = []
    for callbacks in ([], [lean(1)]):
        keras.utils.set_random_seed(4)
        model = make_tiny() if make is None else make()
        model.compile(optimizer(name="optimizer"), "mse", metrics=metrics, jit_compile=False)
        logs = model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=callbacks).history
        trained.append((logs, [variable.path for variable in model.optimizer.variables], [*model.get_weights(), *model.optimizer.variables]))
    assert len(traces) == 1
    assert steps() == list(range(6))
    assert trained[0][:2] == trained[1][:2]
    for plain, recorded in zip(trained[0][2], trained[1][2], strict=True):
        np.testing.assert_array_equal(plain, recorded)


class Averaging(keras.optimizers.SGD):
    """Keeps a copy of each weight, and makes it when it is built; in a traced step that is never done."""

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.copies = [self.add_variable_from_reference(variable, name="copy") for variable in variables]
            for copied, variable in zip(self.copies, variables, strict=True):
                copied.assign(variable)

    def update_step(self, gradient, variable, learning_rate):
        copied = self.copies[self._get_variable_index(variable)]
        copied.assign(0.9 * copied + 0.1 * (variable - learning_rate * gradient))
        variable.assign(copied)


class Around(keras.optimizers.SGD):
    """Hands gradients on to another one, which it builds when it is first applied."""

    def __init__(self, **options):
        super().__init__(0.01, **options)
        self.inner = keras.optimizers.Adam(0.01, name="inner")

    def apply(self, grads, trainable_variables=None):
        self.inner.apply(grads, trainable_variables)
        self.iterations.assign_add(1)

    @property
    def variables(self):
        return self.inner.variables


@pytest.mark.parametrize("optimizer", [Averaging, Around])
@pytest.mark.parametrize("compiling", [{"jit_compile": False}, {"run_eagerly": True}], ids=["graph", "eager"])
def test_an_optimizer_is_built_as_the_plain_step_builds_it(make_tiny, data, lean, optimizer, compiling):
    trained = []
    for callbacks in ([], [lean(1)]):
        model = make_tiny(optimizer=optimizer(name="optimizer"), **compiling)
        model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=callbacks)
        kept = model.optimizer.variables
        trained.append(([variable.path for variable in kept], [*model.get_weights(), *(variable.numpy() for variable in kept)]))
    assert trained[0][0] == trained[1][0]
    for plain, recorded in zip(trained[0][1], trained[1][1], strict=True):
        np.testing.assert_array_equal(plain, recorded)


def test_a_step_that_makes_nothing_any_more_is_not_traced_in_vain(data, lean):
    model = OfItsOwn()
    model.compile(jit_compile=False)
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(1)])
    before = model.steps_traced
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(1)])
    assert model.steps_traced == before + 1  # the new callback's twin


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.01),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)),
        lambda: keras.optimizers.SGD(0.01, gradient_accumulation_steps=2),
    ],
    ids=["sgd", "scaled", "accumulating"],
)
def test_a_resumed_training_goes_on_counting(make_tiny, data, lean, steps, tmp_path, optimizer):
    backup = tmp_path / "backup"

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(callback, *more):
        model = make_tiny(optimizer=optimizer())
        model.fit(*data, batch_size=4, epochs=4, verbose=0, callbacks=[callback, keras.callbacks.BackupAndRestore(backup), *more])

    interrupted = lean(5)
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted, Stop())
    interrupted.on_train_end()  # what is on its way is written when the process ends
    fit(lean(5))
    assert steps() == [0, 5, 10, 15, 20]


@pytest.mark.parametrize("keep", [lambda optimizer: optimizer, lambda optimizer: {"first": optimizer}, lambda optimizer: [optimizer]])
def test_a_resumed_training_with_optimizers_of_its_own_goes_on_counting(data, lean, steps, tmp_path, keep):
    """What `compile` gives a model that nobody asked for stays at 0."""

    class Adversarial(OfItsOwn):
        def __init__(self):
            super().__init__()
            self.mine.build(self.trainable_weights)
            self.kept, self.built = keep(self.mine), True
            if self.kept is not self.mine:
                del self.mine

        def train_step(self, data):
            optimizer, *_ = tf.nest.flatten(self.kept)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(data[0]) - data[1]) ** 2)
            optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
            return {"loss": loss}

    saved = tmp_path / "saved.weights.h5"
    for first_epoch in (0, 2):
        model = Adversarial()
        model.compile(jit_compile=False)
        if first_epoch:
            model.load_weights(saved)
        model.fit(*data, batch_size=4, initial_epoch=first_epoch, epochs=first_epoch + 2, verbose=0, callbacks=[lean(5)])
        model.save_weights(saved)
    assert steps() == [0, 5, 10, 15, 20]


def test_an_evaluation_with_the_same_callback_within_fit_counts_no_steps(make_tiny, data, lean, steps):
    class Evaluating(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(data[0][:8], data[1][:8], batch_size=4, verbose=0, callbacks=[callback])

    callback = lean(1)
    make_tiny().fit(*data, batch_size=4, epochs=3, verbose=0, callbacks=[Evaluating(), callback])
    assert steps() == list(range(18))


def test_a_fresh_model_in_a_used_directory_starts_at_zero_and_says_so(make_tiny, data, lean, tmp_path):
    for learning_rate, told in ((0.0, contextlib.nullcontext()), (0.1, told_of_an_earlier_training())):
        model = make_tiny(optimizer=keras.optimizers.SGD(learning_rate))
        with told:
            model.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[lean(1)])
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == list(range(6))
    assert len(set(run.statistics("loss")["mean"].tolist())) == 6  # of the second training: at rate 0 the losses would recur


def test_a_new_callback_after_compiling_anew_goes_on_counting(make_tiny, data, lean, steps):
    model = make_tiny()
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(2)])
    model.compile("adam", "mse", jit_compile=False)  # an optimizer that begins to count at 0
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(2)])
    assert steps() == [0, 2, 4, 6, 8, 10]
    model.evaluate(*data, batch_size=4, verbose=0, callbacks=[lean()])
    assert steps("validation") == [12]


def test_a_pretrained_model_in_a_fresh_directory_starts_at_zero(make_tiny, data, lean, steps):
    model = make_tiny()
    model.fit(*data, batch_size=8, verbose=0)
    model.fit(*data, batch_size=8, verbose=0, callbacks=[lean(1)])
    assert steps() == [0, 1, 2]


def test_compiling_anew_and_freezing_make_a_new_generation(make_tiny, data, lean, tmp_path):
    model, callback = make_tiny(), lean(1, kinds=["layer", "variable", "loss"], quantities=["gradient"])
    model.fit(*data, batch_size=24, verbose=0, callbacks=[callback])
    model.get_layer("hidden").trainable = False
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data, batch_size=24, verbose=0, callbacks=[callback])
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == [0, 1]
    assert run.steps("hidden/kernel", "gradient").tolist() == [0]
    assert run.steps("out/kernel", "gradient").tolist() == [0, 1]
    assert len(list((tmp_path / "train/plugins/tb_activations").glob("graph-*.json"))) == 2


class Freeze(keras.callbacks.Callback):
    """Freezes a layer at an epoch, and forgets to compile."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.model.get_layer("hidden").trainable = False


@pytest.mark.parametrize(("every", "recorded"), [(4, [0, 4, 8]), ([0, 5], [0, 5])], ids=["traced before", "traced for the last batch too"])
def test_freezing_without_compiling_changes_nothing_as_without_recording(make_tiny, data, lean, steps, every, recorded):
    x, y = data[0][:22], data[1][:22]
    plain, ours = make_tiny(), make_tiny()
    plain.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[Freeze(1)])
    ours.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[lean(every), Freeze(1)])
    for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert steps() == recorded


@pytest.mark.parametrize("every", [1, [5, 11]], ids=["recorded at once", "recorded later"])
def test_a_layer_that_a_callback_freezes_before_the_first_step_is_frozen_for_both(make_tiny, data, lean, steps, every):
    plain, ours = make_tiny(), make_tiny()
    plain.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[Freeze(0)])
    ours.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[Freeze(0), lean(every)])
    for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert steps() == (list(range(12)) if every == 1 else every)


@pytest.mark.filterwarnings("ignore:A layer's `trainable` state has changed")
@pytest.mark.parametrize("watched", [True, False], ids=["frozen while watched", "frozen before"])
def test_a_twin_that_would_train_less_is_refused_until_the_model_is_compiled(make_tiny, data, lean, steps, watched):
    ends = []
    for callbacks in ([], [lean(lambda step: step >= 8)]):
        model = make_tiny()
        if watched:
            model.fit(*data, batch_size=4, epochs=1, verbose=0, callbacks=callbacks)
        else:
            model.fit(*data, batch_size=4, epochs=2, verbose=0)
        model.get_layer("hidden").trainable = False
        if callbacks:
            with pytest.warns(RuntimeWarning, match=r"`trainable` of .*hidden.* was changed after the train step was traced") as told:
                model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
            (sentence,) = [str(warning.message) for warning in told if "tb_activations" in str(warning.message)]
            assert sentence.endswith("before `compile()`. Training goes on without it.")
        else:
            model.fit(*data, batch_size=4, epochs=2, verbose=0)
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(*data, batch_size=24, verbose=0, callbacks=callbacks)
    assert steps() == ([18] if watched else [12])


def test_the_plain_function_is_never_exchanged(make_tiny, data, lean):
    class Functions(keras.callbacks.Callback):
        seen = ()

        def on_train_batch_end(self, batch, logs=None):
            self.seen = (*self.seen, self.model.train_function)

    model, functions = make_tiny(), Functions()
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(2), functions])
    assert len(set(functions.seen)) == 1
    assert model.train_function is functions.seen[0]


def test_steps_between_captures_run_asynchronously_to_callbacks(lean):
    callback = lean()
    for name in ("on_train_batch_end", "on_test_batch_end", "on_predict_batch_end", "on_batch_end"):
        assert getattr(type(callback), name) is getattr(keras.callbacks.Callback, name)


def test_two_callbacks_on_one_fit_share_the_steps(make_tiny, data, tmp_path, monkeypatch):
    traces = []
    finish = Twin._finish
    monkeypatch.setattr(Twin, "_finish", lambda self, *rest: traces.append(1) or finish(self, *rest))
    plain, ours = make_tiny(), make_tiny()
    plain.fit(*data, batch_size=4, epochs=2, verbose=0)
    callbacks = [tba.ActivationsCallback(tmp_path / name, every=every, **LEAN, validation=False) for name, every in (("one", 2), ("two", 3))]
    with pytest.warns(RuntimeWarning, match="Another ActivationsCallback records this step") as told:
        ours.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1
    assert tba.open_run(tmp_path / "one/train").steps().tolist() == [0, 2, 4, 6, 8, 10]
    assert tba.open_run(tmp_path / "two/train").steps().tolist() == [3, 9]
    assert len(traces) == 2
    for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_two_callbacks_with_steps_of_their_own_are_told_of_evaluations_only(make_tiny, data, tmp_path):
    callbacks = [tba.ActivationsCallback(tmp_path / str(start), every=range(start, 6, 2), **LEAN) for start in (0, 1)]
    with pytest.warns(RuntimeWarning, match=r"Another ActivationsCallback .* or give one of them `validation=False`") as told:
        make_tiny().fit(*data, batch_size=4, validation_data=data, verbose=0, callbacks=callbacks)
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1


@pytest.mark.slow
def test_a_loop_that_calls_the_callback_and_not_the_models_function_is_told(make_tiny, data, lean):
    model = make_tiny()
    optimizer = keras.optimizers.SGD(0.1)

    def train(callbacks):
        callbacks.on_train_begin()
        for epoch in range(2):
            callbacks.on_epoch_begin(epoch)
            for batch in range(3):
                callbacks.on_train_batch_begin(batch)
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((model(data[0], training=True) - data[1]) ** 2)
                optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
                callbacks.on_train_batch_end(batch, {})
            callbacks.on_epoch_end(epoch)
        callbacks.on_train_end()

    with pytest.warns(RuntimeWarning, match="without `train_function` of `tiny`, and so not recorded") as told:
        train(keras.callbacks.CallbackList([lean()], model=model))
    assert len(told) == 1


@pytest.mark.slow
def test_a_fit_inside_another_with_the_same_callback_is_told(make_tiny, data, lean):
    outer, inner, callback = make_tiny(), make_tiny(), lean()
    fit_inner = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: inner.fit(*data, verbose=0, callbacks=[callback]))
    with pytest.warns(RuntimeWarning, match="give a `fit` inside another a callback of its own") as told:
        outer.fit(*data, verbose=0, epochs=3, callbacks=[callback, fit_inner])
    assert len(told) == 1


def test_a_loop_of_train_on_batch_that_calls_the_callback(make_tiny, data, lean, steps):
    plain, ours = make_tiny(), make_tiny()
    callbacks = keras.callbacks.CallbackList([lean()], model=ours)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(3):
            x, y = data[0][8 * batch :][:8], data[1][8 * batch :][:8]
            callbacks.on_train_batch_begin(batch)
            assert ours.train_on_batch(x, y) == plain.train_on_batch(x, y)
            callbacks.on_train_batch_end(batch)
        callbacks.on_epoch_end(epoch)
    callbacks.on_train_end()
    assert steps() == list(range(6))
    for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_one_callback_for_two_models(make_tiny, data, lean, steps):
    """A tuner or a cross-validation hands the same object to model after model."""
    callback = lean(2)
    for _ in range(2):
        plain, ours = make_tiny(), make_tiny()
        plain.fit(*data, batch_size=8, verbose=0)
        ours.fit(*data, batch_size=8, verbose=0, callbacks=[callback])
        for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)
    assert steps() == [0, 2, 4]


@pytest.mark.parametrize("every", [2, [0, 2], range(0, 9, 2), operator.not_], ids=repr)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))], ids=["deepcopy", "pickle"])  # noqa: S301
def test_a_copy_of_a_callback_has_its_options_and_nothing_of_its_training(make_tiny, data, lean, steps, tmp_path, copied, every):
    callback = lean(every)
    fresh = copied(callback)
    for sessions, recording in enumerate((lambda: callback, lambda: copied(callback), lambda: fresh), 1):
        one = recording()
        assert sessions == 1 or one.model is None
        with contextlib.nullcontext() if sessions == 1 else told_of_an_earlier_training():
            make_tiny().fit(*data, batch_size=8, verbose=0, callbacks=[one])
        assert steps() == ([0] if every is operator.not_ else [0, 2])
        assert len({path.name.split("-")[3] for path in tmp_path.glob("train/plugins/*/segment-*")}) == sessions


def test_a_model_can_be_cloned_and_copied_while_it_is_recorded(make_tiny, data, lean, steps):
    class Copies(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            for copied in (keras.models.clone_model(self.model), copy.deepcopy(self.model)):
                copied(data[0][:2])

    model, callback = make_tiny(), lean(1)
    model.fit(*data, batch_size=8, verbose=0, callbacks=[callback, Copies()])
    assert steps() == [0, 1, 2]


def test_models_in_a_row_are_not_told_of_too_many_traces(make_tiny, data, tmp_path, monkeypatch):
    """TensorFlow counts the traces of all models together, as one line of Keras makes their functions."""

    def told(callbacks):
        monkeypatch.setattr(polymorphic_function, "_frequent_tracing_detector_manager", polymorphic_function._FrequentTracingDetectorManager())
        lines = []
        monkeypatch.setattr(polymorphic_function.logging, "warning", lambda text, *rest: lines.append(text))
        for number in range(5):
            make_tiny().fit(*data, batch_size=6, verbose=0, callbacks=callbacks(str(number)))
        return lines

    assert told(lambda _: []) == []
    assert told(lambda name: [tba.ActivationsCallback(tmp_path / name, every=1, **{**LEAN, "samples": "sample"})]) == []


class EverySecond(keras.Model):
    """Makes the variables of its optimizer inside a branch, as it is taken."""

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=data[1], y_pred=self(data[0], training=True))
        gradients = tape.gradient(loss, self.trainable_variables)

        def apply():
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return 0

        tf.cond(loss > -1.0, apply, lambda: 0)
        return {"loss": loss}


def test_an_optimizer_that_is_built_inside_a_branch_is_built_there(tmp_path):
    def train(callbacks):
        keras.utils.set_random_seed(0)
        x = keras.Input((4,), name="x")
        model = EverySecond(x, keras.layers.Dense(1, name="out")(x))
        model.compile("adam", "mse", jit_compile=False)
        model.fit(np.ones((16, 4)), np.ones((16, 1)), batch_size=4, verbose=0, callbacks=callbacks)
        return [np.asarray(variable) for variable in (*model.weights, *model.optimizer.variables)]

    plain = train([])
    recorded = train([tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    assert [each.tobytes() for each in recorded] == [each.tobytes() for each in plain]
    assert tba.open_run(tmp_path / "train").steps("out").tolist() == [0, 1, 2, 3]
