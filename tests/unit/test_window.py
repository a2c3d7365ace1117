"""The window: what has piled up is not sent at once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from esm_operator.waiting import window
from esm_operator.waiting.window import Window


@pytest.mark.parametrize("threads", [1, 8, 40])
def test_never_more_within_a_window(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "LENGTH", 0.3)
    gate, most = Window(7), 7

    def send(_: int) -> float:
        gate.wait()
        return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        before = time.monotonic()
        sent = sorted(pool.map(send, range(40)))
    assert sent[most] - before >= 0.3
    assert sent[-1] - before >= 0.3 * (39 // most)


def test_as_many_as_a_window_takes_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "LENGTH", 3600.0)
    gate = Window(1000)
    for _ in range(1000):
        gate.wait()
