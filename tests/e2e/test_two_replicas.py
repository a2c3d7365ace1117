"""Two replicas: one leads, the other one is a standby and takes over. They never write at the same time.

Each replica connects to the API server and to AWS through its own proxies, which can fail and record requests. Times
are printed, because they depend on the machine. The asserted limits are generous.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import role
from tests.aws import FaultKind
from tests.bed import Bed
from tests.bed.cluster import create_namespace
from tests.controlplane.client import path
from tests.e2e.manifests import queue
from tests.e2e.proxy import Proxy, Request, kubeconfig_through
from tests.operator_process import OperatorProcess
from tests.waiting import LIMIT, eventually

NAMESPACE = "esm-operator"
#: Seconds. The shortest duration that the setting accepts.
DURATION = 10.0
#: Seconds. Shorter than the rest of a lease that is handed over.
LONG = 60.0
#: Seconds before the end of a lease within which no write to AWS may begin: the time limit of a call, and 2 s.
NO_WRITES = 7.0

pytestmark = pytest.mark.long


@dataclass
class Replica:
    """One of several operators, with its proxies to the API server and to AWS."""

    name: str
    process: OperatorProcess
    kubernetes: Proxy
    aws: Proxy
    paused: bool = False

    def calls(self) -> list[Request]:
        """Its requests to AWS Lambda."""
        return [one for one in self.aws.requests if one.path.startswith("/20")]

    def writes(self, since: float = 0.0) -> list[Request]:
        """Its write requests to AWS since a time."""
        return [one for one in self.calls() if one.method != "GET" and one.at >= since]

    def says(self, text: str) -> bool:
        """Whether a line of its log has this text."""
        return any(text in line for line in self.process.tail(100_000).splitlines())

    def wait_until_it_says(self, text: str) -> None:
        eventually(lambda: self.says(text), f"{self.name} says {text}")

    def terminate(self) -> None:
        """Send SIGTERM, and do not wait."""
        os.kill(self.process.pid, signal.SIGTERM)

    def pause(self) -> None:
        """Stop the process, as a debugger or a suspended machine does."""
        os.kill(self.process.pid, signal.SIGSTOP)
        self.paused = True

    def wake(self) -> None:
        self.paused = False
        os.kill(self.process.pid, signal.SIGCONT)


class Replicas:
    """The operators of one bed with the same lease."""

    def __init__(self, bed: Bed, exits: ExitStack) -> None:
        self.bed = bed
        self.lease_name = f"lease-{bed.namespace}"
        self._exits = exits

    def replica(self, name: str, *arguments: str, start: bool = True, duration: float = DURATION) -> Replica:
        """An operator with this identity in the lease. It is ready unless it is not started."""
        kubernetes = self._exits.enter_context(Proxy(*self.bed.plane.address))
        address = urlsplit(self.bed.aws.endpoint)
        assert address.hostname
        assert address.port
        aws = self._exits.enter_context(Proxy(address.hostname, address.port))
        process = self.bed.operator(
            *(f"--lease-duration={duration}", *arguments),
            start=False,
            name=name,
            kubeconfig=kubeconfig_through(self.bed.kubeconfig, kubernetes, self.bed.folder / f"{name}.kubeconfig"),
            endpoint=f"http://127.0.0.1:{aws.port}",
            environment={
                "ESM_OPERATOR_LEASE_NAME": self.lease_name,
                "ESM_OPERATOR_LEASE_NAMESPACE": NAMESPACE,
                "ESM_OPERATOR_IDENTITY": name,
            },
        )
        replica = Replica(name, process, kubernetes, aws)
        self._exits.callback(self._end, replica)
        if start:
            process.start()
        return replica

    def leader(self, *arguments: str, duration: float = DURATION) -> Replica:
        """An operator that leads."""
        replica = self.replica("first", *arguments, duration=duration)
        replica.wait_until_it_says("begins to reconcile")
        return replica

    def standby(self, *arguments: str, duration: float = DURATION) -> Replica:
        """An operator that stands by."""
        replica = self.replica("second", *arguments, duration=duration)
        replica.wait_until_it_says("This process stands by")
        return replica

    # The lease

    def lease(self) -> dict[str, Any]:
        """The spec of the Lease object. Empty: there is no Lease."""
        return (self.bed.client.get(path("Lease", self.lease_name, NAMESPACE)) or {}).get("spec") or {}

    def wait_held_by(self, replica: Replica, *, limit: float = LIMIT) -> None:
        """Wait until a replica holds the lease."""
        eventually(
            lambda: self.lease().get("holderIdentity") == replica.name, f"{replica.name} holds the lease", limit=limit
        )

    def write_lease(self, **spec: Any) -> None:
        """Write the Lease as another process."""
        self.bed.client.install(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.lease_name, "namespace": NAMESPACE},
                "spec": spec,
            }
        )

    def api_writes(self) -> float:
        """The number of write requests for resources at the API server, including refused ones."""
        pattern = re.compile(
            r'^apiserver_request_total\{.*resource="(?:eventsourcemappings|events|providerconfigs)".*'
            r'verb="(?:PATCH|POST|PUT|DELETE|APPLY)".*\} (\S+)$',
            re.MULTILINE,
        )
        return sum(float(found) for found in pattern.findall(self.bed.client.text("/metrics")))

    def _end(self, replica: Replica) -> None:
        if replica.paused:
            replica.wake()
        replica.process.stop()


@pytest.fixture
def replicas(bed: Bed) -> Generator[Replicas]:
    with ExitStack() as exits:
        yield Replicas(bed, exits)


def first_update(replica: Replica, since: float) -> float | None:
    """The time of its first write to AWS, in seconds of ``time.monotonic``."""
    return next((one.at for one in replica.writes(since) if one.method == "PUT"), None)


def resources(bed: Bed, count: int, **spec: Any) -> list[str]:
    """The names of resources that have been applied and are Ready."""
    names = [f"orders-{number}" for number in range(count)]
    bed.apply(*(queue(name, **spec) for name in names))
    for name in names:
        bed.wait_ready(name)
    return names


def test_one_replica_leads_and_the_other_is_a_standby(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader("--sweep-interval=1"), replicas.standby("--sweep-interval=1")
    names = resources(bed, 3)
    bed.patch(names[0], {"batchSize": 5})
    eventually(lambda: bed.mapping(names[0])["BatchSize"] == 5)
    bed.wait_ready(names[0])
    bed.delete(names[1])
    bed.wait_gone(names[1])
    bed.wait_swept(2)

    assert replicas.lease()["holderIdentity"] == "first"
    assert len(first.writes()) == len(names) + 2
    assert second.calls() == []
    assert [one.path for one in second.aws.requests] == ["/"], "a standby asks STS who it is, and nothing else"


def test_two_replicas_that_start_together_create_each_mapping_once(bed: Bed, replicas: Replicas) -> None:
    both = [replicas.replica(name, start=False) for name in ("first", "second")]
    names = [f"orders-{number}" for number in range(8)]
    bed.apply(*(queue(name) for name in names))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda replica: replica.process.start(), both))
    for name in names:
        bed.wait_ready(name)
    workers = [replica for replica in both if replica.calls()]
    assert [replica.name for replica in workers] == [replicas.lease()["holderIdentity"]]
    assert len(bed.mappings()) == len(names)
    assert bed.calls()["CreateEventSourceMapping"] == len(names)


def test_the_lease_is_handed_over_on_sigterm(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader(duration=2 * LONG), replicas.standby(duration=2 * LONG)
    names = resources(bed, 3)
    held = replicas.lease()
    told = time.monotonic()
    first.terminate()
    with ThreadPoolExecutor() as pool:
        edited = pool.submit(bed.patch, names[0], {"batchSize": 5})
        replicas.wait_held_by(second, limit=LONG)
        handed_over = time.monotonic() - told
        edited.result()
    acted = eventually(lambda: first_update(second, told)) - told
    bed.wait_ready(names[0])
    eventually(first.process.has_ended)

    print(f"From SIGTERM to the lease's next holder: {handed_over:.2f} s, to its first write: {acted:.2f} s")
    assert bed.mapping(names[0])["BatchSize"] == 5
    assert first.writes(told) == []
    assert bed.calls()["CreateEventSourceMapping"] == len(names)
    lease = replicas.lease()
    assert lease["leaseTransitions"] == held.get("leaseTransitions", 0) + 1
    assert first.says("Released the lease")


@pytest.mark.parametrize("seconds", [0.6, 4.0], ids=["finishes", "is-cut-off"])
def test_requests_in_progress_at_sigterm_leave_one_mapping(bed: Bed, replicas: Replicas, seconds: float) -> None:
    first, second = replicas.leader(duration=2 * LONG), replicas.standby(duration=2 * LONG)
    (name,) = resources(bed, 1)
    bed.control.fault(FaultKind.DELAY_ANSWER, "UpdateEventSourceMapping", times=1, seconds=seconds)
    bed.patch(name, {"batchSize": 5})
    eventually(lambda: bed.mapping(name)["BatchSize"] == 5)
    told = time.monotonic()
    first.terminate()
    replicas.wait_held_by(second, limit=LONG)
    print(f"From SIGTERM to the lease's next holder, with an answer that takes {seconds} s: ", end="")
    print(f"{time.monotonic() - told:.2f} s")
    bed.wait_ready(name)
    assert bed.mapping(name)["BatchSize"] == 5
    assert first.writes(told) == []
    assert [one for one in second.writes() if one.method == "PUT"] == [], "the new leader saw that it was done"
    assert len(bed.mappings()) == 1


def test_sigterm_ends_the_operator_while_the_api_server_hangs(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader(), replicas.standby()
    (name,) = resources(bed, 1)
    first.kubernetes.hang()
    told = time.monotonic()
    first.terminate()
    eventually(first.process.has_ended)
    print(f"From SIGTERM to the end of the process: {time.monotonic() - told:.2f} s")
    bed.patch(name, {"batchSize": 5})
    eventually(lambda: bed.mapping(name)["BatchSize"] == 5)
    assert len([one for one in second.writes() if one.method == "PUT"]) == 1


def test_the_standby_takes_over_from_a_killed_leader(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader(), replicas.standby()
    names = resources(bed, 3)
    first.process.kill()
    killed = time.monotonic()
    bed.patch(names[0], {"batchSize": 5})
    bed.delete(names[1])
    replicas.wait_held_by(second)
    took_over = time.monotonic() - killed
    acted = eventually(lambda: first_update(second, killed)) - killed
    bed.wait_ready(names[0])
    bed.wait_gone(names[1])

    print(f"From SIGKILL to the lease's next holder: {took_over:.2f} s ", end="")
    print(f"(lease of {DURATION:.0f} s), to its first write: {acted:.2f} s")
    assert {one["FunctionArn"].rpartition(":")[2] for one in bed.mappings()} == {names[0], names[2]}
    assert bed.calls()["CreateEventSourceMapping"] == len(names)


def test_a_leader_that_was_suspended_writes_nothing(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader("--sweep-interval=1"), replicas.standby("--sweep-interval=1")
    names = resources(bed, 4)
    # Writes that it would send after it wakes: the status for an answer, and edits from its watch.
    bed.control.fault(FaultKind.DELAY_ANSWER, "UpdateEventSourceMapping", times=1, seconds=2.0)
    bed.patch(names[0], {"batchSize": 5})
    eventually(lambda: bed.mapping(names[0])["BatchSize"] == 5)
    first.pause()
    stopped = time.monotonic()
    bed.patch(names[1], {"batchSize": 6})
    bed.delete(names[2])
    bed.apply(queue("fresh"))

    replicas.wait_held_by(second)
    for name in (names[0], names[1], "fresh"):
        bed.wait_ready(name)
    bed.wait_gone(names[2])
    assert [bed.mapping(name)["BatchSize"] for name in names[:2]] == [5, 6]
    bed.wait_swept(2)
    written, before = replicas.api_writes(), time.monotonic()

    first.wake()
    first.wait_until_it_says("Lost the lease")
    first.wait_until_it_says("stands by, because second")
    assert replicas.api_writes() == written
    assert second.writes(before) == []
    bed.patch(names[3], {"batchSize": 7})
    eventually(lambda: bed.mapping(names[3])["BatchSize"] == 7)
    bed.wait_ready(names[3])
    assert first.writes(stopped) == []
    assert bed.calls()["CreateEventSourceMapping"] == len(names) + 1
    assert len(bed.mappings()) == len(names)


@pytest.mark.parametrize("fail", [Proxy.hang, Proxy.refuse], ids=["hangs", "refuses"])
def test_a_leader_without_the_api_server_stops_before_its_lease_ends(
    bed: Bed, replicas: Replicas, fail: Callable[[Proxy], None]
) -> None:
    duration = 15.0
    first = replicas.leader("--sweep-interval=1", duration=duration)
    second = replicas.standby("--sweep-interval=1", duration=duration)
    names = resources(bed, 30, batchSize=10)
    uuids = [bed.mapping(name)["UUID"] for name in names]

    # It still reads AWS, where another tool changes one mapping after the other.
    failed = time.monotonic()
    fail(first.kubernetes)
    for uuid in uuids:
        bed.control.edit_mapping(uuid, BatchSize=7)
        until = time.monotonic() + 0.5
        eventually(lambda until=until: time.monotonic() >= until or replicas.lease()["holderIdentity"] == "second")
    replicas.wait_held_by(second)
    took_over = time.monotonic()
    eventually(lambda: all(one["BatchSize"] == 10 for one in bed.mappings()))

    written = [one.at - failed for one in first.writes(failed)]
    looked = [one.at - failed for one in first.calls() if failed <= one.at <= took_over]
    print(f"Writes begun after the API server failed, in seconds: {[round(at, 1) for at in written]}; ", end="")
    print(f"taken over after {took_over - failed:.1f}")
    assert written, "it works on while its lease runs"
    # One more second, because the proxy records a write later than it begins.
    assert max(written) < duration - NO_WRITES + 1
    assert max(looked) > duration - NO_WRITES + 1, "it saw the drift that it did not correct"
    acquired = datetime.fromisoformat(replicas.lease()["acquireTime"]).timestamp() - time.time() + time.monotonic()
    assert second.writes(failed)[0].at >= acquired - 1, "the lease has the time before its write"

    first.kubernetes.restore()
    first.wait_until_it_says("stands by, because second")
    assert first.says("it could not be renewed within its 15 s")
    bed.patch(names[0], {"batchSize": 3})
    eventually(lambda: bed.mapping(names[0])["BatchSize"] == 3)
    assert first.writes(took_over) == []


@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "behind"])
def test_a_leader_with_a_wrong_clock_keeps_the_lease_while_it_renews(bed: Bed, replicas: Replicas, hours: int) -> None:
    started = datetime.now(UTC) + timedelta(hours=hours)

    def renew(number: int) -> None:
        moment = (started + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        replicas.write_lease(holderIdentity="somebody-else", leaseDurationSeconds=int(DURATION), renewTime=moment)

    renew(0)
    bed.apply(queue())
    waiting = replicas.replica("first")
    waiting.wait_until_it_says("stands by, because somebody-else")
    begun = time.monotonic()
    number, renewed = 0, begun
    while time.monotonic() < begun + DURATION + 3:  # longer than a lease that is not renewed
        number, renewed = number + 1, time.monotonic()
        renew(number)
        time.sleep(0.5)
        assert replicas.lease()["holderIdentity"] == "somebody-else"
    replicas.wait_held_by(waiting)
    assert time.monotonic() - renewed >= DURATION
    bed.wait_ready("orders")
    assert min(one.at for one in waiting.calls()) >= renewed + DURATION


def test_a_leader_stops_when_another_process_takes_the_lease(bed: Bed, replicas: Replicas) -> None:
    first = replicas.leader("--sweep-interval=1")
    names = resources(bed, 2)
    forged = time.monotonic()
    replicas.write_lease(holderIdentity="forger", leaseDurationSeconds=int(DURATION))
    first.wait_until_it_says("forger holds it")
    lost = time.monotonic()
    print(f"From the forged lease to the end of the work: {lost - forged:.2f} s")
    bed.patch(names[0], {"batchSize": 5})
    eventually(lambda: bed.mapping(names[0])["BatchSize"] == 5)
    assert min(one.at for one in first.writes(lost)) >= forged + DURATION
    assert min(one.at for one in first.calls() if one.at >= lost) >= forged + DURATION, "a standby does not sweep"


def test_a_deleted_lease_is_created_again(bed: Bed, replicas: Replicas) -> None:
    first, second = replicas.leader(), replicas.standby()
    names = resources(bed, 2)
    bed.client.delete(path("Lease", replicas.lease_name, NAMESPACE))
    replicas.wait_held_by(first)
    bed.patch(names[0], {"batchSize": 5})
    eventually(lambda: bed.mapping(names[0])["BatchSize"] == 5)
    assert not first.says("Lost the lease")
    assert second.calls() == []


def test_missing_rights_for_the_lease_are_reported_with_the_remedy(bed: Bed) -> None:
    """The ServiceAccount has the operator's ClusterRole, but not its Role."""
    account = f"account-{bed.namespace}"
    for_the_cluster, for_the_lease = role.shipped(NAMESPACE)
    bed.client.install(
        role.account(account, NAMESPACE),
        *role.granted(for_the_cluster, account, account, NAMESPACE),
        *(one for one in role.granted(for_the_lease, account, account, NAMESPACE) if one["kind"] == "Role"),
    )
    process = bed.operator(start=False, kubeconfig=bed.plane.kubeconfig_for(NAMESPACE, account))
    process.launch()  # it is not ready before it could lead
    eventually(lambda: "Allow get, create and update of leases" in process.tail())
    bed.apply(queue())
    bed.client.install(*role.granted(for_the_lease, account, account, NAMESPACE))
    bed.wait_ready("orders")
    said = [line for line in process.tail(1000).splitlines() if "lease" in line.lower()]
    assert sum("Allow get" in line for line in said) == 1, said
    assert "Traceback" not in process.tail(1000)


def test_a_missing_namespace_of_the_lease_is_reported_with_the_remedy(bed: Bed) -> None:
    nowhere = f"{bed.namespace}-leases"
    process = bed.operator(
        start=False, kubeconfig=bed.plane.kubeconfig, environment={"ESM_OPERATOR_LEASE_NAMESPACE": nowhere}
    )
    process.launch()  # it is not ready before it could lead
    eventually(lambda: f"there is no namespace {nowhere}. Create it" in process.tail())
    bed.apply(queue())
    create_namespace(bed.client, nowhere)
    bed.wait_ready("orders")
    assert "Traceback" not in process.tail(1000)
