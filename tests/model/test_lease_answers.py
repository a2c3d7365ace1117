"""Scripted scenarios of the lease: slow answers, and another process that takes the lease."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from esm_operator.clock import replaced
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.lease import RENEWAL, RETRY_PERIOD, Lease
from esm_operator.cluster.transport import LEASE_PAUSES, LEASE_TIMEOUT
from esm_operator.fence import Fence
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.model.calls import Call, Gate, Transport
from tests.model.cluster import Cluster
from tests.model.loop import Clock, SteppedLoop

DURATION = 20.0
PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/operator"
#: Seconds that an answer takes in these scenarios.
SLOW = LEASE_TIMEOUT * (DURATION - LEASE_PAUSES) - 0.5


class Process:
    """A candidate for the lease. Its requests wait until the test answers them."""

    def __init__(self) -> None:
        self.problem = ""
        """Why the process cannot work."""
        self.clock = Clock()
        self.cluster = Cluster()
        self.loop = SteppedLoop(self.clock)
        self.gate = Gate(self.clock, lambda _: None, lambda _: None)
        api: Any = Transport(self.gate, self.cluster, self.loop.future, hold_leases=True)
        with replaced(self.clock):
            self.lease = Lease(
                KubernetesClient(api, RateLimiter(1000)),
                namespace="default",
                name="operator",
                identity="us",
                duration=DURATION,
                find_problem=lambda: self.problem,
            )
        self.loop.start(self.lease.run)
        self.loop.settle()

    def asks(self, method: str) -> Call:
        """The only waiting request."""
        (call,) = self.gate.waiting
        assert (call.name, str(call.what["path"]).startswith(PATH.rpartition("/")[0])) == (method, True)
        return call

    def answer(self, method: str, *, after: float = 0.0) -> None:
        """Let the waiting request take effect now, and answer it this many seconds later."""
        call = self.asks(method)
        self.gate.settle(call, "carried out")
        self.clock.now += after
        self.gate.settle(call, "well")
        self.loop.settle()

    def take(self, *, after: float = 0.0) -> Fence:
        """Take the lease, which nobody holds. The answer arrives this many seconds later."""
        self.answer("GET")
        self.answer("POST", after=after)
        return self.fence

    def wait_for_renewal(self) -> None:
        """Let time pass until the candidate renews the lease."""
        self.clock.now += RENEWAL + 0.1
        self.loop.settle()

    @property
    def fence(self) -> Fence:
        """That of the stretch."""
        assert self.lease._fence is not None, "it does not hold the lease"  # pyright: ignore[reportPrivateUsage]
        return self.lease._fence  # pyright: ignore[reportPrivateUsage]

    def covers(self, fence: Fence, seconds: float) -> bool:
        """Whether a fence allows a write that takes this many seconds."""
        with replaced(self.clock):
            return fence.covers(seconds)

    def is_taken_by_another(self) -> None:
        """Let another process take the lease."""
        spec = {"holderIdentity": "them", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": DURATION}
        self.cluster.request("PATCH", PATH, {"spec": spec})

    def holder(self) -> str:
        """The holder of the lease in the API server."""
        return str(json.loads(self.cluster.request("GET", PATH, {}).body)["spec"].get("holderIdentity", ""))


@pytest.fixture
def process() -> Generator[Process]:
    made = Process()
    yield made
    made.gate.crash()
    made.loop.close()


def test_a_lease_runs_from_before_it_was_taken(process: Process) -> None:
    fence = process.take(after=SLOW)
    assert not process.covers(fence, DURATION - SLOW)
    assert process.covers(fence, DURATION - SLOW - 1)


def test_a_lease_runs_from_before_it_was_renewed(process: Process) -> None:
    fence = process.take()
    process.wait_for_renewal()
    process.answer("PUT", after=SLOW)
    assert not process.covers(fence, DURATION - SLOW)
    assert process.covers(fence, DURATION - SLOW - 1)


def test_the_fence_is_closed_when_another_process_has_taken_the_lease(process: Process) -> None:
    fence = process.take()
    process.is_taken_by_another()
    process.wait_for_renewal()
    process.answer("PUT")
    process.answer("GET")
    assert process.holder() == "them"
    assert not process.covers(fence, 0)


def test_the_fence_is_closed_before_the_lease_is_released(process: Process) -> None:
    fence = process.take()
    process.loop.start(lambda: process.lease.release(1.0))
    process.loop.settle()
    process.asks("PUT")
    assert process.holder() == "us"
    assert not process.covers(fence, 0)
    process.answer("PUT")
    assert process.holder() == ""


def test_a_lease_that_another_process_held_is_interrupted_although_the_first_answer_is_lost(process: Process) -> None:
    """The process reads its own record then, as if it had never lost the lease."""
    process.take()
    before = process.lease.interruptions
    process.is_taken_by_another()
    process.wait_for_renewal()
    process.answer("PUT")
    process.answer("GET")
    for _ in range(2 * int(DURATION)):
        process.clock.now += RETRY_PERIOD + 0.1
        process.loop.settle()
        process.answer("GET")
        if process.gate.waiting:
            break
    process.gate.settle(process.asks("PUT"), "lost")
    process.loop.settle()
    assert process.holder() == "us"
    process.clock.now += RETRY_PERIOD + 0.1
    process.loop.settle()
    process.answer("GET")
    process.answer("PUT")
    assert process.covers(process.fence, 1.0)
    assert process.lease.interruptions > before


PROBLEM = "The process cannot open files or connections (Too many open files)"


def give_up(process: Process, fence: Fence) -> int:
    """Let time pass until the process has given the lease up. Returns how often it has renewed the lease before."""
    for renewals in range(5 * int(DURATION)):
        process.wait_for_renewal()
        if not process.covers(fence, 0):
            return renewals
        process.answer("PUT")
    raise AssertionError("It keeps the lease")


def test_a_process_that_cannot_work_gives_the_lease_up(process: Process) -> None:
    """It could renew the lease for ever, so no other process would take over."""
    fence = process.take()
    process.problem = PROBLEM
    renewals = give_up(process, fence)
    assert 2 < renewals <= DURATION / RENEWAL + 1
    for _ in range(3 * int(DURATION)):
        process.clock.now += RETRY_PERIOD + 0.1
        process.loop.settle()
    assert not process.gate.waiting, "it does not take the lease again"
    with replaced(process.clock):
        assert PROBLEM in process.lease.unusable_because()


def test_a_process_that_can_work_again_takes_part_in_the_election(process: Process) -> None:
    fence = process.take()
    process.problem = PROBLEM
    give_up(process, fence)
    process.problem = ""
    process.clock.now += RETRY_PERIOD + 0.1
    process.loop.settle()
    process.answer("GET")
    process.answer("PUT")
    assert process.covers(process.fence, 1.0)
    with replaced(process.clock):
        assert process.lease.unusable_because() == ""


def test_a_process_that_cannot_work_for_a_moment_keeps_the_lease(process: Process) -> None:
    fence = process.take()
    for number in range(40):
        process.problem = PROBLEM if number % 5 else ""
        process.wait_for_renewal()
        process.answer("PUT")
    assert process.covers(fence, 1.0)
