"""What the operator relies on in kubernetes.aio. Each test is a row of operator/esm_operator/adapters/README.md."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio import client, config

from esm_operator.adapters import aiohttp_hooks, kubernetes_client
from tests.contracts.api_server import MAPPINGS, ApiServer
from tests.unit.http_server import served
from tests.unit.slow_connections import SlowServer
from tests.waiting import LIMIT, eventually_async

#: Seconds: a limit that is to be exceeded.
SHORT = 0.3


@pytest.fixture
def server() -> Generator[ApiServer]:
    with ApiServer() as made:
        yield made


@asynccontextmanager
async def connected(url: str, **settings: Any) -> AsyncGenerator[client.ApiClient]:
    """A client as the operator makes it."""
    found = client.Configuration(host=url)
    for name, value in settings.items():
        setattr(found, name, value)
    async with kubernetes_client.new_client(found) as api:
        yield api


async def ask(api: client.ApiClient, method: str = "GET", limit: float = LIMIT, **parts: Any) -> aiohttp.ClientResponse:
    return await kubernetes_client.send(api, method, MAPPINGS, limit=limit, **parts)


# The client


async def test_the_session_has_the_class_of_requests_in_client_session_kwargs(server: ApiServer) -> None:
    asked = list[str]()
    async with connected(server.url) as api:
        with aiohttp_hooks.asking(lambda: asked.append("asked")):
            await api.call_api("GET", f"{server.url}{MAPPINGS}")
    assert asked == ["asked"]


async def test_netrc_is_read_for_each_request_unless_trust_env_is_off(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with client.ApiClient(client.Configuration(host=server.url)) as api:
        await ask(api)
    async with connected(server.url) as api:
        await ask(api)
    theirs, ours = (request.headers.get("authorization") for request in server.requests)
    assert theirs is not None
    assert theirs.startswith("Basic ")
    assert ours is None


async def test_each_client_has_connections_of_its_own(server: ApiServer) -> None:
    found = client.Configuration(host=server.url)
    clients = [kubernetes_client.new_client(found) for _ in range(2)]
    for api in (*clients, *clients):
        await (await ask(api)).read()
    one, other, *again = (request.connection for request in server.requests)
    assert one != other
    assert again == [one, other], "they are kept alive"
    for api in clients:
        await api.close()


@pytest.mark.parametrize(("for_watches", "most"), [(False, 100), (True, 120)])
async def test_a_client_has_as_many_connections_as_its_configuration_allows(*, for_watches: bool, most: int) -> None:
    """The answers do not end."""
    arrived, ended = 0, asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        response = web.StreamResponse()
        await response.prepare(request)
        await ended.wait()
        return response

    async with served(answer) as url:
        api = kubernetes_client.new_client(client.Configuration(host=url), for_watches=for_watches)
        requests = [asyncio.create_task(ask(api)) for _ in range(120)]
        await eventually_async(lambda: sum(one.done() for one in requests) == most)
        assert arrived == most
        for one in requests:
            one.cancel()
        await api.close()
        ended.set()


# Requests


async def test_a_request_carries_the_name_of_the_client_and_the_token_that_is_valid_now(server: ApiServer) -> None:
    tokens = iter(["one", "two"])

    def refresh(found: client.Configuration) -> None:
        found.api_key["BearerToken"] = f"Bearer {next(tokens)}"

    async with connected(server.url, refresh_api_key_hook=refresh, api_key={"BearerToken": "Bearer zero"}) as api:
        for _ in range(2):
            await ask(api, query={"limit": "1", "continue": "0"}, accept="application/json;as=Table")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]
    assert server.requests[0].query == {"limit": "1", "continue": "0"}
    assert server.requests[0].headers["accept"] == "application/json;as=Table"
    assert server.requests[0].headers["user-agent"].startswith("esm-operator/")


async def test_a_body_is_sent_as_json_with_its_content_type_and_its_nulls() -> None:
    server = SlowServer()
    server.accept()
    body = {"metadata": {"annotations": {"intent": None}}, "status": {"empty": [], "text": "ü"}}
    for method in ("PATCH", "POST", "PUT"):
        async with connected(server.url) as api:
            await ask(api, method, body=body, content_type="application/merge-patch+json")
    server.close()
    for sent in server.received.split(b" HTTP/1.1\r\n")[1:]:
        head, _, rest = sent.partition(b"\r\n\r\n")
        assert b"content-type: application/merge-patch+json" in head.lower()
        assert json.JSONDecoder().raw_decode(rest.decode())[0] == body


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_request_that_is_refused_is_sent_once(status: int) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 %d No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % status)

    server = SlowServer(answer=refuse)
    server.accept()
    async with connected(server.url) as api:
        assert (await ask(api)).status == status
    server.close()
    assert server.requests == 1


# Answers


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
async def test_an_answer_of_any_status_is_returned_with_its_reason_and_body(server: ApiServer, status: int) -> None:
    server.refusals[MAPPINGS] = [status]
    async with connected(server.url) as api:
        answer = await ask(api)
        assert (answer.status, bool(answer.reason)) == (status, True)
        assert json.loads(await answer.read())["message"] == "Refused."


async def test_an_answer_is_returned_before_its_body_and_can_be_closed() -> None:
    server = SlowServer(answer=_begin)
    server.accept()
    async with connected(server.url) as api:
        answer = await asyncio.wait_for(ask(api), LIMIT)
        assert answer.status == 200
        answer.close()
        await eventually_async(lambda: server.has_ended(1))
    server.close()


def _begin(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{")


def _cut_off(connection: socket.socket) -> None:
    _begin(connection)
    raise OSError("The server closes the connection.")


async def test_a_request_that_fails_raises_what_aiohttp_raises() -> None:
    async with connected("http://127.0.0.1:1") as api:
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(api)
    server = SlowServer(answer=_cut_off)
    server.accept()
    async with connected(server.url) as api:
        answer = await ask(api)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    server.close()


@pytest.mark.parametrize("missing", ["head", "body"])
async def test_the_timeout_is_for_the_whole_request_and_raises_timeout_error(missing: str) -> None:
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: ")
        if missing == "body":
            connection.sendall(b"\r\nContent-Length: 1000000\r\n\r\n")
        while not ended.wait(0.01):
            connection.sendall(b" ")

    server = SlowServer(answer=drip)
    server.accept()
    async with connected(server.url) as api:
        with pytest.raises(TimeoutError):
            await (await ask(api, limit=SHORT)).read()
    ended.set()
    server.close()


# Configuration

_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://api.test", proxy-url: "http://proxy.test:3128"}}]
users: [{name: me, user: {token: secret}}]
"""


async def test_a_kubeconfig_is_read_into_the_configuration_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    monkeypatch.setenv("HTTP_PROXY", "http://other.test:3128")
    with pytest.raises(config.ConfigException):
        config.load_incluster_config(client_configuration=client.Configuration())
    with pytest.raises(config.ConfigException):
        await config.load_kube_config(client_configuration=client.Configuration())
    (tmp_path / "config").write_text(_KUBECONFIG)
    found = client.Configuration()
    assert found.proxy is None, "the proxies of the environment are for the operator to look for"
    await config.load_kube_config(client_configuration=found)
    assert (found.host, found.proxy) == ("http://api.test", "http://proxy.test:3128")
    assert await found.get_api_key_with_prefix("BearerToken") == "Bearer secret"


async def test_an_answer_is_read_in_parts_after_decompression() -> None:
    body = gzip.compress(b" " * 5_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = SlowServer(answer=lambda connection: connection.sendall(head + body))
    server.accept()
    try:
        async with connected(server.url) as api:
            assert len(await aiohttp_hooks.read(await ask(api), 5_000_000)) == 5_000_000
            with pytest.raises(aiohttp_hooks.TooLargeAnswerError, match="more than 4,999,999 bytes"):
                await aiohttp_hooks.read(await ask(api), 4_999_999)
    finally:
        server.close()
