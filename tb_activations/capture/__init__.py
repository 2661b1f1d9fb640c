"""The training side: the real step of a model hands out what it computes.

The one invariant: training gives the same numbers as without, whatever goes wrong here. The few modules that know no tensor library are named in
``tests/test_imports.py``.

    callback, watch, probe, explain                                               what users call
    arguments, schedule, selection, shares, tell                                  what they ask for, and what they are told
    clock, pace, batches, forward, swap, step_functions, first_trace, twin        which step is due, and what runs in its place
    aside, sameness, undo, gradient_sums, randomness                              what keeps a training the same
    trainability, traced_functions                                                what was fixed when the plain step was traced
    active, instrument, recorder, trace, harmless                                 the trace of a step, while its Python code runs
    structure, calls, nodes, describe, source                                     what a node is, and how it is called
    variables, bare_variables, keras_variables, optimizers                        weights, variables that are none, what changes them
    taps, inner_graphs, functions, on_replicas                                    tensors and gradients, wherever they are made
    operations, op_nodes, activations                                             single TensorFlow operations
    catalogue, uncalled, edges, loss_path, loss_inputs, connections, generations  nodes → the graph, with a reason for each
    needed, rehearsals, inner_losses                                              gradients, calls and losses that don't count
    handover, regrouping, outlet, bits, joining                                   tensors → out of the step, leaving it as it is
    packing, host_packing, statistics, replicas                                   tensors → capture rows
    destination, marker                                                           capture rows → a run
"""
