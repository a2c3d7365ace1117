"""The in-flight window: delayed requests do not reach AWS in one burst, wherever they were delayed."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from esm_operator.clock import SystemClock, replaced
from esm_operator.ratelimit import in_flight_window
from esm_operator.ratelimit.in_flight_window import InFlightWindow

LENGTH = 0.3


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight_window, "LENGTH", LENGTH)


@pytest.mark.parametrize("threads", [1, 8, 40])
def test_never_more_requests_than_the_limit_reach_aws_within_a_window(threads: int) -> None:
    gate, most = InFlightWindow(7, rate=0.1), 7

    def send(number: int) -> float:
        """Returns the time at which the request reached AWS, between its sending and its answer."""
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


def test_a_slot_is_kept_until_one_window_after_the_answer() -> None:
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


def test_requests_without_an_answer_do_not_reduce_the_rate() -> None:
    gate = InFlightWindow(14, rate=10 / LENGTH)
    began = time.monotonic()
    for _ in range(14):
        gate.wait()
    gate.wait()
    assert time.monotonic() - began >= 14 * LENGTH / 10


class RecordingClock(SystemClock):
    """The clock of the machine. It keeps the last time that was read, which is the time at which a slot was taken."""

    last = 0.0

    def monotonic(self) -> float:
        self.last = super().monotonic()
        return self.last


def test_a_late_answer_releases_only_its_own_slot() -> None:
    with replaced(clock := RecordingClock()):
        gate = InFlightWindow(1, rate=1 / LENGTH)
        late = gate.wait()
        gate.wait()
        taken = clock.last
        gate.release(late)
        gate.wait()
        assert clock.last - taken >= LENGTH


def test_requests_within_the_limit_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight_window, "LENGTH", 3600.0)
    gate = InFlightWindow(1000, rate=1)
    for _ in range(1000):
        gate.wait()
