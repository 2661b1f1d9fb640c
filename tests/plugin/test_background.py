"""Work beside requests: one thread at a time, rests, and errors that end in the log."""

from __future__ import annotations

import threading
import time

from tb_activations.plugin.background import Background


def _ask_until(background, condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        background.ask()
        time.sleep(0.005)


def test_work_that_runs_is_not_begun_a_second_time():
    release, begun = threading.Event(), []

    def work():
        begun.append(threading.current_thread())
        release.wait(30)

    background = Background(work, "test")
    for _ in range(5):
        assert background.ask()
    assert not background.wait_for_first(0.05)
    assert len(begun) == 1
    release.set()
    assert background.wait_for_first(30)
    assert begun[0].daemon, "TensorBoard's end waits for no thread of ours"


def test_between_two_works_there_is_a_pause():
    count = []
    background = Background(lambda: count.append(time.monotonic()), "test", pause=0.3)
    _ask_until(background, lambda: len(count) == 2)
    assert count[1] - count[0] >= 0.3


def test_work_that_fails_is_logged_and_tried_again(caplog):
    tries = []

    def work():
        tries.append(None)
        raise ValueError("not today")

    background = Background(work, "the test's work")
    _ask_until(background, lambda: len(tries) >= 2)
    assert "the test's work" in caplog.text
    assert "not today" in caplog.text
