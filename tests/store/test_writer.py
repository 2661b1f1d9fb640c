"""The writer: nothing lost in silence, nothing that goes wrong reaches the caller, and what a kill leaves is readable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tb_activations import open_run
from tb_activations.errors import ArgumentError
from tb_activations.store import writer as writer_module
from tb_activations.store.run import Run
from tb_activations.store.schema import COUNTS, STATISTICS, Capture, QuantityRecord
from tb_activations.store.writer import QUEUE_BYTES, QUEUE_CAPTURES, Writer
from tests.builders import capture_of, normal_values, open_writer, parse_nodes, put, record_of, segments_of

ROOT = Path(__file__).parents[2]
GRAPH = parse_nodes("input x [4]; layer dense <- x relu; variable dense/kernel update")


def capture(step: int) -> Capture:
    return capture_of(GRAPH, normal_values(GRAPH), step)


class Gate:
    """A `resolve` that holds the writer's thread until it is opened."""

    def __init__(self, step: int = 0) -> None:
        self.reached, self.opened, self._step = threading.Event(), threading.Event(), step

    def __call__(self) -> list[Capture]:
        self.reached.set()
        assert self.opened.wait(60)
        return [capture(self._step)]


class TestOrder:
    def test_flush_returns_when_everything_put_is_on_disk(self, tmp_path):
        with open_writer(tmp_path, GRAPH) as writer:
            for step in range(5):
                put(writer, step, [capture(step)])
                writer.flush()
                assert open_run(tmp_path).steps("dense").tolist() == list(range(step + 1))

    def test_the_graph_is_on_disk_when_set_graph_returns(self, tmp_path):
        with open_writer(tmp_path, GRAPH):
            assert [node.name for node in open_run(tmp_path).nodes] == ["x", "dense", "dense/kernel"]

    def test_close_writes_what_is_left_and_may_come_twice(self, tmp_path):
        writer = Writer(tmp_path)
        writer.set_graph(GRAPH)
        for step in range(20):
            put(writer, step, [capture(step)])
        writer.close()
        writer.close()
        writer.flush()
        assert not writer.put(99, lambda: [capture(99)])
        assert open_run(tmp_path).steps().tolist() == list(range(20))
        assert writer.failure is None

    def test_captures_belong_to_the_graph_set_when_they_were_put(self, tmp_path):
        other = parse_nodes("input x [4]; layer other <- x")
        gate = Gate(0)
        with open_writer(tmp_path, GRAPH) as writer:
            writer.put(0, gate)
            gate.reached.wait(60)
            writer.put(1, lambda: [capture(1)])
            writer.set_graph(other)
            writer.put(2, lambda: [capture_of(other, normal_values(other), 2)])
            gate.opened.set()
        run = open_run(tmp_path)
        assert run.problems == ()
        assert run.steps("dense").tolist() == [0, 1]
        assert run.steps("other").tolist() == [2]
        assert run.nodes[1].name == "other"

    def test_rows_of_all_replicas_of_a_step(self, tmp_path):
        with open_writer(tmp_path, GRAPH) as writer:
            put(writer, 3, [capture_of(GRAPH, normal_values(GRAPH, seed=rank), 3, rank) for rank in (1, 0)])
        run = open_run(tmp_path)
        assert run.steps().tolist() == [3]
        assert run.statistics("dense")["elements"].tolist() == [24]
        assert run.statistics("dense", rank=1)["elements"].tolist() == [12]

    def test_a_capture_is_on_disk_soon_without_flush(self, tmp_path):
        with open_writer(tmp_path, GRAPH) as writer:
            put(writer, 7, [capture(7)])
            run = Run(tmp_path)
            deadline = time.monotonic() + 60
            while not len(run.steps()) and time.monotonic() < deadline:
                time.sleep(0.05)
                run.refresh()
            assert run.steps().tolist() == [7]

    def test_put_without_a_graph_is_a_mistake(self, tmp_path):
        writer = Writer(tmp_path)
        with pytest.raises(ArgumentError, match="Expected set_graph before the first put"):
            writer.put(0, lambda: [capture(0)])
        writer.close()

    @pytest.mark.parametrize(("arguments", "message"), [({"worker": 10_000}, "worker=10000"), ({"max_bytes": 0}, "max_bytes=0")])
    def test_arguments_are_checked(self, tmp_path, arguments, message):
        with pytest.raises(ArgumentError, match=message):
            Writer(tmp_path, **arguments)


class TestDropping:
    def test_a_full_queue_drops_counts_and_says_so(self, tmp_path):
        gate = Gate(0)
        with open_writer(tmp_path, GRAPH) as writer:
            assert writer.put(0, gate)
            gate.reached.wait(60)
            taken = [step for step in range(1, QUEUE_CAPTURES + 20) if writer.put(step, lambda step=step: [capture(step)])]
            gate.opened.set()
        assert taken == list(range(1, QUEUE_CAPTURES + 1))
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, *taken]
        assert run.captures().dropped.tolist() == list(range(QUEUE_CAPTURES + 1, QUEUE_CAPTURES + 20))

    def test_the_queue_is_bounded_by_bytes_too(self, tmp_path, monkeypatch):
        monkeypatch.setattr(writer_module, "QUEUE_BYTES", 1 << 20)
        assert QUEUE_BYTES > 1 << 20
        big = Capture(0, 0.0, {"value": record_of({0: np.zeros((300, 1000), np.float32)})})
        gate = Gate(1)
        with open_writer(tmp_path, GRAPH) as writer:
            put(writer, 0, [big])
            writer.flush()
            writer.put(1, gate)
            gate.reached.wait(60)
            assert [writer.put(step, lambda step=step: [capture(step)]) for step in (2, 3, 4)] == [True, False, False]
            gate.opened.set()
        assert open_run(tmp_path).captures().dropped.tolist() == [3, 4]

    def test_put_does_not_wait_for_resolve(self, tmp_path):
        gate = Gate()
        with open_writer(tmp_path, GRAPH) as writer:
            writer.put(0, gate)
            gate.reached.wait(60)
            assert writer.put(1, lambda: [capture(1)])  # would hang here
            gate.opened.set()


class TestFailure:
    def failing(self, run_dir, **arguments):
        seen = []
        writer = Writer(run_dir, on_failure=lambda error: seen.append((error, threading.current_thread().name)), **arguments)
        return writer, seen

    def test_a_run_directory_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        writer, seen = self.failing(tmp_path / "file" / "train")
        writer.set_graph(GRAPH)
        results = [writer.put(step, lambda: [capture(0)]) for step in range(3)]
        writer.flush()
        writer.close()
        assert not results[-1]
        assert isinstance(writer.failure, OSError)
        assert seen == [(writer.failure, "tb_activations writer")]

    def test_a_resolve_that_raises_keeps_what_came_before(self, tmp_path):
        writer, seen = self.failing(tmp_path)
        writer.set_graph(GRAPH)
        put(writer, 0, [capture(0)])
        assert writer.put(1, lambda: 1 / 0)
        writer.flush()
        writer.close()
        assert isinstance(writer.failure, ZeroDivisionError)
        assert len(seen) == 1
        assert not writer.put(2, lambda: [capture(2)])
        assert open_run(tmp_path).steps().tolist() == [0]

    def test_a_capture_that_is_malformed_is_named_and_reaches_nobody(self, tmp_path):
        writer, seen = self.failing(tmp_path)
        writer.set_graph(GRAPH)
        wrong = QuantityRecord(np.zeros(2, np.int32), np.zeros((1, len(STATISTICS)), np.float32), np.zeros((2, len(COUNTS)), np.int64))
        writer.put(0, lambda: [Capture(0, 0.0, {"value": wrong})])
        writer.close()
        assert "statistics.shape=(1, 10)" in str(writer.failure)
        assert len(seen) == 1

    def test_a_folder_that_vanishes_is_made_again(self, tmp_path):
        with open_writer(tmp_path / "train", GRAPH) as writer:
            put(writer, 0, [capture(0)])
            writer.flush()
            for path in sorted((tmp_path / "train").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            put(writer, 1, [capture(1)])
        assert len(segments_of(tmp_path)) == 1

    def test_a_segment_that_somebody_deleted_is_not_missed(self, tmp_path):
        with open_writer(tmp_path, GRAPH) as writer:
            for step in range(5):
                put(writer, step, [capture(step)])
                writer.flush()
            segments_of(tmp_path)[2].unlink()
        assert open_run(tmp_path).steps("dense").tolist() == [0, 1, 3, 4]

    def test_close_from_the_callback_does_not_hang(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        closed = threading.Event()
        holder = []

        def close(_):
            holder[0].flush()
            holder[0].close()
            closed.set()

        gate = Gate()
        holder.append(Writer(tmp_path, on_failure=close))
        holder[0].set_graph(GRAPH)
        holder[0].put(0, gate)
        gate.opened.set()
        holder[0].put(1, lambda: 1 / 0)
        assert closed.wait(60)

    def test_a_full_disk(self, tmp_path):
        """A process whose files may not grow beyond 100 kB: small segments are written, the first bigger one ends the writing, training goes on."""
        result = run_script(
            tmp_path,
            """
            import resource
            seen = []
            writer = Writer(RUN, on_failure=seen.append)
            writer.set_graph(GRAPH)
            for step in range(3):
                put(writer, step, [capture_of(GRAPH, normal_values(GRAPH), step)])
            writer.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            big = Capture(3, 0.0, {"value": record_of({0: np.zeros((300, 300), np.float32)})})
            writer.put(3, lambda: [big])
            writer.flush()
            assert not writer.put(4, lambda: [big])
            writer.close()
            print(type(seen[0]).__name__, len(seen), writer.failure is seen[0], *sorted(p.name for p in RUN.rglob("*.tmp*")))
            """,
        )
        assert result.stdout.split() == ["OSError", "1", "True"]
        run = open_run(tmp_path / "train")
        assert run.steps().tolist() == [0, 1, 2]
        assert run.problems == ()


class TestEndOfTheProcess:
    def test_a_writer_that_nobody_closed_is_written_at_exit(self, tmp_path):
        run_script(
            tmp_path,
            """
            writer = Writer(RUN)
            writer.set_graph(GRAPH)
            for step in range(10):
                put(writer, step, [capture_of(GRAPH, normal_values(GRAPH), step)])
            """,
        )
        assert open_run(tmp_path / "train").steps().tolist() == list(range(10))

    def test_an_exception_of_the_user_ends_the_process_and_not_the_data(self, tmp_path):
        result = run_script(
            tmp_path,
            """
            writer = Writer(RUN)
            writer.set_graph(GRAPH)
            put(writer, 1, [capture_of(GRAPH, normal_values(GRAPH), 1)])
            raise RuntimeError("the user's own")
            """,
            check=False,
        )
        assert result.returncode == 1
        assert result.stderr.strip().endswith("RuntimeError: the user's own")
        assert open_run(tmp_path / "train").steps().tolist() == [1]

    def test_kill_loses_at_most_what_was_not_yet_sealed(self, tmp_path):
        """Kills a process that captures as fast as it can, in the middle of writing and merging, and reads what it left."""
        process = start_script(
            tmp_path,
            """
            import tb_activations.store.writer as w
            w.SEAL_SECONDS = 0.05
            writer = Writer(RUN)
            writer.set_graph(GRAPH)
            step = 0
            while True:
                put(writer, step, [capture_of(GRAPH, normal_values(GRAPH), step)])
                step += 1
                if step % 10 == 0:
                    writer.flush()
                    print(step, flush=True)
            """,
        )
        for _ in range(25):
            promised = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        run = open_run(tmp_path / "train")
        assert run.problems == ()
        steps = run.steps().tolist()
        assert steps == list(range(len(steps)))
        assert len(steps) >= promised
        np.testing.assert_array_equal(run.value("dense", steps[-1]), normal_values(GRAPH)("dense", "value", steps[-1]))
        assert len(segments_of(tmp_path)) < 40


PRELUDE = """
import sys
from pathlib import Path
import numpy as np
from tb_activations.store.schema import Capture
from tb_activations.store.writer import Writer
from tests.builders import capture_of, normal_values, parse_nodes, put, record_of
RUN = Path(sys.argv[1])
GRAPH = parse_nodes("input x [4]; layer dense <- x relu; variable dense/kernel update")
"""


def start_script(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(tmp_path / "train")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def run_script(tmp_path: Path, code: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    process = start_script(tmp_path, code)
    stdout, stderr = process.communicate(timeout=120)
    assert not check or process.returncode == 0, stderr
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
