"""TensorFlow operations of the step: listed on request, recorded by pattern, under XLA too, with names that don't depend on the trace."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba

from . import zoo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]


def run_of(log_dir, name, **options):
    model, x, y = zoo.build(name, optimizer=keras.optimizers.SGD(0.0), jit_compile=options.pop("jit_compile", False))
    kept = {"histograms": False, "samples": "full", "kinds": ["loss"], "validation": False, "print_findings": False}
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, every=1, **kept, **options)])
    return model, x, tba.open_run(log_dir / "train")


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_a_pattern_records_operations_with_their_values(tmp_path, jit_compile):
    model, x, run = run_of(tmp_path, "subclassed", ops=["^block_a/project/MatMul$", "^Sigmoid$"], jit_compile=jit_compile)
    found = {node.name: node for node in run.nodes if node.kind == "op" and node.class_name in ("MatMul", "Sigmoid")}
    assert set(found) == {"block_a/project/MatMul", "block_a/gate/Sigmoid", "block_b/gate/Sigmoid"}
    project, gate = model.blocks[0].parts["in"], model.blocks[0].parts["gate"]
    np.testing.assert_allclose(run.value("block_a/project/MatMul", 0), x @ project.kernel.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.value("block_a/gate/Sigmoid", 0), gate(x), rtol=1e-4, atol=1e-6)
    assert found["block_a/project/MatMul"].source.file.endswith("zoo.py")


def test_the_list_has_every_operation_and_none_of_ours(tmp_path):
    _, _, first = run_of(tmp_path / "first", "regularized", ops="list")
    _, _, second = run_of(tmp_path / "second", "regularized", ops="list")
    operations = [node for node in first.nodes if node.kind == "op"]
    types = {node.class_name for node in operations}
    assert {"MatMul", "BiasAdd", "ReadVariableOp", "AssignSubVariableOp", "Placeholder"} <= types
    assert not [node.name for node in operations if "tb_activations" in node.name]
    assert first.graph == second.graph
    nodes = {node.name: node for node in first.nodes}
    assert [first.nodes[index].name for index in nodes["hidden/BiasAdd"].inputs if "Read" not in first.nodes[index].name] == ["hidden/MatMul"]
    assert nodes["hidden/MatMul"].state == "available"
    assert 'ops=[r"^hidden/MatMul$"]' in nodes["hidden/MatMul"].code_to_paste


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_the_catalogue_has_every_operation_without_being_asked(tmp_path, jit_compile):
    model, _, run = run_of(tmp_path, "subclassed", jit_compile=jit_compile)
    assert not [node for node in run.nodes if node.kind == "op"]
    operations = run.operations()
    assert len({operation.name for operation in operations}) == len(operations)
    assert not [operation.name for operation in operations if "tb_activations" in operation.name]
    by_name = {operation.name: operation for operation in operations}
    calls = len([node for node in run.nodes if node.class_name == "Dense" and node.shape is not None])
    forward = [operation for operation in operations if operation.type_name == "MatMul" and "gradient_tape" not in operation.name]
    assert len(forward) == calls
    project = by_name["block_a/project/MatMul"]
    assert project.shape[-1] == model.blocks[0].parts["in"].units
    assert project.source.file.endswith("zoo.py")
    # The tap between two operations is not seen.
    bias = by_name["block_a/project/BiasAdd"]
    assert "block_a/project/MatMul" in {operations[index].name for index in bias.inputs}
    assert operations.index(bias) in {index for operation in operations if "block_a/project" not in operation.name for index in operation.inputs}
    # What a pattern records is found by the name that the catalogue has.
    _, _, listed = run_of(tmp_path / "listed", "subclassed", ops="list", jit_compile=jit_compile)
    nodes = {node.name: node for node in listed.nodes if node.kind == "op"}
    assert by_name.keys() <= nodes.keys()
    for name, operation in by_name.items():
        inputs = {operations[index].name for index in operation.inputs}
        told = {listed.nodes[index].name.split(":")[0] for index in nodes[name].inputs if listed.nodes[index].kind == "op"}
        assert (operation.type_name, operation.source) == (nodes[name].class_name, nodes[name].source)
        assert told <= inputs
