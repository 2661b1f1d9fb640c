"""Why a quantity of a node has no value: the closed list of reasons, one place for all of them.

The one invariant: whatever writes a reason code takes it from `REASONS`, and whatever shows one takes its words from here. Words are
templates over the ``detail`` of the node (``str.format_map``); the node's name is always there as ``{node}``. A detail that a file
lacks reads as "?", so that formatting never fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["REASONS", "Explanation", "Reason", "explain_reason"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason code.

    Attributes:
      code: the stable name on disk.
      state: what a quantity with this reason is.
      title: two to five words, for a list row.
      sentence: what is the case and why.
      remedy: what to do about it; empty when nothing need be done.
      code_to_paste: Python that does it; empty when there is none.
    """

    code: str
    state: Literal["available", "unreachable"]
    title: str
    sentence: str
    remedy: str = ""
    code_to_paste: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason filled in for one node."""

    code: str
    state: Literal["available", "unreachable"]
    title: str
    sentence: str
    remedy: str
    code_to_paste: str


_UNKNOWN = Reason(
    "unknown",
    "unreachable",
    "unknown reason",
    "This run names a reason that this version of tb_activations does not know.",
    "Install the version of tb_activations that wrote the run, or a newer one.",
)

_ALL = (
    Reason(
        "not_captured_yet",
        "available",
        "no capture yet",
        "`{node}` is selected, and no capture has reached the log directory yet.",
        "Wait for the next scheduled step.",
    ),
    Reason(
        "size_budget",
        "available",
        "left out by the size budget",
        "The size budget of this run (`max_bytes`) left out the {part} of `{node}` at step {step}: {stage}.",
        "Give the next training more room, or record fewer nodes or steps:",
        "tb_activations.ActivationsCallback(log_dir, max_bytes=None)",
    ),
    Reason(
        "filtered",
        "available",
        "not selected",
        "`{node}` can be recorded, but {option} leaves it out. Steps that are over can't be recorded afterwards.",
        "Select it for the next training:",
        "tb_activations.ActivationsCallback(log_dir{arguments})",
    ),
    Reason(
        "kind_off",
        "available",
        "kind not selected",
        "`{node}` can be recorded, but `kinds` leaves out every {kind}.",
        "Name it in `kinds` for the next training:",
        "tb_activations.ActivationsCallback(log_dir, kinds={kinds})",
    ),
    Reason(
        "quantity_off",
        "available",
        "quantity not selected",
        "The {quantity} of `{node}` can be recorded, but `quantities` leaves it out.",
        "Name it in `quantities` for the next training:",
        'tb_activations.ActivationsCallback(log_dir, quantities=("value", "gradient", "update"))',
    ),
    Reason(
        "not_called",
        "unreachable",
        "not called in this step",
        "`{node}` belongs to the model, but the recorded step doesn't call it, so it has no value in it.",
        "If it should take part, call it in `call` or connect it to an output of the model.",
    ),
    Reason(
        "used_without_call",
        "unreachable",
        "used, not called",
        "The step uses `{node}` without calling it: what keeps it runs its `call` method (as `TimeDistributed` does), or uses its layers or weights "
        "itself.",
        "Look at what keeps it, or put a probe on the tensor of interest inside its `call`:",
        'x = tb_activations.probe(x, "name")',
    ),
    Reason(
        "past_model",
        "unreachable",
        "model not called",
        "Nothing comes in at `{node}`: the step uses the layers of `{model}`, or its `call` method, without calling the model itself.",
        "What its layers are given is recorded with them. To see it here, call the model in the step:",
        "outputs = model(inputs, training=True)   # {model}",
    ),
    Reason(
        "fused_attention",
        "unreachable",
        "attention in one operation",
        "`{owner}` computes attention in one operation, without calling `{node}`: the attention scores exist only inside it.",
        "Ask the layer for its scores: Keras then computes them with the softmax layer, whose output is recorded:",
        "output, scores = attention(query, value, return_attention_scores=True)   # {owner}",
    ),
    Reason(
        "no_dropout_rate",
        "unreachable",
        "dropout without a rate",
        "`{owner}` keeps `{node}` and doesn't call it, since its rate is 0.",
        "Nothing is wrong. To drop attention scores in training, give the layer a rate:",
        "keras.layers.{class_name}({sizes}, dropout=0.1)   # {owner}",
    ),
    Reason(
        "other_branch",
        "unreachable",
        "other branch taken",
        "`{node}` is called in a branch of `{construct}` that has not been taken at any recorded step.",
        "Nothing is wrong with the recording: the value appears once the branch is taken at a recorded step.",
    ),
    Reason(
        "while_body",
        "unreachable",
        "inside a loop or branch",
        "`{node}` is called in {place}. {detail}",
        "Record it in a training without replicas, or, where it is a short loop, unroll it:",
        "keras.layers.LSTM(units, unroll=True)",
    ),
    Reason(
        "traced_earlier",
        "unreachable",
        "inside a function traced earlier",
        "`{node}` is called inside the `tf.function` `{function}`, which can't be run inline: {detail}",
        "Remove the inner `@tf.function` (the train step is compiled anyway), or put a probe on what it returns:",
        'x = tb_activations.probe({function}(x), "{function}")',
    ),
    Reason(
        "function_of_dataset",
        "unreachable",
        "inside a loop over a dataset",
        "`{node}` is called in a function of a `tf.data.Dataset`, as which TensorFlow runs the body of a loop over one; it has a graph of its own.",
        "Let the step take one batch, and loop over the data outside of it:",
        "step = tb_activations.watch(train_step, model=model, log_dir=log_dir)\nfor batch in dataset:\n    step(*batch)",
    ),
    Reason(
        "function_in_eager_step",
        "unreachable",
        "inside a function of an eager step",
        "`{node}` is called inside the `tf.function` `{function}`, which has a graph of its own, while the step around it runs eagerly.",
        "Run the whole step as a graph (with `@tf.function` on it, without `run_eagerly`), or watch the function in the place of the step:",
        "{function} = tb_activations.watch({function}, model=model, log_dir=log_dir)",
    ),
    Reason(
        "function_of_keras",
        "unreachable",
        "inside a function of Keras",
        "`{node}` is called by a function that Keras made, as by `train_on_batch`, while the step around it runs eagerly.",
        "Don't watch the step, but let the loop call `on_train_begin`, `on_epoch_begin`, `on_train_batch_begin` and so on, as `fit` does, of:",
        "keras.callbacks.CallbackList([tb_activations.ActivationsCallback(log_dir)], model=model)",
    ),
    Reason(
        "vectorized",
        "unreachable",
        "inside vectorized_map",
        "`{node}` is called inside `vectorized_map`, which calls it with one example and rewrites its operations for all of them: "
        "the tensor that the call gave is not the one that the step computes.",
        "Call the layer with the whole batch, or put a probe on what `vectorized_map` returns:",
        'y = tb_activations.probe(y, "name")',
    ),
    Reason(
        "not_on_loss_path",
        "unreachable",
        "not on the path to the loss",
        "No loss of this step depends on `{node}` in a differentiable way, so d loss / d value does not exist.",
        "If it should be trained, use its output for a loss. Its value is recorded all the same.",
    ),
    Reason(
        "nothing_differentiated",
        "unreachable",
        "no loss differentiated",
        "The step differentiates no loss with respect to a variable, so d loss / d value of `{node}` does not exist.",
        "If it should train: `fit` differentiates nothing where `model.trainable_weights` is empty; a step of your own has to call `tape.gradient`.",
    ),
    Reason(
        "loss_from_logits",
        "unreachable",
        "loss taken before the activation",
        "The loss is computed from what goes into the last operation of `{node}` ({by}), and not from its value, so d loss / d value does not exist. "
        "Keras does so on its own where it can: the numbers are more exact. The gradients of its weights are those that train it.",
        "Nothing is wrong. To see the gradient of the logits, leave the activation out of the layer and give the loss `from_logits=True`.",
    ),
    Reason(
        "gradient_stopped",
        "unreachable",
        "gradient stopped",
        "The path from `{node}` to the loss goes through `{by}` only, which lets no gradient pass.",
        "Remove the `stop_gradient` if this part should be trained.",
    ),
    Reason(
        "non_differentiable",
        "unreachable",
        "non-differentiable operation",
        "The path from `{node}` to the loss goes through `{by}`, which has no gradient.",
        "Replace it by a differentiable operation, or compute the loss from what comes before it.",
    ),
    Reason(
        "kept_by_layer",
        "unreachable",
        "not trained",
        "`{node}` is kept by `{owner}` itself, as a constant, a moving average, a counter or a random state: no optimizer changes it, so it has no "
        "gradient and no update.",
        "Nothing is wrong. Its value is recorded.",
    ),
    Reason(
        "optimizer_state",
        "unreachable",
        "kept by the optimizer",
        "`{node}` is a variable of the optimizer itself: nothing is differentiated by it, so it has no gradient and no update.",
        "Nothing is wrong. Its value is recorded.",
    ),
    Reason(
        "not_trainable",
        "unreachable",
        "not trainable",
        "`{node}` is not trainable, so the step computes no gradient and no update for it.",
        "Set `trainable` of `{owner}` before `compile`, if it should be trained.",
        "{layer}.trainable = True   # {owner}",
    ),
    Reason(
        "nothing_trained",
        "unreachable",
        "nothing trained before it",
        "The step doesn't compute d loss / d value of `{node}`: nothing that this loss trains leads to it in a differentiable way.",
    ),
    Reason(
        "outside_tape",
        "unreachable",
        "outside the tape",
        "`{node}` is computed where no `tf.GradientTape` of the step records, so the step doesn't compute d loss / d value of it.",
        "Nothing is wrong where it isn't to be trained by this call. Else make the call inside `with tf.GradientTape() as tape:`. "
        "What `keras.RematScope` or `tf.recompute_grad` computes again has its gradient at that second call.",
    ),
    Reason(
        "inner_gradient",
        "unreachable",
        "an inner gradient only",
        "What comes back to `{node}` is the gradient that one tape gives inside of another, as for a penalty on gradients. That isn't d loss / d "
        "value: of a loss nothing comes back to the value.",
        "Nothing is wrong: weights have the gradient of the whole loss. To see what the inner tape gives, put a probe on it:",
        'gradient = tb_activations.probe(gradient, "name")',
    ),
    Reason(
        "is_loss",
        "unreachable",
        "the loss itself",
        "`{node}` is what the step differentiates: its own gradient is 1 at every step.",
    ),
    Reason(
        "op_value_only",
        "unreachable",
        "only values of operations",
        "`{node}` is a single TensorFlow operation, of which the value is recorded.",
        "Its gradient is the value of another operation: look for it under `gradient_tape`, or put a probe on the tensor:",
        'x = tb_activations.probe(x, "name")',
    ),
    Reason(
        "op_not_selected",
        "available",
        "operation not selected",
        "`{node}` is a single TensorFlow operation. It can be recorded, but no pattern of `ops` selects it.",
        "Select it for the next training:",
        'tb_activations.ActivationsCallback(log_dir, ops=[r"{pattern}"])',
    ),
    Reason(
        "no_output",
        "unreachable",
        "operation without output",
        "`{node}` is an operation that returns nothing: it assigns, asserts, or orders others.",
    ),
    Reason(
        "no_gradient_dtype",
        "unreachable",
        "no gradient for this dtype",
        "`{node}` has dtype {dtype}. Only floating-point tensors have a gradient.",
    ),
    Reason(
        "no_statistics_dtype",
        "unreachable",
        "dtype has no statistics",
        "`{node}` has dtype {dtype}, for which mean, std and the like are not defined.",
        "Record what is computed from it: of texts what a lookup makes of them, of complex numbers their absolute value.",
    ),
    Reason(
        "not_a_tensor",
        "unreachable",
        "not a tensor",
        "`{node}` returns {type}: neither a tensor nor a list, tuple or dict of tensors.",
        "Put a probe on the tensor of interest inside its `call`:",
        'x = tb_activations.probe(x, "name")',
    ),
    Reason(
        "inference_only",
        "unreachable",
        "inference only",
        "This run recorded `{mode}`, which computes no gradients and no updates.",
        "Look at the training run for gradients.",
    ),
    Reason(
        "no_optimizer_step",
        "unreachable",
        "no optimizer step seen",
        "The train step applied no gradient to `{node}` through an optimizer of Keras.",
        "Nothing is wrong where it isn't to be trained, as the copy of a network that follows it. Else hand its gradient to `optimizer.apply`.",
    ),
    Reason(
        "frozen_from_above",
        "unreachable",
        "frozen from above",
        "No optimizer was given `{node}`. It is trainable, but `trainable` of {owner}, which keeps it, is False: its `trainable_weights` are empty, "
        "whatever is inside.",
        "Set it, which sets that of everything inside, too; then freeze again what shall stay, and call `compile`:",
        "{layer}.trainable = True   # {owner}",
    ),
    Reason(
        "not_a_weight",
        "unreachable",
        "no weight of its layer",
        "`{node}` is a `tf.Variable`, which Keras doesn't count among the weights of `{owner}`: no optimizer is asked to change it, and it isn't "
        "saved.",
        "Make it a weight of `{owner}`: write `keras.Variable` for `tf.Variable`, which keeps the numbers that it begins with:",
        'self.{attribute} = keras.Variable(initial_value, name="{attribute}")',
    ),
    Reason(
        "trained_inside",
        "unreachable",
        "trained inside a loop or branch",
        "The gradient of `{node}` is computed inside a loop, a branch or a function of the step, and can't leave it.",
        "Its update, that of the whole step, is recorded. To see its gradient, call `tape.gradient` in the step itself: only the optimizer may stay.",
    ),
    Reason(
        "replaced",
        "unreachable",
        "replaced at every step",
        "`{node}` is no weight that is learned: what the layer hands to the optimizer in the place of a gradient is its next value, as Keras does "
        "with the scales of float8, so d loss / d value does not exist.",
        "Nothing is wrong. Its value and its update are recorded.",
    ),
    Reason(
        "custom_gradient",
        "unreachable",
        "past a gradient of its own",
        "The path from `{node}` to the loss goes through a function with a gradient of its own (`tf.custom_gradient`), which doesn't ask for "
        "d loss / d value of what is computed inside it.",
        "If that function calls `{node}` again for its gradient, look at that later call. Else put a probe on what the function is given or returns:",
        'x = tb_activations.probe(x, "name")',
    ),
    Reason(
        "no_update",
        "unreachable",
        "only variables have updates",
        "`{node}` is not a variable, so the optimizer doesn't change it.",
    ),
)

REASONS: Mapping[str, Reason] = {reason.code: reason for reason in _ALL}


class _Detail(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def explain_reason(code: str, node: str, detail: Mapping[str, object]) -> Explanation:
    """Fills in the words of reason ``code`` for ``node``. An unknown code gives an explanation that says so."""
    reason = REASONS.get(code, _UNKNOWN)
    values = _Detail({key: str(value) for key, value in detail.items()}, node=node)

    def fill(template: str) -> str:
        return template.format_map(values)

    return Explanation(reason.code, reason.state, reason.title, fill(reason.sentence), fill(reason.remedy), fill(reason.code_to_paste))
