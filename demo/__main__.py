"""Trains the demo and says, for each of the three situations, what plain code answers and where the value is now.

python -m demo --log-dir logs/demo
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import keras
import numpy as np

import tb_activations as tba
from demo import digits, tape, text
from tb_activations.store.schema import Quantity


def _heading(title: str) -> None:
    print(f"\n── {title} {'─' * max(0, 92 - len(title))}", flush=True)


def _show(run: tba.Run, node: str, quantity: Quantity = "value") -> str:
    """One line about the newest recorded value of a node: its step, shape and first numbers."""
    step = int(run.steps(node, quantity)[-1])
    value = np.asarray(run.value(node, step, quantity), np.float32)
    numbers = ", ".join(f"{number:.4g}" for number in value.ravel()[:4])
    return f"{node}, {quantity} at step {step}, {list(value.shape)}: {numbers}, …"


def inside_a_layer(log_dir: Path) -> keras.Model:
    """Situation (a): the tensor is made inside ``call``, so no layer gives it out."""
    classifier = digits.train(log_dir)
    run = tba.open_run(log_dir / "digits" / "train")
    name = next(node.name for node in run.nodes if node.name.endswith("channel_mean"))
    print("\n(a) A tensor inside a custom layer's call.")
    print("    plain code:      print(mean) in Gate.call shows Tensor(…, dtype=float32), once, while the step is traced")
    print(f"    tb_activations:  {_show(run, name)}")
    return classifier


def inside_a_nested_model(classifier: keras.Model, log_dir: Path) -> None:
    """Situation (b): a second model can't be built, since the inner tensor is not connected to the outer inputs."""
    inner = classifier.get_layer("encoder").get_layer("block2_relu").output
    try:
        keras.Model(classifier.inputs, inner)
        answer = "built a second model"
    except ValueError as error:
        answer = str(error)
    run = tba.open_run(log_dir / "digits" / "train")
    name = next(node.name for node in run.nodes if node.name.endswith("block2_relu"))
    print("\n(b) An intermediate tensor of a nested model.")
    print(f"    plain code:      keras.Model(model.inputs, inner.output): {answer}")
    print(f"    tb_activations:  {_show(run, name)}")


def inside_a_compiled_step(log_dir: Path) -> None:
    """Situation (c): the gradients exist only inside the compiled step."""
    printed = tape.train(log_dir)
    run = tba.open_run(log_dir / "tape" / "train")
    print("\n(c) Gradients of a GradientTape step compiled with tf.function.")
    print(f"    plain code:      print(gradients[0]) shows {printed}")
    print(f"    tb_activations:  {_show(run, 'logits/kernel', 'gradient')}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Trains the demo.")
    parser.add_argument("--log-dir", type=Path, default=Path("logs/demo"), help="where the runs go; runs of an earlier demo there are replaced")
    log_dir: Path = parser.parse_args().log_dir
    for name in ("digits", "digits-too-fast", "text", "tape"):
        shutil.rmtree(log_dir / name, ignore_errors=True)
    keras.utils.set_random_seed(1)
    started = time.monotonic()
    _heading("Handwritten digits, a convolutional network")
    classifier = inside_a_layer(log_dir)
    inside_a_nested_model(classifier, log_dir)
    _heading("Handwritten digits, a loop with tf.GradientTape")
    inside_a_compiled_step(log_dir)
    _heading("The same network with a learning rate 500 times too large")
    digits.train_too_fast(log_dir)
    _heading("Python's standard library, a character-level transformer")
    text.train(log_dir)
    print(f"\nTrained in {time.monotonic() - started:.0f} s. The runs are in {log_dir}.")


if __name__ == "__main__":
    main()
