"""The window: what has piled up does not reach AWS in one burst, wherever it was held up."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from esm_operator.ratelimit import in_flight_window
from esm_operator.ratelimit.in_flight_window import InFlightWindow

LENGTH = 0.3


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight_window, "LENGTH", LENGTH)


@pytest.mark.parametrize("threads", [1, 8, 40])
def test_never_more_within_a_window(threads: int) -> None:
    gate, most = InFlightWindow(7, rate=0.1), 7

    def send(number: int) -> float:
        """Returns when it reached AWS: at some moment between its sending and its answer."""
        place = gate.wait()
        pause = random.Random(number).uniform(0, LENGTH / 3)
        time.sleep(pause)
        arrived = time.monotonic()
        time.sleep(pause / 2)
        gate.release(place)
        return arrived

    with ThreadPoolExecutor(threads) as pool:
        arrived = sorted(pool.map(send, range(40)))
    assert all(later - earlier >= LENGTH for earlier, later in zip(arrived, arrived[most:], strict=False))


def test_a_place_is_kept_until_a_window_after_the_answer() -> None:
    gate = InFlightWindow(1, rate=0.001)
    place = gate.wait()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(gate.wait)
        time.sleep(LENGTH)
        assert not second.done()
        answered = time.monotonic()
        gate.release(place)
        second.result(30)
    assert time.monotonic() - answered >= LENGTH


def test_what_is_never_answered_does_not_hold_the_rate_down() -> None:
    gate = InFlightWindow(14, rate=10 / LENGTH)
    began = time.monotonic()
    for _ in range(14):
        gate.wait()
    gate.wait()
    assert time.monotonic() - began >= 14 * LENGTH / 10


def test_a_late_answer_gives_up_nobody_elses_place() -> None:
    gate = InFlightWindow(1, rate=1 / LENGTH)
    late = gate.wait()
    gate.wait()
    taken = time.monotonic()
    gate.release(late)
    gate.wait()
    assert time.monotonic() - taken >= LENGTH


def test_as_many_as_a_window_takes_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight_window, "LENGTH", 3600.0)
    gate = InFlightWindow(1000, rate=1)
    for _ in range(1000):
        gate.wait()
