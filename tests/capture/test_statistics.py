"""Both ways to the statistics, TensorFlow's inside the step and numpy's on the host, against numpy, for hostile tensors, dtypes and ways to run."""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tb_activations.capture.statistics import Measured, Picture, Request, has_statistics, host, measure, measure_all, sample
from tb_activations.capture.statistics.blocks import sample_on_host
from tb_activations.errors import ArgumentError
from tb_activations.store.schema import COUNTS, HISTOGRAM_BINS, SAMPLED_ELEMENTS, STATISTICS

RANDOM = np.random.default_rng(7)
NAN, INF = np.nan, np.inf
NORMAL = RANDOM.normal(size=(6, 5, 4, 3))
LARGE = np.maximum(RANDOM.normal(size=(16, 28, 28, 32)), 0).astype(np.float32)

HOSTILE = {
    "normal": NORMAL,
    "large": LARGE,
    "mean far above std": 1e4 + RANDOM.normal(size=(50, 40)),
    "mean far above std, large": np.float32(1e3) + LARGE,
    "squares overflow": RANDOM.normal(size=(30, 20)) * 1e30,
    "range overflows": np.array([[-3.4e38, 3.4e38, 0.0]]),
    "largest": np.full((4, 3), 3.4e38),
    "squares underflow": RANDOM.normal(size=(30, 20)) * 1e-25,
    "bins over the range overflow": np.resize(np.arange(10), (30, 20)) * 2e-38,
    "all NaN": np.full((3, 4), NAN),
    "all infinite": np.full((3, 4), INF),
    "some of all": np.array([[1, NAN, INF, 0], [-INF, 2, NAN, 0]]),
    "one NaN in a large one": np.where(np.arange(LARGE.size).reshape(LARGE.shape) == 777, NAN, LARGE),
    "constant": np.full((100, 7), 1.1),
    "zeros": np.zeros((4, 3)),
    "negative": -np.abs(NORMAL) - 1,
    "zero units": NORMAL * np.array([1, 0, 1]),
    "zero units of a large one": LARGE * (np.arange(32) % 2),
    "units that are zero but for the last row": np.where(np.arange(5_003 * 24).reshape(5_003, 24) >= 5_003 * 24 - 7, 1.0, 0.0),
    "units that are zero but for one row within": np.where(np.arange(1_501 * 96).reshape(1_501, 96) // 31 == 3_333, 1.0, 0.0),
    "one element": np.array([[2.5]]),
    "scalar": np.array(3.0),
    "vector": RANDOM.normal(size=9),
    "empty": np.zeros((0, 3)),
    "no units": np.zeros((3, 0)),
    "empty vector": np.zeros(0),
}
COMPILED = pytest.param("xla", marks=pytest.mark.slow)
# A graph takes half a second for each shape and dtype; what only a graph with known extents does, other tests look at too.
EACH_TRACED = pytest.param("graph", marks=pytest.mark.slow)
MODES = ("eager", "graph", "host", COMPILED)
MANY_TIMES = ("eager", "host", EACH_TRACED)


def run(function, *arrays, mode="graph", unknown=False, **options):
    """``function`` of tensors in one of four ways; ``unknown``: traced for any shape of that rank."""
    if mode == "host":
        return ON_HOST[function](*arrays, **options)
    tensors = [tf.constant(array) for array in arrays]
    if mode == "eager":
        return function(*tensors, **options)
    signature = tuple(tf.TensorSpec([None] * x.shape.rank, x.dtype) for x in tensors) if unknown else None
    return traced(function, mode, signature, tuple(options.items()))(*tensors)


@functools.cache
def traced(function, mode, signature, options):
    """Tracing takes half a second: what has the same shapes and options is traced once."""
    return tf.function(lambda *args: function(*args, **dict(options)), signature, jit_compile=mode == "xla", autograph=False)


def measure_on_host(array, histogram=True, **options):
    measured = host.measure_all([Request(np.asarray(array), **options)], histogram=histogram)
    return Measured(*(None if column is None else column[0] for column in measured))


def measure_together(*arrays):
    return measure_all([Request(x) for x in arrays])


def measure_together_on_host(*arrays):
    return host.measure_all([Request(x) for x in arrays])


ON_HOST = {measure: measure_on_host, measure_together: measure_together_on_host, sample: sample_on_host}


def columns(measured):
    return dict(zip(STATISTICS, np.asarray(measured.statistics), strict=True)), dict(zip(COUNTS, np.asarray(measured.counts), strict=True))


def exact(array):
    """The exact columns, by numpy in float64."""
    array = np.asarray(array, np.float64)
    finite = array[np.isfinite(array)]
    if not finite.size:
        return dict.fromkeys(("min", "max", "mean", "std", "l2_norm", "zero_unit_fraction"), NAN)
    zero_units = (array == 0).all(axis=tuple(range(array.ndim - 1))).mean() if array.ndim > 1 else NAN
    with np.errstate(over="ignore"):
        l2_norm = np.float32(np.sqrt((finite**2).sum()))
    return {
        "min": finite.min(),
        "max": finite.max(),
        "mean": finite.mean(),
        "std": finite.std(),
        "l2_norm": l2_norm,
        "zero_unit_fraction": zero_units,
    }


def counts(array):
    array = np.asarray(array, np.float64)
    return {"elements": array.size, "nan_count": np.isnan(array).sum(), "pos_inf_count": (array == INF).sum(), "neg_inf_count": (array == -INF).sum()}


def assert_exact(measured, array):
    got, got_counts = columns(measured)
    assert got_counts == counts(array)
    expected = exact(array)
    # The mean of numbers that cancel is as good as the numbers are large.
    scale = float(np.nan_to_num(max(abs(expected["min"]), abs(expected["max"]))))
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], np.float32(value), rtol=1e-4, atol=2e-6 * scale, err_msg=name)


@pytest.mark.parametrize("mode", MANY_TIMES)
@pytest.mark.parametrize("name", HOSTILE)
def test_exact_columns_and_counts_are_those_of_numpy(name, mode):
    array = HOSTILE[name].astype(np.float32)
    assert_exact(run(measure, array, mode=mode), array)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [4, 5_000])
@pytest.mark.parametrize("zeros", ["one unit", "one unit but for one", "so many, spread", "one unit, the rest NaN", "one unit but for a NaN"])
def test_a_unit_is_zero_only_if_all_of_it_is(zeros, rows, mode):
    array = np.ones((rows, 3), np.float32)
    if zeros == "so many, spread":
        array[np.arange(rows), np.arange(rows) % 3] = 0
    else:
        array[:, 1] = 0
    if zeros == "one unit but for one":
        array[rows // 2, 1] = -1
    if zeros == "one unit, the rest NaN":
        array[:, (0, 2)] = NAN
    if zeros == "one unit but for a NaN":
        array[rows // 2, 1] = NAN
    share = columns(run(measure, array, mode=mode))[0]["zero_unit_fraction"]
    assert np.isclose(share, 1 / 3 if zeros in ("one unit", "one unit, the rest NaN") else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "mean far above std", "squares overflow", "squares underflow", "some of all", "constant", "empty"])
def test_exact_columns_and_counts_are_those_of_numpy_under_xla(name):
    """XLA takes seconds to compile each shape: one case of each kind."""
    array = HOSTILE[name].astype(np.float32)
    assert_exact(run(measure, array, mode="xla"), array)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "no units"])
def test_extents_may_be_unknown_while_tracing(name):
    array = HOSTILE[name].astype(np.float32)
    assert_exact(run(measure, array, unknown=True), array)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.int8, np.uint8, np.int32, np.int64, bool])
@pytest.mark.parametrize("mode", ["host", EACH_TRACED])
@pytest.mark.parametrize("shape", [(20, 6), (70, 50, 40)])
def test_every_real_dtype(dtype, mode, shape):
    array = (RANDOM.normal(size=shape) * 3).astype(np.float32).astype(dtype)
    measured = run(measure, array, mode=mode)
    assert_exact(measured, array)
    sampled = array.size > SAMPLED_ELEMENTS
    assert np.isclose(columns(measured)[0]["zero_fraction"], (array == 0).mean(), atol=0.02 if sampled else 0)


@pytest.mark.parametrize("shape", [(16, 28, 28, 32), (64, 4096), (3, 100_000), (200_000,), (70_001, 3), (5, 7, 11, 13, 17)])
def test_both_ways_look_at_the_same_elements(shape):
    array = RANDOM.normal(size=shape).astype(np.float32)
    inside, outside = run(measure, array), run(measure, array, mode="host")
    np.testing.assert_array_equal(outside.histogram, inside.histogram)
    np.testing.assert_allclose(outside.statistics, inside.statistics, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["graph", "host"])
def test_float64_and_int64_are_reduced_in_double_precision(mode):
    array = 1e9 + np.arange(6, dtype=np.float64).reshape(2, 3)
    for x in (array, array.astype(np.int64)):
        assert np.isclose(columns(run(measure, x, mode=mode))[0]["std"], array.std(), rtol=1e-6)


@pytest.mark.parametrize("x", [tf.constant(["a"]), tf.constant([1j])])
def test_a_dtype_without_statistics_is_refused(x):
    assert not has_statistics(x.dtype)
    with pytest.raises(ArgumentError, match=rf"Received: x\.dtype={x.dtype.name}"):
        measure(x)


def test_an_unknown_rank_is_measured():
    function = tf.function(measure, [tf.TensorSpec(None, tf.float32)], autograph=False)
    got, got_counts = columns(function(tf.constant(NORMAL, tf.float32)))
    assert got_counts == counts(NORMAL)
    assert np.isclose(got["std"], NORMAL.std())
    assert np.isnan(got["zero_unit_fraction"])


@pytest.mark.parametrize("mode", MODES)
def test_histogram_is_that_of_numpy(mode):
    # Multiples of 1/64 lie on edges or within bins in float32 exactly.
    array = RANDOM.integers(0, 65, size=(40, 30)).astype(np.float32) / 64
    array[0, :2] = 0, 1
    measured = run(measure, np.where(array == 0.5, NAN, array), mode=mode)
    expected, _ = np.histogram(array[array != 0.5], HISTOGRAM_BINS, (0, 1))
    np.testing.assert_array_equal(measured.histogram, expected)
    np.testing.assert_array_equal(measured.histogram_range, [0, 1])


@pytest.mark.parametrize(("array", "kept"), [(np.full((2, 3), 5.0), 6), (np.array([[-3e38, 3e38]]), 2), (np.array([1.0, INF, NAN, 2.0]), 2)])
@pytest.mark.parametrize("mode", ["graph", "host"])
def test_histogram_counts_each_finite_element_once(array, kept, mode):
    measured = run(measure, array.astype(np.float32), mode=mode)
    assert np.sum(measured.histogram) == kept
    assert measured.histogram[-1] >= 1  # the highest element is in the last bin


def assert_histogram(histogram, array):
    """Equal bins from the smallest to the largest number; what lies next to an edge may be on either side of it."""
    finite = np.asarray(array, np.float64)[np.isfinite(array)] / 2  # so that their range is finite
    assert np.sum(histogram) == finite.size
    width = np.ptp(finite) if finite.size else 0
    if width == 0:
        assert histogram[-1] == finite.size
        return
    position = (finite - finite.min()) / width * HISTOGRAM_BINS
    below = np.cumsum(histogram)[:-1]
    edges = np.arange(1, HISTOGRAM_BINS)[:, None]
    assert ((position < edges - 1e-3).sum(1) <= below).all()
    assert (below <= (position < edges + 1e-3).sum(1)).all()


@pytest.mark.parametrize("mode", MANY_TIMES)
@pytest.mark.parametrize("name", [name for name, array in HOSTILE.items() if array.size <= 4_096])
def test_histogram_of_any_range(name, mode):
    array = HOSTILE[name].astype(np.float32)
    assert_histogram(run(measure, array, mode=mode).histogram, array)


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        (np.float32, [0, 1e-40, 3e-40, 1e-38]),
        (np.float32, [0, 1e-40, NAN]),
        (np.float32, [-1e-45, 0, 1e-45]),
        (np.float64, [0, 1e-310, 5e-308]),
        (np.float64, [-1.7e308, 0, 1.7e308]),
        (ml_dtypes.bfloat16, [0, 1e-39, 5e-38]),
        (ml_dtypes.bfloat16, [-3.3e38, 0, 3.3e38]),
        (np.float16, [0, 6e-8, 1e-6, -65504]),
        (np.int64, [np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max]),
    ],
)
def test_histogram_on_the_host_knows_all_numbers(dtype, array):
    """In a step TensorFlow takes subnormal numbers for zero."""
    array = np.array([array]).astype(dtype)
    assert_histogram(run(measure, array, mode="host").histogram, array.astype(np.float64))


@pytest.mark.parametrize("mode", ["graph", "host"])
def test_no_histogram_of_nothing(mode):
    measured = run(measure, np.full((2, 2), NAN, np.float32), mode=mode)
    assert not np.any(measured.histogram)
    assert run(measure, np.zeros((2, 2), np.float32), mode=mode, histogram=False).histogram is None


@pytest.mark.parametrize("mode", MODES)
def test_sampled_columns_of_a_large_tensor_are_near_the_truth(mode):
    got, _ = columns(run(measure, LARGE, mode=mode))
    assert abs(got["zero_fraction"] - (LARGE == 0).mean()) < 0.02
    truth = np.sqrt(LARGE.reshape(16, -1).var(0).mean())
    assert abs(got["batch_std"] / truth - 1) < 0.1


@pytest.mark.parametrize("channels", [2, 3, 32, 64, 96, 100, 128])
@pytest.mark.parametrize("mode", ["graph", "host"])
def test_a_stride_visits_all_channels(channels, mode):
    array = np.tile(np.arange(channels, dtype=np.float32), (8, 200_000 // 8 // channels, 1))
    histogram = np.asarray(run(measure, array, mode=mode).histogram)
    assert histogram.sum() <= SAMPLED_ELEMENTS
    expected, _ = np.histogram(array, HISTOGRAM_BINS)
    shares = histogram / histogram.sum()
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.02)


@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-40), (np.float16, 1e-6), (np.float64, 1e-310), (ml_dtypes.bfloat16, 1e-39)])
@pytest.mark.parametrize("mode", ["graph", "host"])
def test_subnormal_numbers_are_told_from_zeros(dtype, small, mode):
    got, _ = columns(run(measure, np.array([[0, small, -small, 1]]).astype(dtype), mode=mode))
    assert (got["zero_fraction"], got["subnormal_fraction"]) == (0.25, 0.5)


@pytest.mark.parametrize("mode", ["graph", "host"])
def test_spread_over_examples(mode):
    examples = RANDOM.normal(size=(8, 4, 5)).astype(np.float32)
    truth = np.sqrt(examples.var(0).mean())
    assert np.isclose(columns(run(measure, examples, mode=mode))[0]["batch_std"], truth, rtol=1e-5)
    collapsed = np.tile(examples[:1], (8, 1, 1))
    assert columns(run(measure, collapsed, mode=mode))[0]["batch_std"] < 1e-6
    for alone in (examples[:1], examples[0, 0]):
        assert np.isnan(columns(run(measure, alone, mode=mode))[0]["batch_std"])
    assert np.isnan(columns(run(measure, examples, mode=mode, batch=False))[0]["batch_std"])


@pytest.mark.parametrize("mode", ["graph", "host"])
def test_spread_over_examples_leaves_out_what_is_not_finite(mode):
    examples = RANDOM.normal(size=(8, 5)).astype(np.float32)
    examples[2, 3] = NAN
    got, _ = columns(run(measure, examples, mode=mode))
    assert np.isclose(got["batch_std"], np.sqrt(np.nanvar(examples, 0).mean()), rtol=1e-5)


@pytest.mark.parametrize("mode", ["host", EACH_TRACED])
@pytest.mark.parametrize("poison", [False, True])
@pytest.mark.parametrize(
    ("activation", "array", "truth"),
    [
        ("sigmoid", [[0.01, 0.5, 0.99, 0.5]], 0.5),
        ("tanh", [[-0.99, 0.5, 0.0, 0.2]], 0.25),
        ("softmax", [[0.9999, 0.0001, 0, 0], [0.25, 0.25, 0.25, 0.25]], 0.5),
        ("relu", [[0.0, 1.0]], NAN),
        (None, [[0.0, 1.0]], NAN),
    ],
)
def test_saturation(activation, array, truth, poison, mode):
    rows = [*array, [NAN] * len(array[0])] if poison else array
    got, _ = columns(run(measure, np.array(rows, np.float32), mode=mode, activation=activation))
    np.testing.assert_equal(got["saturated_fraction"], np.float32(truth))


@pytest.mark.parametrize("mode", MODES)
def test_many_tensors_are_measured_as_each_alone(mode):
    arrays = [*(RANDOM.normal(size=(4, 3)) for _ in range(3)), *HOSTILE.values(), RANDOM.normal(size=(4, 3)), np.zeros((4, 3)), np.full((4, 3), NAN)]
    arrays = [array.astype(np.float32) for array in arrays if array.size < 10_000]
    together = run(measure_together, *arrays, mode=mode)
    for index, array in enumerate(arrays):
        alone = measure(tf.constant(array))
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, other[index], rtol=1e-5, atol=1e-30)


def test_tensors_that_are_the_same_memory_keep_what_their_shape_says():
    array = np.maximum(RANDOM.normal(size=(40, 600)), 0).astype(np.float32)
    array[:, 5] = 0
    same = [array, array.reshape(40, 20, 30), array, array[:20]]
    together = measure_together_on_host(*same)
    for index, view in enumerate(same):
        for one, other in zip(measure(tf.constant(view)), together, strict=True):
            np.testing.assert_allclose(one, other[index], rtol=1e-5)


def test_tensors_of_unlike_batches_share_a_stack():
    arrays = [RANDOM.normal(size=(rows, 3)).astype(np.float32) for rows in (4, 7, 0, 1)]
    arrays[0][:, 1] = 0
    arrays[1][2, 2] = NAN
    signature = [tf.TensorSpec([None, 3], tf.float32)] * len(arrays)
    together = tf.function(lambda *xs: measure_all([Request(x) for x in xs]), signature, autograph=False)(*arrays)
    for index, array in enumerate(arrays):
        for one, other in zip(measure(tf.constant(array)), together, strict=True):
            np.testing.assert_allclose(one, other[index], rtol=1e-5)


def test_a_thousand_layers_of_one_shape_cost_the_operations_of_one():
    def operations(tensors):
        function = tf.function(lambda *xs: measure_all([Request(x) for x in xs]), autograph=False)
        return len(function.get_concrete_function(*[tf.TensorSpec([32, 16])] * tensors).graph.get_operations()) - tensors

    assert operations(1000) < operations(2) + 5


# Samples.


@pytest.mark.parametrize(
    ("shape", "batch", "expected"),
    [
        ((16, 8, 8, 4), True, np.s_[:3]),  # three examples of 256 fit into 1,000
        ((16, 10), True, np.s_[:4]),
        ((2, 10), True, np.s_[:]),
        ((16, 15, 15, 16), True, np.s_[:1, :, :, :4]),  # the first channels
        ((16, 20, 20, 16), True, np.s_[:1, ::2, ::2, :10]),  # every second row and column where they would be less than four
        ((16, 64, 64, 16), True, np.s_[:1, ::5, ::5, :5]),
        ((16, 64, 64, 2), True, np.s_[:1, ::3, ::3, :2]),
        ((16, 63, 126, 1), True, np.s_[:1, ::3, ::3]),
        ((16, 9, 500, 1), True, np.s_[:1, :, ::5]),  # of a few long rows all
        ((16, 500, 9, 1), True, np.s_[:1, ::5]),
        ((16, 7, 40, 40, 3), True, np.s_[:1, :5, ::3, ::3, :1]),
        ((3, 3, 8, 64), False, np.s_[:, :, :, :13]),
        ((5000,), False, np.s_[:1000]),
        ((5000,), True, np.s_[:4]),
        ((), False, ()),
        ((0, 3), True, np.s_[:]),
        ((0, 64, 64, 3), True, np.s_[:, ::4, ::4]),
    ],
)
@pytest.mark.parametrize(("mode", "unknown"), [("graph", False), ("graph", True), ("xla", False), ("xla", True), ("host", False)])
def test_a_sample_is_bounded_and_spread_over_pictures(shape, batch, expected, mode, unknown):
    assert_sampled(shape, expected, mode=mode, unknown=unknown, batch=batch)


@pytest.mark.parametrize(
    ("shape", "picture", "expected"),
    [
        ((16, 8, 10, 10), "ATTENTION", np.s_[:1]),
        ((16, 8, 20, 20), "ATTENTION", np.s_[:1, :2]),  # whole maps of the first heads
        ((16, 8, 128, 128), "ATTENTION", np.s_[:1, :1, :31, :32]),  # a corner of the first map
        ((16, 8, 1, 2000), "ATTENTION", np.s_[:1, :1, :, :1000]),
        ((16, 12), "ATTENTION", np.s_[:4]),
        ((16, 8, 15, 15), "CHANNELS_FIRST", np.s_[:1, :4]),
        ((16, 8, 128, 128), "CHANNELS_FIRST", np.s_[:1, :4, ::9, ::9]),
        ((16, 1, 128, 128), "CHANNELS_FIRST", np.s_[:1, :, ::5, ::5]),
    ],
)
@pytest.mark.parametrize(("mode", "unknown"), [("graph", False), ("graph", True), ("host", False)])
def test_a_sample_of_stacked_pictures_is_of_whole_ones_where_they_fit(shape, picture, expected, mode, unknown):
    assert_sampled(shape, expected, mode=mode, unknown=unknown, batch=True, picture=Picture[picture])


def assert_sampled(shape, expected, **options):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    block = run(sample, array, **options, examples=4, elements=1000)
    np.testing.assert_array_equal(block.numbers, array[expected])
    slices = (*(expected if isinstance(expected, tuple) else (expected,)), *[np.s_[:]] * len(shape))
    assert tuple(np.asarray(block.strides)) == tuple(part.step or 1 for part in slices[: len(shape)])


def test_a_sample_of_a_tensor_of_any_extents_is_known_to_have_its_rank():
    keep = tf.function(lambda x: sample(x, batch=True, examples=4, elements=1000).numbers, [tf.TensorSpec([None] * 4)], autograph=False)
    assert keep.get_concrete_function().structured_outputs.shape.rank == 4


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.int32])
def test_a_sample_keeps_its_dtype(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for mode in ("xla", "host"):
        block = np.asarray(run(sample, array, mode=mode, batch=True, examples=1, elements=100).numbers)
        assert block.dtype == dtype
        np.testing.assert_array_equal(block, array[:1])
