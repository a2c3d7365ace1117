"""What the hooks of the operator rely on in botocore and urllib3.

Each test is a row of operator/esm_operator/adapters/README.md.
"""

import gzip
import select
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from esm_operator.adapters import botocore_hooks
from esm_operator.adapters.botocore_hooks import MOST_OF_ERROR
from tests.unit.slow_connections import SlowServer, certificate
from tests.waiting import LIMIT, eventually

UUID = "11111111-2222-3333-4444-555555555555"
KINDS = ("plain", "TLS", "plain through a proxy", "TLS through a proxy", "TLS through a TLS proxy")


class CalledOffError(Exception):
    """The request was called off."""


@dataclass
class Recorder:
    """A request that records its calls."""

    server: SlowServer
    connecting_after: list[int] = field(default_factory=list[int])
    """How many connections there had been each time that it was to connect."""
    sending_after: list[bytes] = field(default_factory=list[bytes])
    """What the server had got each time that bytes were to be sent."""
    operations: list[str] = field(default_factory=list[str])
    urls: list[str] = field(default_factory=list[str])
    call_off_at: int = 0
    """The part of the request that is called off, counted from 1; 0: none."""
    sent: threading.Event = field(default_factory=threading.Event)
    cut: Callable[[], None] | None = None
    received: list[int] = field(default_factory=list[int])
    """How many bytes of the answer had arrived each time that some arrived."""
    bodies: list[bytes] = field(default_factory=list[bytes])
    """The answers that were to be parsed."""
    most: int = sys.maxsize
    """Bytes of an answer after which the request is called off."""

    def connecting(self, operation: str, url: str) -> None:
        self.connecting_after.append(self.server.accepted)
        self.operations.append(operation)
        self.urls.append(url)

    def sending(self, cut: Callable[[], None]) -> float:
        self.sending_after.append(self.server.received)
        self.cut = cut
        if len(self.sending_after) == self.call_off_at:
            raise CalledOffError
        self.sent.set()
        return 5.0

    def receiving(self, received: int) -> None:
        self.received.append(received)
        if received > self.most:
            raise CalledOffError

    def parsing(self, body: bytes) -> None:
        self.bodies.append(body)

    def check(self) -> None: ...


class Ways(NamedTuple):
    """A server, and how to get to it."""

    server: SlowServer
    proxy: "Proxy | None"
    options: dict[str, Any]

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy reads the request before it connects to the server."""
        return self.proxy is not None and self.server.url.startswith("http:")

    def client(self, service: str = "lambda") -> Any:
        make: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing").client
        made = make(service, region_name="eu-west-1", endpoint_url=self.server.url, **self.options)
        botocore_hooks.install(made)
        return made


class Proxy:
    """An HTTP proxy for forwarded requests and for tunnels."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """
        Args:
            tls: for a proxy that speaks TLS itself.
        """
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://localhost:{self._listener.getsockname()[1]}"
        self.connects = 0
        """Tunnels that were asked for."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with suppress(OSError), self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted as client:
            data = client.recv(65536)
            if not data:
                return
            method, target, _ = data.split(b" ", 2)
            host, _, port = (target if method == b"CONNECT" else target.split(b"/")[2]).decode().partition(":")
            with socket.create_connection((host, int(port))) as server:
                if method == b"CONNECT":
                    self.connects += 1
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    server.sendall(data)
                _relay(client, server)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Hand on what comes in on two connections, until one of them ends."""
    others = {one: other, other: one}
    while True:
        waiting = [it for it in others if isinstance(it, ssl.SSLSocket) and it.pending()]
        for it in waiting or select.select(list(others), [], [])[0]:
            data = it.recv(65536)
            if not data:
                return
            others[it].sendall(data)


@pytest.fixture(params=KINDS)
def ways(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Ways]:
    with opened(request.param, tmp_path) as made:
        yield made


@contextmanager
def opened(kind: str, folder: Path, answer: Callable[[socket.socket], None] | None = None) -> Generator[Ways]:
    tls = certificate(folder) if kind.startswith("TLS") else None
    server = SlowServer(tls=tls, answer=answer)
    server.handshake.set()
    server.accept()
    proxy = Proxy(tls if kind.endswith("TLS proxy") else None) if kind.endswith("proxy") else None
    config = Config(
        retries={"total_max_attempts": 1},
        read_timeout=LIMIT,
        proxies={"http": proxy.url, "https": proxy.url} if proxy else None,
        proxies_config={"proxy_ca_bundle": str(folder / "ca.pem")} if kind.endswith("TLS proxy") else None,
    )
    try:
        yield Ways(server, proxy, {"config": config, "verify": str(folder / "ca.pem")})
    finally:
        server.close()
        if proxy is not None:
            proxy.close()


@contextmanager
def making(recorder: Recorder) -> Generator[None]:
    token = botocore_hooks.current.set(recorder)
    try:
        yield
    finally:
        botocore_hooks.current.reset(token)


def is_called_off(client: Any) -> bool:
    """Whether an update fails as one that was called off while it was sent."""
    with pytest.raises(HTTPClientError) as failed:
        client.update_event_source_mapping(UUID=UUID, BatchSize=5)
    return isinstance(failed.value.kwargs.get("error"), CalledOffError)


def wait_until_ended(server: SlowServer, connections: int) -> None:
    """Wait until the server has read all that was sent on so many connections."""
    eventually(
        lambda: server.has_ended(connections),
        lambda: f"{server.accepted} connections, {server.closed} of them closed",
        every=0.01,
    )


def test_each_client_has_an_http_session_of_its_own(tmp_path: Path) -> None:
    with opened("plain", tmp_path) as ways:
        session: Any = boto3.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1"
        )
        with_hooks, without = (session.client("lambda", endpoint_url=ways.server.url) for _ in range(2))
        botocore_hooks.install(with_hooks)
        assert without.get_event_source_mapping(UUID=UUID)["UUID"] == UUID
        with pytest.raises(LookupError):
            with_hooks.get_event_source_mapping(UUID=UUID)
        assert ways.server.requests == 1


def test_before_send_is_emitted_after_the_signature_and_before_a_connection_is_made(ways: Ways) -> None:
    client, recorder = ways.client(), Recorder(ways.server)

    def created(request: Any, **_: Any) -> None:
        recorder.operations.append("signed" if "Authorization" in request.headers else "not signed")

    client.meta.events.register_last("request-created", created)
    with making(recorder):
        client.get_event_source_mapping(UUID=UUID)
    assert recorder.operations == ["signed", "GetEventSourceMapping"]
    assert recorder.connecting_after == [0]
    assert recorder.urls == [f"{ways.server.url}/2015-03-31/event-source-mappings/{UUID}"]


@pytest.mark.parametrize(
    ("service", "method", "operation"),
    [
        ("sts", "get_caller_identity", "GetCallerIdentity"),
        ("resourcegroupstaggingapi", "get_resources", "GetResources"),
    ],
)
def test_before_send_names_the_operation_of_each_service(
    tmp_path: Path, service: str, method: str, operation: str
) -> None:
    with opened("plain", tmp_path) as ways:
        recorder = Recorder(ways.server)
        with making(recorder), suppress(Exception):  # the answer is not one of theirs
            getattr(ways.client(service), method)()
        assert recorder.operations == [operation]
        assert ways.server.requests == 1


def test_each_part_of_a_request_passes_send_when_the_connection_is_ready(ways: Ways) -> None:
    client, recorder = ways.client(), Recorder(ways.server)
    with making(recorder):
        client.update_event_source_mapping(UUID=UUID, BatchSize=5)
        client.update_event_source_mapping(UUID=UUID, BatchSize=6)
    assert recorder.sending_after[0] == b""
    assert (ways.server.accepted, ways.server.requests) == (1, 2), "the connection was kept alive"
    assert ways.proxy is None or ways.proxy.connects == ways.server.url.startswith("https")
    assert len(recorder.sending_after) >= 2
    assert recorder.connecting_after == [0, 1]


def test_no_byte_leaves_of_a_request_for_which_send_raises(ways: Ways) -> None:
    client, recorder = ways.client(), Recorder(ways.server, call_off_at=1)
    with making(recorder):
        assert is_called_off(client)
    wait_until_ended(ways.server, 0 if ways.is_forwarded else 1)
    assert ways.server.received == b""


def test_the_body_passes_send_after_the_head(tmp_path: Path) -> None:
    with opened("plain", tmp_path) as ways:
        client, recorder = ways.client(), Recorder(ways.server, call_off_at=2)
        with making(recorder):
            assert is_called_off(client)
        wait_until_ended(ways.server, 1)
        assert ways.server.requests == 1
        assert b"BatchSize" not in ways.server.received


def test_what_send_raises_closes_the_connection_and_is_not_repeated(ways: Ways) -> None:
    client = ways.client()
    with making(Recorder(ways.server)):
        client.get_event_source_mapping(UUID=UUID)
    recorder = Recorder(ways.server, call_off_at=1)
    with making(recorder):
        assert is_called_off(client)
    assert len(recorder.operations) == 1, "botocore has not tried again"
    assert ways.server.requests == 1
    with making(Recorder(ways.server)):
        client.get_event_source_mapping(UUID=UUID)
    assert (ways.server.accepted, ways.server.requests) == (2, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_ends_when_another_thread_shuts_the_socket_down(tmp_path: Path, kind: str) -> None:
    never = threading.Event()

    def keep_waiting(_: socket.socket) -> None:
        never.wait()

    with opened(kind, tmp_path, keep_waiting) as ways, ThreadPoolExecutor(1) as pool:
        client, recorder = ways.client(), Recorder(ways.server)

        def call() -> None:
            with making(recorder):
                client.get_event_source_mapping(UUID=UUID)

        called = pool.submit(call)
        assert recorder.sent.wait(LIMIT)
        assert recorder.cut is not None
        recorder.cut()
        with pytest.raises(BotoCoreError):
            called.result(LIMIT)
        never.set()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such option")
def test_a_connection_has_its_tcp_socket_which_takes_tcp_user_timeout(ways: Ways) -> None:
    client = ways.client()
    with making(Recorder(ways.server)):
        client.get_event_source_mapping(UUID=UUID)
    session = client._endpoint.http_session
    managers = [session._manager, *session._proxy_managers.values()]
    pools = [manager.pools[key] for manager in managers for key in manager.pools.keys()]  # noqa: SIM118
    kept = [one.sock for pool in pools for one in list(pool.pool.queue) if one is not None and one.sock is not None]
    kept = [one if isinstance(one, socket.socket) else one.socket for one in kept]
    assert [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for one in kept] == [5000]


_FRAMES = {
    "length": (b"Content-Length: %d\r\n\r\n%s", lambda body: (len(body), body)),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", lambda body: (len(body), body)),
    "end": (b"Connection: close\r\n\r\n%s", lambda body: (body,)),
}


def answering(frame: str, body: bytes) -> Callable[[socket.socket], None]:
    """Sends an answer with a body, of which the length, its chunks or the end of the connection shows the end."""
    form, parts = _FRAMES[frame]

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + form % parts(body))
        if frame == "end":
            connection.shutdown(socket.SHUT_RDWR)

    return answer


@pytest.mark.parametrize("frame", _FRAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_part_of_an_answer_passes_receiving(kind: str, frame: str, tmp_path: Path) -> None:
    body = b'{"UUID": "%s"}' % (b"x" * 100_000)
    with opened(kind, tmp_path, answering(frame, body)) as ways:
        recorder = Recorder(ways.server)
        with making(recorder):
            assert len(ways.client().get_event_source_mapping(UUID=UUID)["UUID"]) == 100_000
    assert recorder.received[-1] > len(body)
    steps = [later - earlier for earlier, later in pairwise([0, *recorder.received])]
    assert max(steps) < 70_000


@pytest.mark.parametrize("frame", _FRAMES)
def test_an_answer_is_not_read_after_receiving_has_raised(frame: str, tmp_path: Path) -> None:
    with opened("plain", tmp_path, answering(frame, b" " * 20_000_000)) as ways:
        recorder = Recorder(ways.server, most=200_000)
        with making(recorder):
            assert is_called_off(ways.client())
        wait_until_ended(ways.server, 1)
    assert recorder.received[-1] < 300_000
    assert recorder.bodies == []


def test_before_parse_has_the_body_as_it_arrived(tmp_path: Path) -> None:
    body = gzip.compress(b'{"UUID": "1"}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with opened("plain", tmp_path, lambda connection: connection.sendall(head + body)) as ways:
        recorder = Recorder(ways.server)
        with making(recorder), pytest.raises(Exception):  # noqa: B017, PT011 - what the parser raises is not the matter
            ways.client().get_event_source_mapping(UUID=UUID)
    assert recorder.bodies == [body]


def test_an_error_whose_body_was_cut_off_before_it_is_parsed_is_a_refusal(tmp_path: Path) -> None:
    body = b'{"message": "%s"}' % (2 * MOST_OF_ERROR * b"a")
    head = b"HTTP/1.1 409 Conflict\r\nx-amzn-ErrorType: ResourceConflictException\r\nContent-Length: %d\r\n\r\n"
    with opened("plain", tmp_path, lambda connection: connection.sendall(head % len(body) + body)) as ways:
        recorder = Recorder(ways.server)
        with making(recorder), pytest.raises(ClientError) as refused:
            ways.client().get_event_source_mapping(UUID=UUID)
    about: Any = refused.value.response
    assert recorder.bodies == [body[:MOST_OF_ERROR]]
    assert about["Error"] == {"Code": "ResourceConflictException", "Message": body[:MOST_OF_ERROR].decode()}
    assert about["ResponseMetadata"]["HTTPStatusCode"] == 409
