"""The lease: when a candidate may take it, and that two never hold it at the same time, whatever their clocks."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.cluster import lease
from esm_operator.cluster.lease import Candidate, LeaseRecord, LeaseState
from esm_operator.fence import Fence, NotLeadingError
from esm_operator.settings import Settings

DURATION = 20.0
US, THEM = "us", "them"
HELD = LeaseRecord(holder=THEM, duration=15, acquired="2026-01-01T00:00:00Z", renewed="r1", transitions=3, version="7")
#: Observations in order: (seconds, record, a possible own write) -> judgement.
Look = tuple[float, LeaseRecord | None, set[str], LeaseState]
STORIES: dict[str, list[Look]] = {
    "there is none": [(0, None, set(), LeaseState.FREE)],
    "given back": [(0, replace(HELD, holder=""), set(), LeaseState.FREE)],
    "given back while we wait": [
        (0, HELD, set(), LeaseState.HELD),
        (1, replace(HELD, holder="", version="8"), set(), LeaseState.FREE),
    ],
    "left by the process in whose place we are": [(0, replace(HELD, holder=US), set(), LeaseState.OURS)],
    "another with our name, that came later": [
        (0, HELD, set(), LeaseState.HELD),
        (1, replace(HELD, holder=US, version="8"), {"r0"}, LeaseState.HELD),
        (15.9, replace(HELD, holder=US, version="8"), {"r0"}, LeaseState.HELD),
        (16, replace(HELD, holder=US, version="8"), {"r0"}, LeaseState.EXPIRED),
    ],
    "our own, whose answer was lost": [
        (0, HELD, set(), LeaseState.HELD),
        (1, replace(HELD, holder=US, renewed="r2", version="8"), {"r2"}, LeaseState.OURS),
    ],
    "not renewed for its duration": [
        (0, HELD, set(), LeaseState.HELD),
        (14.9, HELD, set(), LeaseState.HELD),
        (15, HELD, set(), LeaseState.EXPIRED),
    ],
    "renewed again and again": [
        (0, HELD, set(), LeaseState.HELD),
        (14, replace(HELD, version="8"), set(), LeaseState.HELD),
        (28, replace(HELD, version="9"), set(), LeaseState.HELD),
        (42.9, replace(HELD, version="9"), set(), LeaseState.HELD),
        (43, replace(HELD, version="9"), set(), LeaseState.EXPIRED),
    ],
    "we slept meanwhile, and it was renewed": [
        (0, HELD, set(), LeaseState.HELD),
        (3600, replace(HELD, version="900"), set(), LeaseState.HELD),
    ],
    "it has no duration, so ours applies": [
        (0, replace(HELD, duration=0), set(), LeaseState.HELD),
        (DURATION - 0.1, replace(HELD, duration=0), set(), LeaseState.HELD),
        (DURATION, replace(HELD, duration=0), set(), LeaseState.EXPIRED),
    ],
    "deleted by somebody, whose holder may not know yet": [
        (0, HELD, set(), LeaseState.HELD),
        (1, None, set(), LeaseState.HELD),
        (14.9, None, set(), LeaseState.HELD),
        (15, None, set(), LeaseState.FREE),
    ],
    "its times are an hour ahead": [
        (0, replace(HELD, renewed="2999-01-01T00:00:00Z"), set(), LeaseState.HELD),
        (15, replace(HELD, renewed="2999-01-01T00:00:00Z"), set(), LeaseState.EXPIRED),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_candidate_takes_only_a_free_or_expired_lease(story: str) -> None:
    candidate = Candidate(US, DURATION)
    for at, record, written, expected in STORIES[story]:
        assert candidate.judge(record, 1000 + at, written) is expected, f"after {at} s"


class Simulation:
    """A holder that renews and a candidate that observes, with slow requests. The test sets the time."""

    def __init__(self, offset: float) -> None:
        self.now = 0.0
        self.stored = LeaseRecord(holder=THEM, duration=DURATION, version="0")
        self.fence = Fence(lambda: self.now)
        self.fence.extend(DURATION)
        self._candidate = Candidate(US, DURATION)
        self._offset = offset

    def renew(self, there: float, back: float, *, arrives: bool, answered: bool) -> None:
        """One renewal. The request or its answer may be lost."""
        sent = self.now
        self.now += there
        if arrives:
            self.stored = replace(self.stored, version=str(int(self.stored.version) + 1))
        self.now += back
        if arrives and answered and self.fence.left > 0:
            self.fence.extend(sent + DURATION)

    def look(self, there: float, back: float) -> LeaseState:
        """One observation, with a clock that started at another time."""
        self.now += there
        seen = self.stored
        self.now += back
        return self._candidate.judge(seen, self.now + self._offset)


DELAY = st.floats(0, 30, allow_nan=False)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("renew"), DELAY, DELAY, st.booleans(), st.booleans()),
        st.tuples(st.just("look"), DELAY, DELAY, st.just(True), st.just(True)),
    ),
    max_size=30,
)


@given(STEPS, st.floats(-1e6, 1e6))
def test_a_candidate_never_takes_the_lease_while_the_holder_may_write(
    steps: list[tuple[str, float, float, bool, bool]], offset: float
) -> None:
    world = Simulation(offset)
    for kind, there, back, arrives, answered in steps:
        if kind == "renew":
            world.renew(there, back, arrives=arrives, answered=answered)
        elif world.look(there, back) is LeaseState.EXPIRED:
            assert not world.fence.covers(1e-6)
            return


def test_a_candidate_takes_an_abandoned_lease() -> None:
    world = Simulation(offset=-500.0)
    world.renew(0.1, 0.1, arrives=True, answered=True)
    looks = iter(lambda: world.look(0.5, 0.5), LeaseState.EXPIRED)
    assert len(list(looks)) <= DURATION + 1
    assert -2 <= world.fence.left <= 0


class Now:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_fence_allows_writes_that_end_before_the_lease() -> None:
    now = Now()
    fence = Fence(now)
    with pytest.raises(NotLeadingError):
        fence.check(0)
    fence.extend(120)
    fence.check(17.9)
    with pytest.raises(NotLeadingError):
        fence.check(18)
    now.at = 113.5
    with pytest.raises(NotLeadingError):
        fence.check(5)
    fence.extend(133.5)
    fence.check(5)


def test_a_fence_that_was_closed_stays_closed() -> None:
    fence = Fence(Now())
    fence.extend(120)
    fence.close()
    fence.extend(140)
    assert not fence.covers(0)
    with pytest.raises(NotLeadingError):
        fence.check(1)


RECORDS = st.builds(
    LeaseRecord,
    holder=st.text(max_size=20),
    duration=st.integers(1, 600).map(float),
    acquired=st.just("") | st.just("2026-01-01T00:00:00.000000Z"),
    renewed=st.just("") | st.just("2026-01-01T00:00:02.000000Z"),
    transitions=st.integers(0, 10**6),
    version=st.integers(1).map(str),
)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: LeaseRecord) -> None:
    body = record.render("name")
    assert body["metadata"] == {"name": "name", "resourceVersion": record.version}
    assert LeaseRecord.parse(body) == record


def test_an_empty_record_is_a_free_lease() -> None:
    assert LeaseRecord.parse({"metadata": {"resourceVersion": "1"}}) == LeaseRecord(version="1")
    assert LeaseRecord.parse({"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": None}}).holder == ""


@pytest.fixture
def no_pod(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove all variables that name the pod."""
    for name in ("POD_NAME", "POD_UID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_restarted_container_of_a_pod_has_the_same_identity(no_pod: pytest.MonkeyPatch) -> None:
    no_pod.setenv("POD_NAME", "esm-operator-0")
    no_pod.setenv("POD_UID", "1b2c")
    assert lease.own_identity() == lease.own_identity() == "esm-operator-0_1b2c"


@pytest.mark.parametrize("name", ["", "esm-operator-0"])
def test_without_a_uid_no_two_identities_are_the_same(no_pod: pytest.MonkeyPatch, name: str) -> None:
    no_pod.setenv("POD_NAME", name)
    first, second = lease.own_identity(), lease.own_identity()
    assert first.startswith(name)
    assert first != second


def test_outside_of_a_pod_the_namespace_is_default() -> None:
    assert not Path("/var/run/secrets/kubernetes.io/serviceaccount").exists(), "this test runs in a pod"
    assert lease.own_namespace() == "default"


@pytest.mark.parametrize("name", ["UPPER", "-a", "a-", "a b", ""])
def test_an_invalid_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="lease_name"):
        Settings(lease_name=name)
