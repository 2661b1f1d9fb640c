"""Pairs of programs drawn at random: a training as users set it up, and its twin with one fault.

The one invariant: what is expected of the twin, rules and nodes, is written when the fault is drawn, from the page of findings alone. Whether it *is*
a fault the trained twin tells: where both train as well, it is none.

`draw(seed)` gives a pair. Of as many seeds in a row as there are faults each is drawn once, with a training of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.drawn_models import Plan, Random, draw_plan
from benchmarks.programs.eighth_models import Of
from benchmarks.programs.registry import Program, Training

Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant
Fault = tuple[Plan, str, list[str]]
Maker = Callable[[Plan, Random], Fault | None]


@dataclass(frozen=True)
class Pair:
    """A healthy plan, its faulty twin, and what findings should say of that: any of these rules, at any of these nodes. Without a rule: the page says
    that it isn't judged."""

    seed: int
    fault: str
    healthy: Plan
    faulty: Plan
    rules: tuple[str, ...]
    nodes: tuple[str, ...]

    def programs(self) -> tuple[Twin, Twin]:
        """Both, to be trained."""
        healthy, faulty, name = self.healthy, self.faulty, f"drawn/{self.seed}"
        return (
            Twin(f"{name}.healthy", "drawn", healthy.training, every=healthy.every, plan=healthy),
            Twin(f"{name}.faulty", "drawn", faulty.training, self.rules, self.nodes, faulty.every, plan=faulty),
        )


@dataclass(frozen=True)
class Twin(Program):
    """A program of a plan, which keeps its score beside its run."""

    plan: Any = None

    def train(self, log_dir: Path) -> Path:
        """Trains, and has the model answer the test."""
        made: list[Training] = []

        def build() -> Training:
            made.append(self.plan.training())
            return made[0]

        path = Program(self.name, self.family, build, every=self.every).train(log_dir)
        (log_dir / SCORE).write_text(json.dumps(self.plan.score(made[0].model)))
        return path


SCORE = "score.json"


FAULTS: dict[str, Maker] = {}


def fault(make: Maker) -> Maker:
    """Registers a fault. It gives the twin, rules and nodes, or None where it doesn't fit; it may alter the healthy plan so that it fits."""
    FAULTS[make.__name__] = make
    return make


def draw(seed: int) -> Pair:
    """The pair of a seed."""
    cycle, place = divmod(seed, len(FAULTS))
    name = sorted(FAULTS)[np.random.default_rng([77, cycle]).permutation(len(FAULTS))[place]]
    random = np.random.default_rng([78, seed])
    while True:
        plan = draw_plan(random)
        drawn = FAULTS[name](plan, random)
        if drawn:
            faulty, rules, nodes = drawn
            return Pair(seed, name, plan, faulty, tuple(rules.split()), tuple(nodes))


def _power(random: Random, low: float, high: float) -> float:
    return float(10 ** random.uniform(low, high))


def _one(random: Random, names: list[str]) -> str:
    return names[int(random.integers(len(names)))]


def _set(plan: Plan, names: list[str], **options: Any) -> Plan:
    ill = plan.copy()
    for name in names:
        ill.options[name] = {**ill.options.get(name, {}), **options}
    return ill


def _behind(plan: Plan, place: str, called: str, function: Callable[[Any], Any]) -> Plan:
    """A twin in which a function follows a layer."""

    def follow(x: Any) -> Any:
        return Of(function, name=called)(x)

    ill = plan.copy()
    ill.after[place] = follow
    return ill


def _with(plan: Plan, after: str, called: str, function: Callable[[Any], Any]) -> Plan:
    """A twin in which a function follows a hidden layer, after its normalization and activation."""
    return _behind(plan, f"active_{after.rsplit('_', 1)[-1]}" if plan.separate else after, called, function)


def _hidden(plan: Plan) -> bool:
    return plan.kind in ("dense", "conv", "residual")


# Rates and optimizers.

UNSTABLE = (
    "update_too_large exploding_loss oscillating_loss exploding_gradient exploding_activation nonfinite dead_units saturated_activation collapse"
)


@fault
def rate_too_high(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.rate *= _power(random, 1, 3)
    return ill, UNSTABLE, [*plan.everywhere, "loss"]


@fault
def rate_a_bit_too_high(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.rate *= _power(random, 1, 1.7)
    return ill, UNSTABLE, [*plan.everywhere, "loss"]


@fault
def rate_too_low(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.rate /= _power(random, 2, 5)
    return ill, "update_too_small", plan.everywhere


@fault
def schedule_that_ends_at_once(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.settings["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(
        plan.rate, int(random.integers(1, 6)), float(random.uniform(0.1, 0.6))
    )
    return ill, "update_too_small", plan.everywhere


@fault
def gradients_clipped_to_nothing(plan: Plan, random: Random) -> Fault | None:
    if plan.optimizer not in ("sgd", "momentum"):
        return None
    ill = plan.copy()
    ill.settings[str(random.choice(["clipnorm", "clipvalue", "global_clipnorm"]))] = _power(random, -7, -3)
    return ill, "update_too_small", plan.everywhere


@fault
def momentum_near_one(plan: Plan, random: Random) -> Fault | None:
    if plan.optimizer != "momentum":
        return None
    ill = plan.copy()
    ill.settings["momentum"] = float(random.choice([0.995, 0.999, 1.0]))
    return ill, UNSTABLE, [*plan.everywhere, "loss"]


@fault
def decay_too_strong(plan: Plan, random: Random) -> Fault | None:
    if plan.optimizer != "adamw":
        return None
    ill = plan.copy()
    ill.settings["weight_decay"] = _power(random, 1, 2.3)
    return ill, "penalty_too_strong collapse", plan.everywhere


@fault
def penalty_too_strong(plan: Plan, random: Random) -> Fault:
    ill = _set(plan, plan.trunk, kernel_regularizer=keras.regularizers.L2(_power(random, 0, 2)))
    return ill, "penalty_too_strong collapse", plan.everywhere


@fault
def weights_held_too_small(plan: Plan, random: Random) -> Fault:
    name = _one(random, plan.trunk)
    ill = _set(plan, [name], kernel_constraint=keras.constraints.MaxNorm(_power(random, -5, -3)))
    return ill, "collapse vanishing_gradient update_too_large", plan.at(name)


@fault
def loss_with_the_wrong_sign(plan: Plan, random: Random) -> Fault:
    ill, right = plan.copy(), keras.losses.get(plan.loss_of_head())
    ill.loss = lambda y, p: -right(y, p)
    return ill, "exploding_loss exploding_gradient update_too_large nonfinite saturated_activation", ["loss", *plan.everywhere]


# Inputs and targets.


@fault
def inputs_as_they_come(plan: Plan, random: Random) -> Fault | None:
    if plan.data.raw is None:
        return None
    ill = plan.copy()
    ill.unscaled = True
    return ill, "unnormalized_input", ["features"]


@fault
def inputs_scaled_to_nothing(plan: Plan, random: Random) -> Fault | None:
    if plan.data.words:
        return None
    ill, factor = plan.copy(), _power(random, -6, -4)
    ill.inputs = lambda x: (x * factor).astype("float32")
    return ill, "unnormalized_input", ["features"]


@fault
def inputs_all_the_same(plan: Plan, random: Random) -> Fault:
    ill, first = plan.copy(), bool(random.integers(2))
    ill.inputs = lambda x: np.broadcast_to(x[:1], x.shape).copy() if first and not plan.data.words else np.zeros_like(x)
    return ill, "constant_input collapse", ["features"]


@fault
def holes_in_the_inputs(plan: Plan, random: Random) -> Fault | None:
    if plan.data.words:
        return None
    ill, share, hole = plan.copy(), float(random.uniform(0.002, 0.05)), float(random.choice([np.nan, np.inf, -np.inf]))

    def holed(x: Any) -> Any:
        x = x.copy()
        x[np.random.default_rng(0).uniform(size=len(x)) < share, 0] = hole
        return x

    ill.inputs, ill.shifted = holed, lambda data: data.x[data.test]
    return ill, "nonfinite", ["features"]


@fault
def holes_in_the_targets(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "number":
        return None
    ill, share = plan.copy(), float(random.uniform(0.002, 0.05))
    ill.labels = lambda y: np.where(np.random.default_rng(0).uniform(size=y.shape) < share, np.nan, y).astype("float32")
    return ill, "nonfinite", ["loss"]


@fault
def targets_as_they_come(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "number":
        return None
    ill, plain = plan.copy(), plan.optimizer in ("sgd", "momentum")
    ill.target_scale = _power(random, 1.7, 4)
    rules = "exploding_loss exploding_gradient nonfinite exploding_activation update_too_large dead_units oscillating_loss collapse"
    return ill, rules if plain else "", ["loss", *plan.everywhere]


@fault
def targets_of_another_range(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "binary":
        return None
    ill, (low, high) = plan.copy(), ((-1, 1), (1, 2), (0, 255))[int(random.integers(3))]
    ill.labels = lambda y: (low + (high - low) * y).astype("float32")
    return ill, "targets_out_of_range exploding_loss", ["loss", "output"]


@fault
def labels_shuffled(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.labels = lambda y: np.roll(y, 1, 0) if plan.seed % 2 else np.random.default_rng(0).permutation(y)
    return ill, "", []


@fault
def labels_of_one_class(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head == "number":
        return None
    ill = plan.copy()
    ill.labels = np.zeros_like
    return ill, "", []


@fault
def validation_without_scaling(plan: Plan, random: Random) -> Fault | None:
    if plan.norm != "batch" or plan.data.raw is None:
        return None
    plan.validated = True
    ill = plan.copy()
    ill.shifted = lambda data: data.raw[data.test]
    return ill, "batchnorm_drift", ["features", *(f"norm_{k}" for k in range(plan.depth))]


# The beginning.


@fault
def layer_of_zeros(plan: Plan, random: Random) -> Fault:
    name = _one(random, plan.trunk)
    return _set(plan, [name], kernel_initializer="zeros"), "poor_initialization collapse vanishing_gradient", plan.at(name)


@fault
def layer_of_one_number(plan: Plan, random: Random) -> Fault:
    name = _one(random, plan.trunk)
    ill = _set(plan, [name], kernel_initializer=Constant(float(random.uniform(0.01, 0.5))))
    return ill, "poor_initialization collapse", plan.at(name)


@fault
def layer_with_large_weights(plan: Plan, random: Random) -> Fault:
    name = _one(random, plan.trunk)
    ill = _set(plan, [name], kernel_initializer=Normal(0, float(random.uniform(1, 20))))
    return ill, "poor_initialization exploding_activation saturated_activation exploding_gradient", plan.at(name)


@fault
def layer_with_tiny_weights(plan: Plan, random: Random) -> Fault:
    name = _one(random, plan.trunk)
    ill = _set(plan, [name], kernel_initializer=Normal(0, _power(random, -7, -4)))
    return ill, "poor_initialization vanishing_gradient collapse", plan.at(name)


@fault
def all_layers_with_large_weights(plan: Plan, random: Random) -> Fault:
    plan.depth = max(plan.depth, 2)
    ill = _set(plan, plan.trunk, kernel_initializer=Normal(0, float(random.uniform(0.5, 5))))
    return ill, "poor_initialization exploding_activation saturated_activation exploding_gradient exploding_loss", plan.everywhere


@fault
def all_layers_with_small_weights(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv") or plan.norm != "none":
        return None
    plan.depth = int(random.integers(3, 8))
    ill = _set(plan, plan.trunk, kernel_initializer=Normal(0, float(random.uniform(0.001, 0.03))))
    return ill, "poor_initialization vanishing_gradient collapse", plan.everywhere


@fault
def embedding_with_large_weights(plan: Plan, random: Random) -> Fault | None:
    if not plan.data.words:
        return None
    ill = _set(plan, ["embedding"], embeddings_initializer=Normal(0, _power(random, 1.3, 3)))
    return ill, "poor_initialization saturated_activation exploding_activation", ["embedding"]


@fault
def attention_with_large_weights(plan: Plan, random: Random) -> Fault | None:
    if plan.kind != "transformer":
        return None
    name = _one(random, [f"attention_{k}" for k in range(plan.depth)])
    ill = _set(plan, [name], kernel_initializer=Normal(0, float(random.uniform(3, 20))))
    return ill, "poor_initialization saturated_activation", [name]


# Units.


@fault
def biases_that_kill(plan: Plan, random: Random) -> Fault | None:
    if not (_hidden(plan) and plan.activation == "relu" and plan.norm == "none"):
        return None
    name = _one(random, plan.trunk)
    return _set(plan, [name], bias_initializer=Constant(-float(random.uniform(3, 50)))), "dead_units collapse", plan.at(name)


@fault
def relus_killed_by_the_rate(plan: Plan, random: Random) -> Fault | None:
    if not (_hidden(plan) and plan.activation == "relu" and plan.norm == "none"):
        return None
    ill = plan.copy()
    ill.rate *= _power(random, 1.5, 2.5)
    return ill, UNSTABLE, [*plan.everywhere, "loss"]


@fault
def deep_sigmoids(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv"):
        return None
    plan.depth, plan.norm, plan.activation = int(random.integers(4, 10)), "none", "relu"
    ill = plan.copy()
    ill.activation = "sigmoid"
    return ill, "vanishing_gradient collapse saturated_activation", plan.everywhere


@fault
def softmax_in_hidden_layers(plan: Plan, random: Random) -> Fault | None:
    if plan.kind != "dense":
        return None
    plan.depth, plan.norm = int(random.integers(2, 6)), "none"
    ill = plan.copy()
    ill.activation = "softmax"
    return ill, "inner_function vanishing_gradient collapse saturated_activation", plan.everywhere


@fault
def exponential_units(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv"):
        return None
    plan.depth, plan.norm = int(random.integers(2, 6)), "none"
    ill = plan.copy()
    ill.activation = "exponential"
    rules = "nonfinite exploding_activation exploding_gradient exploding_loss update_too_large collapse"
    return ill, rules, ["loss", *plan.everywhere]


@fault
def tanh_with_large_weights(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv"):
        return None
    plan.norm, plan.activation, plan.initializer = "none", "tanh", "glorot_uniform"
    ill = _set(plan, plan.trunk, kernel_initializer=Normal(0, float(random.uniform(1.5, 8))))
    return ill, "saturated_activation poor_initialization", plan.everywhere


# Depth and recurrence.


@fault
def deep_without_normalization(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv"):
        return None
    plan.depth, plan.norm = int(random.integers(7, 13)), "batch"
    plan.initializer = str(random.choice(["random_normal", "random_uniform", "glorot_uniform"]))
    ill = plan.copy()
    ill.norm = "none"
    return ill, "vanishing_gradient poor_initialization collapse exploding_gradient exploding_activation dead_units", plan.everywhere


@fault
def recurrence_that_explodes(plan: Plan, random: Random) -> Fault | None:
    if plan.kind != "rnn":
        return None
    plan.cell, plan.depth = "simple", 1
    large = keras.initializers.Orthogonal(float(random.uniform(1.6, 4)))
    ill = _set(plan, plan.trunk, activation=str(random.choice(["relu", "linear"])), recurrent_initializer=large)
    return ill, "exploding_activation exploding_gradient poor_initialization exploding_loss nonfinite update_too_large", [*plan.trunk, "loss"]


@fault
def recurrence_that_forgets(plan: Plan, random: Random) -> Fault | None:
    if plan.kind != "rnn":
        return None
    plan.task, plan.cell, plan.depth, plan.dropout, plan.steps = "first", "simple", 1, 0.0, max(plan.steps, 350)
    ill = _set(plan, plan.trunk, recurrent_initializer=Normal(0, _power(random, -4, -1.5)))
    return ill, "vanishing_gradient poor_initialization", plan.trunk


@fault
def gates_shut_by_a_bias(plan: Plan, random: Random) -> Fault | None:
    if plan.kind != "rnn" or plan.cell not in ("lstm", "gru"):
        return None
    name = _one(random, plan.trunk)
    options: dict[str, Any] = {"bias_initializer": Constant(-float(random.uniform(8, 30)))}
    ill = _set(plan, [name], **options, **({"unit_forget_bias": False} if plan.cell == "lstm" else {}))
    return ill, "saturated_activation collapse vanishing_gradient", [name]


# The head and its loss.


@fault
def logits_for_a_loss_of_probabilities(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head == "number":
        return None
    plan.logits = False
    ill = plan.copy()
    ill.head["activation"] = None
    return ill, "output_mismatch", ["output", "loss"]


@fault
def relu_at_the_output(plan: Plan, random: Random) -> Fault:
    plan.logits = False
    ill = plan.copy()
    ill.head["activation"] = "relu"
    return ill, "output_mismatch targets_out_of_range dead_units collapse", ["output", "loss"]


@fault
def sigmoid_at_the_output_of_a_regression(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "number":
        return None
    plan.target_scale = _power(random, 0, 0.7)
    ill = plan.copy()
    ill.head["activation"] = str(random.choice(["sigmoid", "tanh"]))
    return ill, "saturated_activation targets_out_of_range", ["output"]


@fault
def softmax_of_one_unit(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "binary":
        return None
    plan.logits = False
    ill = plan.copy()
    ill.head["activation"] = "softmax"
    return ill, "collapse saturated_activation output_mismatch vanishing_gradient missing_gradient", ["output", "loss"]


@fault
def softmax_over_the_batch(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "classes":
        return None
    plan.logits = False
    ill = plan.copy()
    ill.head["activation"] = lambda x: ops.softmax(x, 0)
    return ill, "output_mismatch", ["output", "loss"]


@fault
def softmax_twice(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "classes":
        return None
    plan.logits = False

    def again(x: Any) -> Any:
        return layers.Softmax(name="again")(x)

    ill = plan.copy()
    ill.after["output"] = again
    return ill, "output_mismatch", ["output", "again", "loss"]


@fault
def probabilities_for_a_loss_of_logits(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head == "number":
        return None
    plan.logits = True
    squash = ops.softmax if plan.data.head == "classes" else ops.sigmoid
    ill = _behind(plan, "output", "squash", lambda v: squash(v) * 1.0)
    ill.loss, ill.logits, ill.head["activation"] = plan.loss_of_head(), False, None  # it answers with probabilities
    return ill, "output_mismatch", ["output", "squash", "loss"]


@fault
def sigmoids_with_a_categorical_loss(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "classes":
        return None
    plan.logits = False
    ill = plan.copy()
    ill.head["activation"] = "sigmoid"
    return ill, "output_mismatch", ["output", "loss"]


@fault
def squared_error_of_class_numbers(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "classes":
        return None
    ill = plan.copy()
    ill.head.update(units=1, activation=None)
    ill.loss = "mse"
    return ill, "", []


@fault
def cross_entropy_by_hand(plan: Plan, random: Random) -> Fault | None:
    if plan.data.head != "classes" or plan.kind not in ("dense", "conv"):
        return None
    plan.logits, plan.rate = False, plan.rate * 5
    ill, classes = plan.copy(), plan.data.classes

    def entropy(y: Any, p: Any) -> Any:
        return -ops.mean(ops.sum(ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), classes) * ops.log(p), -1))

    ill.loss = entropy
    return ill, "nonfinite", ["loss", "output"]


# Paths that are cut, and weights that stay.


@fault
def everything_frozen(plan: Plan, random: Random) -> Fault:
    ill = plan.copy()
    ill.frozen = True
    return ill, "unchanged_weights", plan.everywhere


@fault
def hidden_layers_frozen(plan: Plan, random: Random) -> Fault:
    return _set(plan, plan.trunk, trainable=False), "", []


def _before(plan: Plan, name: str) -> list[str]:
    inner = [node for node in plan.everywhere if node.rsplit("_", 1)[-1].isdigit() and int(node.rsplit("_", 1)[-1]) <= int(name.rsplit("_", 1)[-1])]
    return [*inner, "embedding", "projection"]


@fault
def gradient_stopped(plan: Plan, random: Random) -> Fault | None:
    if plan.kind in ("residual", "transformer"):
        return None
    name = plan.trunk[-1]
    return _with(plan, name, "stop", ops.stop_gradient), "missing_gradient", _before(plan, name)


@fault
def units_rounded(plan: Plan, random: Random) -> Fault | None:
    if plan.kind in ("residual", "transformer"):
        return None
    name, how = _one(random, plan.trunk), (ops.round, ops.sign, lambda x: ops.cast(ops.cast(x, "int32"), "float32"))[int(random.integers(3))]
    return _with(plan, name, "rounded", how), "missing_gradient unchanged_weights", [*_before(plan, name), "rounded"]


@fault
def gradient_stopped_at_the_output(plan: Plan, random: Random) -> Fault:
    rules = "missing_gradient vanishing_gradient unchanged_weights update_too_small"
    return _behind(plan, "output", "stop", lambda v: ops.stop_gradient(v) + 0 * ops.mean(v)), rules, [*plan.everywhere, "stop"]


# Factors.


@fault
def factor_of_next_to_nothing(plan: Plan, random: Random) -> Fault | None:
    if plan.kind in ("residual", "transformer"):
        return None
    name, factor = _one(random, plan.trunk), _power(random, -8, -4)
    k = int(name.rsplit("_", 1)[-1])
    nodes = ["shrink", *_before(plan, name), *(plan.at(f"{plan.prefix}_{k + 1}") if k + 1 < plan.depth else ["output"])]
    return _with(plan, name, "shrink", lambda x: x * factor), "vanishing_gradient collapse update_too_small", nodes


@fault
def factor_of_thousands(plan: Plan, random: Random) -> Fault | None:
    if plan.kind in ("residual", "transformer"):
        return None
    name, factor = _one(random, plan.trunk), _power(random, 3.3, 6)
    k = int(name.rsplit("_", 1)[-1])
    nodes = ["grow", *(node for j in range(k + 1, plan.depth) for node in plan.at(f"{plan.prefix}_{j}")), "output", "loss"]
    rules = "exploding_activation exploding_gradient saturated_activation exploding_loss"
    return _with(plan, name, "grow", lambda x: x * factor), rules, nodes


# Numbers that aren't.


def _step(plan: Plan, called: str, right: Callable[[Any], Any], wrong: Callable[[Any], Any]) -> Fault | None:
    """A layer of a function in both twins, right and wrong, behind the first of the hidden layers, which are ReLUs."""
    if plan.kind not in ("dense", "conv"):
        return None
    plan.activation, plan.depth = "relu", max(plan.depth, 2)
    ill = _with(plan, plan.trunk[0], called, wrong)
    plan.after = _with(plan, plan.trunk[0], called, right).after
    return ill, "nonfinite", [called]


@fault
def logarithm_of_zero(plan: Plan, random: Random) -> Fault | None:
    return _step(plan, "logarithm", ops.log1p, ops.log)


@fault
def root_of_zero(plan: Plan, random: Random) -> Fault | None:
    return _step(plan, "root", lambda x: ops.sqrt(x + 1), ops.sqrt)


@fault
def length_of_zeros(plan: Plan, random: Random) -> Fault | None:
    def by_length(x: Any) -> Any:
        x = x * ops.cast(x > 1.0, x.dtype)
        return x / ops.sqrt(ops.sum(x**2, -1, keepdims=True))

    def safely(x: Any) -> Any:
        x = x * ops.cast(x > 1.0, x.dtype)
        return x / ops.sqrt(ops.sum(x**2, -1, keepdims=True) + 1e-3)

    return _step(plan, "unit_length", safely, by_length)


@fault
def standardized_by_hand(plan: Plan, random: Random) -> Fault | None:
    def wrong(x: Any) -> Any:
        return (x - ops.mean(x, 0)) / ops.std(x, 0)

    def right(x: Any) -> Any:
        return (x - ops.mean(x, 0)) / (ops.std(x, 0) + 0.1)

    drawn = _step(plan, "standardize", right, wrong)
    if drawn:  # the first unit gives 0 for every example, as a constant column does
        for twin in (plan, drawn[0]):
            twin.options[plan.trunk[0]] = {"bias_initializer": _first_dead, **twin.options.get(plan.trunk[0], {})}
    return drawn if plan.norm == "none" else None


def _first_dead(shape: Any, dtype: Any = None) -> Any:
    return ops.cast(np.where(np.arange(shape[0]) == 0, -50.0, 0.0), dtype or "float32")


@fault
def half_precision_overflows(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv") or plan.norm != "none":
        return None
    plan.policy = "mixed_float16"
    ill, factor = plan.copy(), _power(random, 4, 6)
    ill.inputs = lambda x: (x * factor).astype("float32")
    return ill, "float16_overflow nonfinite unnormalized_input loss_scale_thrash", ["features", *plan.everywhere, "loss"]


@fault
def half_precision_underflows(plan: Plan, random: Random) -> Fault | None:
    if plan.kind not in ("dense", "conv") or plan.norm != "none" or plan.optimizer != "sgd":
        return None
    plan.policy = "float16"
    ill, weight, right = plan.copy(), _power(random, -7, -5), keras.losses.get(plan.loss_of_head())
    ill.loss = lambda y, p: right(y, p) * weight
    return ill, "float16_underflow update_too_small vanishing_gradient", ["loss", *plan.everywhere]


# Normalization and dropout.


@fault
def moving_statistics_that_never_arrive(plan: Plan, random: Random) -> Fault | None:
    if plan.norm != "batch":
        return None
    plan.validated = True
    ill = plan.copy()
    ill.momentum = float(random.choice([0.999, 0.9999, 0.99999]))
    return ill, "batchnorm_drift", [f"norm_{k}" for k in range(plan.depth)]


@fault
def normalized_over_a_batch_of_one(plan: Plan, random: Random) -> Fault | None:
    if plan.norm != "batch" or plan.kind != "dense":
        return None
    ill = plan.copy()
    ill.batch = 1
    return ill, "collapse", [node for name in plan.trunk for node in plan.at(name)]


@fault
def normalization_of_one_unit(plan: Plan, random: Random) -> Fault | None:
    if plan.kind in ("residual", "transformer", "conv"):
        return None
    place = f"active_{plan.depth - 1}" if plan.separate else plan.trunk[-1]
    ill = plan.copy()
    ill.after[place] = lambda x: layers.LayerNormalization(name="bottleneck_norm")(layers.Dense(1, name="bottleneck")(x))
    return ill, "collapse", ["bottleneck", "bottleneck_norm"]


@fault
def nearly_all_dropped(plan: Plan, random: Random) -> Fault:
    names = plan.trunk
    if plan.kind == "transformer":
        names = [f"down_{k}" for k in range(plan.depth)]
    k = _one(random, names).rsplit("_", 1)[-1]
    return _set(plan, [f"dropout_{k}"], rate=float(random.uniform(0.9, 0.99))), "heavy_dropout", [f"dropout_{k}"]


def score(log_dir: Path) -> float:
    """What the twin that was trained there answered right, as `Plan.score` tells."""
    return float(json.loads((log_dir / SCORE).read_text()))


def outcome(healthy: float, faulty: float) -> str:
    """What the scores say of a pair: "unfit" (the healthy one doesn't train well), "fault" (its twin is clearly worse), "harmless", or "between"."""
    if healthy < 0.4:
        return "unfit"
    if faulty < 0.75 * healthy and faulty < healthy - 0.15:
        return "fault"
    return "harmless" if faulty > 0.93 * healthy - 0.02 else "between"
