"""What a run costs on disk, and how a size budget thins it: in order, never in silence, never beyond."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from tb_activations import open_run
from tb_activations.errors import NotFoundError
from tb_activations.store.run import Run
from tb_activations.store.schema import Capture, Graph
from tb_activations.store.session import Session
from tb_activations.store.writer import Writer
from tests.builders import capture_of, normal_values, open_writer, parse_nodes, put, segments_of


class TestBudget:
    graph = parse_nodes("; ".join(f"layer n{number} [?,64]" for number in range(20)))

    def fill(self, run_dir: Path, max_bytes: int | None, captures: int = 300) -> tuple[Run, list[str]]:
        values = normal_values(self.graph)
        said: list[str] = []
        one = [capture_of(self.graph, values, step) for step in range(10)]
        writer = Writer(run_dir, max_bytes=max_bytes, on_budget=said.append)
        writer.set_graph(self.graph)
        for step in range(captures):
            row = Capture(step, 0.0, one[step % 10].quantities)
            writer.put(step, lambda row=row: [row])
            writer.flush()
        writer.close()
        assert writer.failure is None
        return open_run(run_dir), said

    def test_without_a_budget_everything_is_kept(self, tmp_path):
        run, said = self.fill(tmp_path, None, captures=50)
        assert said == []
        assert run.problems == ()
        assert len(run.sample_steps("n0")) == len(run.histogram("n0").steps) == 50

    def test_it_keeps_less_and_less_in_order_and_says_so(self, tmp_path):
        budget = 1_500_000
        run, said = self.fill(tmp_path, budget)
        size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert 0.9 * budget < size <= budget
        samples, histograms, steps = run.sample_steps("n0"), run.histogram("n0").steps, run.steps()
        assert 0 < len(samples) < len(histograms) < len(steps) < 300
        assert (np.diff(samples) > 1).any()
        assert histograms.tolist() == list(range(len(histograms)))
        assert len(said) == 4
        for sentence, word in zip(
            said, ("one capture of 8 only", "not kept any more; statistics and histograms", "statistics go on", "every second"), strict=True
        ):
            assert word in sentence
            assert "of the size budget of 1.5 MB are used" in sentence
        assert len(run.problems) == 4
        assert run.problems[0].startswith("Size budget: from step ")

    def test_a_budget_that_is_too_small_for_a_single_capture_is_told_once(self, tmp_path):
        run, said = self.fill(tmp_path, 2_000, captures=5)
        assert run.steps().tolist() == []
        assert run.captures().dropped.tolist() == [0, 1, 2, 3, 4]
        (sentence,) = [sentence for sentence in said if "A capture of" in sentence]
        assert "kB is more than what is left of the size budget of " in sentence
        assert said[0] == sentence
        for state in (run.node("n3"), run.node("n3").quantities["value"]):
            assert (state.state, state.reason) == ("available", "size_budget")
            assert "left out the value of `n3` at step 0: a single capture takes more than what is left of it" in state.sentence
        assert any("a single capture takes more" in problem for problem in run.problems)

    def test_what_is_kept_does_not_depend_on_when_the_thread_begins(self, tmp_path, monkeypatch):
        has_graph, prepare, set_graph = threading.Event(), Session.prepare, Writer.set_graph
        monkeypatch.setattr(Session, "prepare", lambda session: has_graph.wait(60) and prepare(session))
        monkeypatch.setattr(Writer, "set_graph", lambda writer, graph: (set_graph(writer, graph), has_graph.set()))
        self.test_a_budget_that_is_too_small_for_a_single_capture_is_told_once(tmp_path)

    def test_nodes_of_a_graph_that_came_when_it_was_used_up_say_so(self, tmp_path):
        with open_writer(tmp_path, self.graph, max_bytes=60_000) as writer:
            for step in range(3):
                put(writer, step, [capture_of(self.graph, normal_values(self.graph), step)])
            writer.flush()
            later = parse_nodes("layer n0 [?,64]; layer late [?,4096]")
            writer.set_graph(later)
            for step in range(3, 40):
                capture = capture_of(later, normal_values(later), step)
                writer.put(step, lambda capture=capture: [capture])
        run = open_run(tmp_path)
        assert (run.node("n0").state, run.node("late").reason) == ("materialized", "size_budget")
        assert "left out the value of `late` at step " in run.node("late").sentence

    def test_what_it_left_out_says_so(self, tmp_path):
        run, _ = self.fill(tmp_path, 1_500_000)
        samples, histograms, steps = run.sample_steps("n0"), run.histogram("n0").steps, run.steps()
        for step in steps.tolist():
            for part, kept, words in (("raw numbers", samples, ": raw numbers"), ("histogram", histograms, "histograms are not kept any more")):
                reason = run.left_out("n0", step, part=part)
                assert (reason is None) == (step in kept), (step, part)
                if reason is not None:
                    assert reason.code == "size_budget"
                    assert f"left out the {part} of `n0` at step {step}: " in reason.sentence
                    assert words in reason.sentence or "every second capture" in reason.sentence
        last = int(steps[-1])
        with pytest.raises(NotFoundError, match=rf"were kept at step {last}\. The size budget of this run .`max_bytes`. left out the raw numbers"):
            run.value("n0", last)

    def test_what_was_never_kept_is_not_its_doing(self, tmp_path):
        graph = parse_nodes("layer a [4]")
        with open_writer(tmp_path, graph, max_bytes=30_000) as writer:
            for step in range(200):
                row = capture_of(graph, normal_values(graph), step, histograms=False, samples=False)
                writer.put(step, lambda row=row: [row])
                writer.flush()
        run = open_run(tmp_path)
        assert run.problems
        assert run.left_out("a", int(run.steps()[-1])) is None
        with pytest.raises(NotFoundError, match=r"were kept at step 0\. There are none at any step:"):
            run.value("a", 0)

    def test_every_step_is_either_recorded_or_dropped(self, tmp_path):
        run, _ = self.fill(tmp_path, 1_500_000)
        recorded, dropped = run.steps(), run.captures().dropped
        assert sorted([*recorded.tolist(), *dropped.tolist()]) == list(range(300))
        gaps = np.diff(recorded)
        assert gaps.max() >= 4
        assert (np.diff(gaps[gaps.argmax() - 1 :]) >= 0).all()

    def test_what_earlier_sessions_left_counts(self, tmp_path):
        self.fill(tmp_path, 1_500_000, captures=150)
        _, said = self.fill(tmp_path, 1_500_000, captures=5)
        assert said
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1_500_000


class TestCost:
    @pytest.mark.parametrize(("histograms", "bound"), [(False, 100), (True, 400)])
    @pytest.mark.parametrize("nodes", [8, 200])
    def test_bytes_for_each_tensor_and_capture(self, tmp_path, nodes, histograms, bound):
        """What a training leaves whose captures come one by one, a segment for each."""
        graph = Graph(tuple(parse_nodes("; ".join(f"layer n{number}" for number in range(nodes))).nodes))
        record = capture_of(graph, normal_values(graph), 0, histograms=histograms, samples=False).quantities
        with open_writer(tmp_path, graph) as writer:
            for step in range(100):
                put(writer, step, [Capture(step, 0.0, record)])
                writer.flush()
        assert len(segments_of(tmp_path)) <= 2
        assert sum(path.stat().st_size for path in segments_of(tmp_path)) / nodes / 100 <= bound
