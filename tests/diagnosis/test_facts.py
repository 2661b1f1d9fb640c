"""Who feeds whom, and who owns what."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from tb_activations.diagnosis import evaluate
from tb_activations.diagnosis import facts as facts_module
from tb_activations.diagnosis.bitsets import closure, members
from tb_activations.diagnosis.facts import Facts
from tb_activations.store.run import open_run
from tests.builders import build_run
from tests.diagnosis.hand import nodes_of

BRANCHES = """
    input x [?,8]
    layer shared Dense [?,8] <- x relu
    variable shared/kernel [8,8] gradient update
    layer shared@2 Dense [?,8] <- shared
    layer left Dense [?,4] <- shared@2
    variable left/kernel [8,4] gradient update
    layer right Flatten [?,8] <- shared@2
    layer sum Add [?,4] <- left right
    loss loss [] <- sum
"""


def test_variables_act_at_every_call_of_their_layer():
    facts = Facts(nodes_of(BRANCHES))
    index = {name: position for position, name in enumerate(facts.names)}
    assert [facts.names[place] for place in facts.places(index["shared/kernel"])] == ["shared", "shared@2"]
    assert facts.owned[index["shared@2"]] == (index["shared/kernel"],)


def test_dependence_follows_the_data():
    facts = Facts(nodes_of(BRANCHES))
    index = {name: position for position, name in enumerate(facts.names)}
    assert facts.depends(index["loss"], index["shared/kernel"])
    assert facts.depends(index["left/kernel"], index["shared/kernel"])
    assert not facts.depends(index["right"], index["left"])
    assert not facts.depends(index["x"], index["left"])


def test_an_output_has_no_weights_after_it():
    facts = Facts(nodes_of(BRANCHES))
    outputs = [name for position, name in enumerate(facts.names) if facts.is_output(position) and facts.nodes[position].kind == "layer"]
    assert outputs == ["left", "right", "sum"]


def test_a_layer_inside_a_container_is_an_output_too():
    facts = Facts(
        nodes_of(
            "input x [?,8]; layer net/last Dense [?,4] <- x; variable net/last/kernel [8,4]; layer net Net [?,4] <- net/last; loss loss [] <- net"
        )
    )
    assert facts.is_output(facts.names.index("net/last"))


def test_order_stands_in_for_edges_that_are_not_known():
    facts = Facts(nodes_of("input x [?,8]; layer one Dense [?,8]; variable one/kernel [8,8]; layer two Dense [?,8]; loss loss []"))
    assert facts.depends(facts.names.index("loss"), facts.names.index("x"))
    assert facts.depends(facts.names.index("two"), facts.names.index("one/kernel"))


def test_a_cycle_of_a_hostile_file_ends():
    facts = Facts(nodes_of("layer one Dense [?,8] <- two; layer two Dense [?,8] <- one"))
    assert facts.depends(0, 1)
    assert facts.depends(1, 0)


def test_fan_in_counts_what_one_output_is_a_sum_of():
    facts = Facts(
        nodes_of(
            "variable a/kernel [3,3,8,16]; layer dw DepthwiseConv2D; variable dw/kernel [3,3,8,1]; variable"
            " s/depthwise_kernel [3,3,8,2]; variable d/kernel [64,10]"
        )
    )
    assert [facts.fan_in(index) for index in facts.kernels.tolist()] == [72, 9, 9, 64]


def test_the_next_effective_node_is_behind_what_passes_numbers_on():
    facts = Facts(nodes_of("input x [?,8,8,1]; layer flat Flatten [?,64] <- x; layer drop Dropout [?,64] <- flat; layer dense Dense [?,8] <- drop"))
    assert [facts.names[node] for node in facts.next_effective(0)] == ["dense"]


def test_fan_in_of_attention_counts_what_its_products_sum_over():
    text = """
        input x [?,24,32]
        layer a/query EinsumDense [?,24,4,8] <- x
        variable a/query/kernel [32,4,8]
        layer a/attention_output EinsumDense [?,24,32] <- a/query
        variable a/attention_output/kernel [4,8,32]
        layer wide EinsumDense [?,24,16] <- a/attention_output
        variable wide/kernel [32,16]
    """
    facts = Facts(nodes_of(text))
    made = np.einsum("btd,dhk->bthk", np.ones((1, 24, 32)), np.ones((32, 4, 8)))
    back = np.einsum("bthk,hkd->btd", np.ones((1, 24, 4, 8)), np.ones((4, 8, 32)))
    assert [facts.fan_in(index) for index in facts.kernels.tolist()] == [made[0, 0, 0, 0], back[0, 0, 0], 32]


def test_the_weights_of_a_cell_act_where_the_recurrent_layer_stands():
    facts = Facts(
        nodes_of(
            """
            input x [?,8,8]
            layer lstm/cell LSTMCell [?,4] <- x
            variable lstm/cell/kernel [8,16]
            variable lstm/cell/recurrent_kernel [4,16]
            layer lstm LSTM [?,4] <- x
            layer last Dense [?,2] <- lstm
            variable last/kernel [4,2]
            loss loss [] <- last
            """
        )
    )
    assert [facts.names[place] for place in facts.places(facts.names.index("lstm/cell/kernel"))] == ["lstm"]
    assert [facts.is_output(facts.names.index(name)) for name in ("lstm/cell/kernel", "lstm", "last/kernel")] == [False, False, True]
    assert facts.later_kernels == ((2,), (2,), ())


def _reach(edges, node):
    """What a walk from a node meets."""
    seen, pending = set(), list(edges[node])
    while pending:
        target = pending.pop()
        if target not in seen:
            seen.add(target)
            pending.extend(edges[target])
    return seen


@pytest.mark.parametrize("seed", range(20))
def test_reachability_is_that_of_a_walk_cycles_included(seed):
    random = np.random.default_rng(seed)
    edges = [tuple(random.integers(0, 30, random.integers(0, 3)).tolist()) for _ in range(30)]
    assert [set(members(bits)) for bits in closure(edges)] == [_reach(edges, node) for node in range(30)]


def test_reachability_takes_one_pass_whatever_the_order_of_the_nodes():
    """A chain that goes to and fro between both ends of the list: going through the list, either way, gets a few edges further each time."""
    order = [node for pair in zip(range(1500), range(2999, 1499, -1), strict=True) for node in pair]
    edges = [()] * 3000
    for node, target in pairwise(order):
        edges[node] = (target,)
    started = time.process_time()
    reached = closure(edges)
    assert time.process_time() - started < 0.5
    assert [reached[node].bit_count() for node in order] == list(range(2999, -1, -1))


def test_kernels_that_come_next_are_those_a_walk_meets_first():
    facts = Facts(nodes_of(BRANCHES + "layer last Dense [?,4] <- sum; variable last/kernel [4,4] gradient"))
    named = [facts.names[row] for row in facts.kernels.tolist()]
    later = {named[row]: [named[other] for other in others] for row, others in enumerate(facts.later_kernels)}
    assert later == {"shared/kernel": ["left/kernel", "last/kernel"], "left/kernel": ["last/kernel"], "last/kernel": []}


def test_a_graph_that_is_too_large_is_a_sentence(tmp_path, monkeypatch):
    run = open_run(build_run(tmp_path / "train", BRANCHES, range(3)))
    assert evaluate(run).problems == ()
    monkeypatch.setattr(facts_module, "MOST_NODES", 8)
    report = evaluate(run)
    assert (report.findings, report.quiet, report.checked_captures) == ((), (), 0)
    assert report.problems == ("The graph has 9 nodes: no rule looks at more than 8. List fewer operations by means of `ops=`.",)
    monkeypatch.setattr(facts_module, "MOST_NODES", 9)
    monkeypatch.setattr(facts_module, "MOST_KERNELS", 1)
    assert evaluate(run).problems == ("The graph has 2 kernels: no rule looks at more than 1.",)
