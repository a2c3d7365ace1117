"""A pod in the network opens connections to the ports of the operator, and keeps them open."""

import resource
import socket
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.bed import Bed
from tests.e2e.manifests import queue
from tests.operator_process import OperatorProcess
from tests.waiting import eventually

#: More than the usual limit of descriptors of a process.
CONNECTIONS = 1_100
DESCRIPTORS = 1_024
#: Seconds after which the kubelet counts a probe as failed, in the chart.
PROBE_TIMEOUT = 5.0
#: Bytes of log lines that an attack of some seconds may cause.
LOG = 20_000

#: What an attacker sends on each connection: nothing, or the beginning of a request.
BEGINNINGS = {"idle": b"", "half a request": b"GET /healthz HTTP/1.1\r\nHost: operator\r\n"}


@pytest.fixture(autouse=True)
def _descriptors_of_the_attacker() -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CONNECTIONS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def connections(url: str, number: int, beginning: bytes) -> Generator[list[socket.socket]]:
    """Connections that nobody closes on this side."""
    address = urlsplit(url)
    with ExitStack() as exits:
        opened = list[socket.socket]()
        for _ in range(number):
            one = exits.enter_context(socket.create_connection((address.hostname, address.port or 0), timeout=10))
            opened.append(one)
            with suppress(OSError):  # the operator has closed it already
                one.sendall(beginning)
        yield opened


def probe(url: str) -> int:
    """The status of an answer within the time-out of a probe."""
    with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT) as answer:
        return int(answer.status)


def open_descriptors(operator: OperatorProcess) -> int:
    return len(list(Path(f"/proc/{operator.pid}/fd").iterdir()))


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_idle_connections_do_not_stop_probes(bed: Bed, beginning: str) -> None:
    operator = bed.operator()
    resource.prlimit(operator.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    before = open_descriptors(operator)
    size = operator.log.stat().st_size
    with connections(operator.url, CONNECTIONS, BEGINNINGS[beginning]):
        for path in ("/healthz", "/readyz"):
            assert probe(operator.url + path) == 200
        eventually(lambda: open_descriptors(operator) < before + 100)
        bed.apply(queue())
        bed.wait_ready("orders")
        assert probe(operator.url + "/healthz") == 200
    noise = [line for line in operator.log.read_text()[size:].splitlines() if "DEBUG" not in line]
    assert sum(map(len, noise)) < LOG


def log_of(operator: OperatorProcess, since: int = 0) -> list[str]:
    """The lines of its log that it writes at the default level."""
    return [line for line in operator.log.read_text()[since:].splitlines() if " DEBUG " not in line]


def test_a_leader_without_descriptors_gives_the_lease_up(bed: Bed) -> None:
    """The connection for the lease is open, so the leader could renew the lease for ever."""
    lease = {"ESM_OPERATOR_LEASE_NAME": f"lease-{bed.namespace}"}
    arguments = ("--lease-duration=10", "--sweep-interval=5")
    leader = bed.operator(*arguments, name="leader", environment=lease)
    bed.apply(queue())
    bed.wait_ready("orders")
    standby = bed.operator(*arguments, name="standby", environment=lease)
    soft, hard = resource.prlimit(leader.pid, resource.RLIMIT_NOFILE)
    size = leader.log.stat().st_size
    resource.prlimit(leader.pid, resource.RLIMIT_NOFILE, (3, hard))
    eventually(lambda: "begins to reconcile" in standby.tail(1000), lambda: f"the standby leads:\n{leader.tail()}")
    lines = log_of(leader, size)
    assert any("the process could not work for the 10 s of the lease" in line for line in lines)
    assert sum(map(len, lines)) < LOG
    bed.apply(queue("other"))
    bed.wait_ready("other")
    resource.prlimit(leader.pid, resource.RLIMIT_NOFILE, (soft, hard))
    standby.stop()
    eventually(lambda: sum("begins to reconcile" in line for line in log_of(leader)) == 2, "it leads again")
    bed.apply(queue("third"))
    bed.wait_ready("third")
