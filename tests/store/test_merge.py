"""Parts of a batch merged against numpy on the whole batch."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.errors import NotFoundError
from tb_activations.store.merge import merge_histograms, merge_replicas, rebin
from tb_activations.store.run import open_run
from tb_activations.store.schema import COUNTS, NOT_RECORDED, STATISTICS, Capture
from tests.builders import capture_of, histogram_of, parse_nodes, record_of, statistics_of, write_segments

GRAPH = parse_nodes("layer dense [?,5] relu gradient; variable kernel [5,5] update; layer rare")
EXACT = ("min", "max", "mean", "std", "l2_norm", "zero_fraction", "subnormal_fraction")


def batch_of(step: int, rank: int) -> np.ndarray:
    """Parts of unequal size and unequal spread, with zeros, NaN and infinities."""
    random = np.random.default_rng((step, rank))
    part = (random.standard_normal((3 + 2 * rank, 5)) * (1 + rank) + 10 * rank).astype(np.float32)
    part[random.random(part.shape) < 0.2] = 0
    if step == 20:
        part.flat[:3] = (np.nan, np.inf, -np.inf)
    if step == 30 and rank == 1:
        part[:] = np.nan
    return part


def value_of(rank):
    def values(name, quantity, step):
        if name == "kernel":
            return np.random.default_rng(step).standard_normal((5, 5)).astype(np.float32)
        if name == "rare":
            return batch_of(step, rank) if rank == step // 10 % 2 and step < 40 else None
        return batch_of(step, rank)

    return values


STEPS = (0, 10, 20, 30, 40)


@pytest.fixture(params=["one worker", "two workers", "two workers that both say rank 0"])
def run(tmp_path, request):
    rows = {rank: [capture_of(GRAPH, value_of(rank), step, rank) for step in STEPS] for rank in (0, 1)}
    if request.param == "one worker":
        write_segments(tmp_path, GRAPH, [rows[0] + rows[1]])
    else:
        for rank in (0, 1):
            own = rank if request.param == "two workers" else 0
            write_segments(tmp_path, GRAPH, [[capture_of(GRAPH, value_of(rank), step, own) for step in STEPS]], worker=rank)
    return open_run(tmp_path)


def whole(step: int) -> np.ndarray:
    return np.concatenate([batch_of(step, 0), batch_of(step, 1)])


@pytest.mark.parametrize("quantity", ["value", "gradient"])
def test_the_history_of_a_node_is_that_of_the_whole_batch(run, quantity):
    history = run.statistics("dense", quantity)
    assert history["step"].tolist() == list(STEPS)
    for row, step in enumerate(STEPS):
        statistics, counts = statistics_of(whole(step))
        for name in EXACT:
            np.testing.assert_allclose(history[name][row], statistics[STATISTICS.index(name)], rtol=2e-6, err_msg=f"{name} at {step}")
        assert [history[name][row] for name in COUNTS] == counts.tolist()


def test_snapshot_and_column_agree_with_the_history(run):
    for name in EXACT:
        steps, column = run.column(name)
        history = run.statistics("dense")
        assert steps.tolist() == list(STEPS)
        np.testing.assert_array_equal(column[0], history[name])
        for row, step in enumerate(STEPS):
            np.testing.assert_array_equal(run.snapshot(step)[0][0, STATISTICS.index(name)], history[name][row])
    np.testing.assert_array_equal(run.column("elements")[1][0], run.statistics("dense")["elements"])
    np.testing.assert_array_equal(run.column("mean", after=10)[1], run.column("mean")[1][:, 2:])
    np.testing.assert_array_equal(run.column("mean", after=0, until=25)[1], run.column("mean")[1][:, 1:3])
    assert run.column("mean", after=30, until=10)[1].shape == (3, 0)


def test_a_variable_is_counted_once(run):
    for quantity in ("value", "update"):
        history = run.statistics("kernel", quantity)
        for row, step in enumerate(STEPS):
            statistics, counts = statistics_of(value_of(0)("kernel", quantity, step))
            np.testing.assert_array_equal([history[name][row] for name in STATISTICS], statistics)
            assert history["elements"][row] == counts[0] == 25
    assert run.histogram("kernel").counts.sum(axis=1).tolist() == [25] * 5


def test_a_step_counts_once_whichever_replicas_recorded_it(run):
    node = next(node for node in run.nodes if node.name == "rare")
    assert run.steps("rare").tolist() == [0, 10, 20, 30]
    assert node.quantities["value"].captures == 4
    assert run.statistics("rare")["elements"].tolist() == [batch_of(step, step // 10 % 2).size for step in (0, 10, 20, 30)]
    assert run.column("elements")[1][2].tolist()[-1] == NOT_RECORDED
    assert np.isnan(run.snapshot(40)[0][2]).all()
    assert run.snapshot(40)[1][2].tolist() == [NOT_RECORDED, 0, 0, 0]


def test_histograms_are_added_over_the_common_range(run):
    histogram = run.histogram("dense")
    for row, step in enumerate(histogram.steps.tolist()):
        finite = whole(step)[np.isfinite(whole(step))]
        assert histogram.counts[row].sum() == finite.size
        assert (histogram.edges[row, 0], histogram.edges[row, -1]) == (finite.min(), finite.max())
        # The parts' own bins are as wide as the spread of the part, so a count may be off by what one such bin holds.
        exact = np.histogram(finite, 64, (finite.min(), finite.max()))[0]
        assert np.abs(np.cumsum(histogram.counts[row].astype(int)) - np.cumsum(exact)).max() <= finite.size // 4


def test_one_rank_is_its_own(tmp_path):
    write_segments(tmp_path, GRAPH, [[capture_of(GRAPH, value_of(rank), step, rank) for step in STEPS for rank in (0, 1)]])
    run = open_run(tmp_path)
    for rank in (0, 1):
        history = run.statistics("dense", rank=rank)
        for row, step in enumerate(STEPS):
            np.testing.assert_array_equal([history[name][row] for name in STATISTICS], statistics_of(batch_of(step, rank))[0])
    assert run.statistics("rare", rank=1)["step"].tolist() == [10, 30]
    with pytest.raises(NotFoundError, match=r"Expected the rank of a recorded replica: 0, 1\. Received: rank=2"):
        run.statistics("dense", rank=2)


def test_columns_that_parts_do_not_tell_are_bounds():
    parts = np.full((1, 2, len(STATISTICS)), 0.0, np.float32)
    parts[0, :, STATISTICS.index("zero_unit_fraction")] = (0.25, 0.5)
    parts[0, :, STATISTICS.index("batch_std")] = (3, 4)
    counts = np.array([[[10, 0, 0, 0], [10, 0, 0, 0]]])
    merged, _ = merge_replicas(parts, counts, np.array([0]), STATISTICS, np.zeros(1, bool))
    assert merged[0, 0, STATISTICS.index("zero_unit_fraction")] == 0.25
    np.testing.assert_allclose(merged[0, 0, STATISTICS.index("batch_std")], np.sqrt(12.5))


def test_big_norms_do_not_overflow():
    parts = np.full((1, 2, 1), 3e38, np.float32)
    counts = np.array([[[1, 0, 0, 0], [1, 0, 0, 0]]])
    with np.errstate(over="ignore"):
        merged, _ = merge_replicas(parts / 2, counts, np.array([0]), ("l2_norm",), np.zeros(1, bool))
    np.testing.assert_allclose(merged[0, 0, 0], np.sqrt(2) * 1.5e38, rtol=1e-6)


def test_samples_come_from_the_first_replica(tmp_path):
    write_segments(tmp_path, GRAPH, [[capture_of(GRAPH, value_of(rank), 10, rank) for rank in (1, 0)]])
    np.testing.assert_array_equal(open_run(tmp_path).value("dense", 10), batch_of(10, 0))


def test_a_captured_step_that_comes_again_replaces_the_first(tmp_path):
    graph = parse_nodes("layer dense")
    rows = [Capture(5, time, {"value": record_of({0: np.full((2, 2), time, np.float32)})}) for time in (1.0, 3.0, 2.0)]
    write_segments(tmp_path, graph, [rows[:2], rows[2:]])
    run = open_run(tmp_path)
    assert run.statistics("dense")["mean"].tolist() == [3.0]
    assert run.value("dense", 5).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert len(run.captures().step) == 1


@pytest.mark.parametrize("wider", [(0, 1), (-1, 2), (-7, 1), (0, 1e6), (-1e-3, 1 + 1e-9)])
def test_rebinning_keeps_every_element_and_the_distribution(wider):
    random = np.random.default_rng(0)
    counts = random.integers(0, 50, 64)
    limits = np.array([0.0, 1.0])
    result = rebin(counts, limits, np.array(wider, float), 64)
    assert result.sum() == counts.sum()
    assert (result >= 0).all()
    old, new = np.linspace(0, 1, 65), np.linspace(*wider, 65)
    expected = np.interp(new, old, np.concatenate([[0], np.cumsum(counts)]))
    assert np.abs(np.concatenate([[0], np.cumsum(result)]) - expected).max() <= 0.5


@pytest.mark.parametrize(("point", "low", "high", "position"), [(0.5, 0, 1, 32), (1.0, 0, 1, 63), (0.0, 0, 1, 0), (3.0, 3, 3, 0)])
def test_equal_elements_fall_into_one_bin(point, low, high, position):
    result = rebin(np.bincount([0], [7], 64).astype(int), np.array([point, point]), np.array([low, high], float), 64)
    assert result[position] == 7
    assert result.sum() == 7


def test_merged_histograms_of_normal_numbers_look_like_the_whole():
    random = np.random.default_rng(1)
    parts = [random.normal(mean, 1, 50_000) for mean in (-1, 1, 2)]
    drawn = [histogram_of(part) for part in parts]
    counts, ranges = merge_histograms(
        np.array([pair[0] for pair in drawn]).astype(np.int64), np.array([pair[1] for pair in drawn], np.float64), np.array([0]), False
    )
    exact = np.histogram(np.concatenate(parts), 64, ranges[0])[0]
    assert counts.sum() == 150_000
    assert np.abs(counts[0] - exact).max() < 0.01 * 150_000


def test_the_gradient_of_a_variable_is_each_replicas_own(tmp_path):
    """Replicas' gradients are added up after they were recorded."""
    graph = parse_nodes("variable kernel [5,5] gradient update")
    gradients = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype(np.float32) * np.float32([1, 3]).reshape(2, 1, 1, 1)

    def values(rank):
        return lambda _, quantity, step: gradients[rank, step] if quantity == "gradient" else np.eye(5, dtype=np.float32)

    write_segments(tmp_path, graph, [[capture_of(graph, values(rank), step, rank) for step in range(3) for rank in range(2)]])
    run = open_run(tmp_path)
    merged = run.statistics("kernel", "gradient")
    assert merged["elements"].tolist() == [50, 50, 50]
    np.testing.assert_allclose(merged["l2_norm"], np.sqrt((gradients.astype(np.float64) ** 2).sum(axis=(0, 2, 3))), rtol=1e-5)
    np.testing.assert_allclose(merged["std"], gradients.astype(np.float64).std(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(run.column("max", "gradient")[1][0], gradients.max(axis=(0, 2, 3)))
    np.testing.assert_array_equal(run.window("gradient", start=0, stop=3)[0][0, :, run.columns.index("min")], gradients.min(axis=(0, 2, 3)))
    assert run.histogram("kernel", "gradient").counts.sum(axis=1).tolist() == [50, 50, 50]
    for rank in range(2):
        norms = np.linalg.norm(gradients[rank].reshape(3, -1), axis=1)
        np.testing.assert_allclose(run.statistics("kernel", "gradient", rank=rank)["l2_norm"], norms, rtol=1e-5)
    for quantity in ("value", "update"):
        assert run.statistics("kernel", quantity)["elements"].tolist() == [25, 25, 25]
        assert run.histogram("kernel", quantity).counts.sum(axis=1).tolist() == [25, 25, 25]
