"""Records one epoch of a model, and reads the list of its nodes."""

from __future__ import annotations

import tb_activations as tba


def run_of(tmp_path, model, x, y, **options):
    callback = tba.ActivationsCallback(tmp_path, every=1, **{"histograms": False, "samples": "none", **options})
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    return tba.open_run(tmp_path / "train")


def listed(run, *kinds):
    return [node.name for node in run.nodes if node.kind in kinds]


def inputs_of(run):
    return {node.name: [run.nodes[index].name for index in node.inputs] for node in run.nodes if node.kind != "variable"}


def reason(run, name, quantity="value"):
    (node,) = [node for node in run.nodes if node.name == name]
    return node.quantities[quantity].reason
