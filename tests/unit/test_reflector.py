"""The reflector: lists in pages, watches from the version of the list, and recovers from all failures."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from esm_operator import tasks
from esm_operator.adapters import aiohttp_hooks
from esm_operator.cluster import list_turns, reflector, transport
from esm_operator.cluster.kubernetes import KubernetesClient, Page
from esm_operator.cluster.list_turns import ListTurns
from esm_operator.cluster.reflector import NotServedError, Reflector
from esm_operator.cluster.transport import ForbiddenError
from esm_operator.ratelimit.rate_limiter import RateLimiter
from tests.unit.http_server import served
from tests.unit.object_server import ObjectServer
from tests.waiting import LIMIT, eventually_async

PATH = "/apis/sqs.services.k8s.aws/v1alpha1/queues"


class Recorder:
    """A sink that keeps the objects, as a cache does."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lists = 0
        self.pages = 0
        self.watches = 0
        self.errors: list[Exception] = []
        self._seen: dict[str, Any] = {}

    def list_begins(self) -> None:
        self._seen = {}

    def put_page(self, page: Page) -> None:
        self.pages += 1
        self._seen |= {one["metadata"]["name"]: one["value"] for one in page.items}

    def listed(self) -> None:
        self.values, self.lists = self._seen, self.lists + 1

    def watching(self) -> None:
        self.watches += 1

    def put(self, body: Mapping[str, Any]) -> None:
        self.values[body["metadata"]["name"]] = body["value"]

    def delete(self, body: Mapping[str, Any]) -> None:
        del self.values[body["metadata"]["name"]]

    def failed(self, error: Exception) -> None:
        self.errors.append(error)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reflector, "LONGEST_PAUSE", 0.05)


@asynccontextmanager
async def reflected(server: ObjectServer) -> AsyncGenerator[Recorder]:
    """Run a reflector of the path until the block ends."""
    sink = Recorder()
    async with server.connect() as kubernetes, asyncio.timeout(LIMIT):
        task = asyncio.create_task(Reflector(kubernetes, PATH, sink, ListTurns()).run())
        yield sink
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def server_with(*names: str) -> ObjectServer:
    server = ObjectServer()
    server.objects[PATH] = {}
    for name in names:
        server.put(PATH, name, {"value": name.upper()})
    return server


async def test_it_lists_in_pages_and_watches_the_changes_after_the_list() -> None:
    server = server_with("a", "b", "c", "d", "e")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        assert (sink.pages, len(sink.values), sink.watches) == (3, 5, 1)
        server.put(PATH, "a", {"value": "changed"})
        server.put(PATH, "f", {"value": "F"})
        server.delete(PATH, "b")
        await eventually_async(lambda: sink.values == {"a": "changed", "c": "C", "d": "D", "e": "E", "f": "F"})
    assert sink.errors == []


async def test_a_watch_that_ends_is_continued_without_a_list() -> None:
    server = server_with("a")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        for value in ("1", "2", "3"):
            server.cut()
            await eventually_async(lambda: server.watchers == 0)
            server.put(PATH, "a", {"value": value})
            await eventually_async(lambda value=value: sink.values == {"a": value})
        assert sink.lists == 1


async def test_a_watch_that_is_silent_for_long_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection may be dead."""
    monkeypatch.setattr(transport, "LONGEST_SILENCE", 0.1)
    server = server_with("a")
    async with reflected(server) as sink:
        await eventually_async(lambda: sum(one.endswith("watch") for one in server.asked) > 2)
        server.put(PATH, "a", {"value": "later"})
        await eventually_async(lambda: sink.values == {"a": "later"})
    assert (sink.lists, sink.errors) == (1, [])


async def test_a_bookmark_moves_the_version_on() -> None:
    server = server_with("a")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        server.version += 50
        server.tell(PATH, "BOOKMARK", {"metadata": {"resourceVersion": str(server.version)}})
        server.put(PATH, "a", {"value": "after the bookmark"})
        await eventually_async(lambda: sink.values == {"a": "after the bookmark"})
        server.oldest = server.version  # the version of the list has expired, that of the bookmark and later has not
        server.cut()
        await eventually_async(lambda: server.watchers == 0)
        await eventually_async(lambda: server.watchers == 1)
        assert sink.lists == 1


async def test_an_expired_version_causes_a_new_list_that_shows_deletions() -> None:
    server = server_with("a", "b")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        server.delete(PATH, "b")
        server.expire()
        server.cut()
        await eventually_async(lambda: sink.lists == 2)
        await eventually_async(lambda: sink.values == {"a": "A"})
    assert sink.errors == [], "an expired version is no failure"


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_refusal_is_reported_and_heals(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_SHORTEST_PAUSE", 0.01)
    server = server_with("a")
    server.refusals[PATH] = status, "no"
    async with reflected(server) as sink:
        await eventually_async(lambda: len(sink.errors) > 1)
        assert isinstance(sink.errors[0], ForbiddenError) == (status == 403)
        del server.refusals[PATH]
        await eventually_async(lambda: sink.values == {"a": "A"})


async def test_a_watch_that_is_refused_does_not_begin() -> None:
    server = server_with("a")
    server.refusals[f"{PATH} watch"] = 403, "no"
    async with reflected(server) as sink:
        await eventually_async(lambda: len(sink.errors) > 1)
        assert (sink.lists > 1, sink.watches) == (True, 0)
        server.refusals.clear()
        await eventually_async(lambda: sink.watches == 1)


async def test_a_right_that_is_taken_away_and_given_again_causes_a_new_list() -> None:
    server = server_with("a")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        server.refusals[PATH] = 403, "no"
        server.cut()
        await eventually_async(lambda: bool(sink.errors))
        del server.refusals[PATH]
        await eventually_async(lambda: sink.lists == 2)


async def test_an_error_in_the_watch_causes_another_attempt() -> None:
    server = server_with("a")
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        server.version += 1
        server.tell(PATH, "ERROR", {"kind": "Status", "code": 500, "message": "etcd is gone"})
        await eventually_async(lambda: bool(sink.errors))
        assert "etcd is gone" in str(sink.errors[0])
        server.events.clear()
        server.put(PATH, "a", {"value": "later"})
        await eventually_async(lambda: sink.values == {"a": "later"})


async def test_it_ends_when_the_kind_is_removed() -> None:
    server = server_with("a")
    async with server.connect() as kubernetes, asyncio.timeout(LIMIT):
        task = asyncio.create_task(Reflector(kubernetes, PATH, Recorder(), ListTurns()).run())
        await eventually_async(lambda: server.watchers == 1)
        del server.objects[PATH]
        server.cut()
        with pytest.raises(NotServedError):
            await task


async def test_a_line_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_with("a")
    monkeypatch.setattr(transport, "MOST_OF_OBJECT", 1_000)
    async with reflected(server) as sink:
        await eventually_async(lambda: server.watchers == 1)
        server.put(PATH, "a", {"value": "x" * 300_000})
        await eventually_async(lambda: bool(sink.errors))
        assert "more than 1,000 bytes" in str(sink.errors[0])
        server.put(PATH, "a", {"value": "small"})
        server.events = server.events[-1:]
        await eventually_async(lambda: sink.values == {"a": "small"})


async def test_lines_are_read_whatever_the_parts_in_which_they_arrive() -> None:
    class Content:
        async def iter_any(self) -> AsyncGenerator[bytes]:
            for part in (b"o", b"ne\ntw", b"o\n\nthree", b"\n", b"rest"):
                yield part

    class Answer:
        content = Content()

        def close(self) -> None: ...

    answer: Any = Answer()
    assert [line async for line in aiohttp_hooks.lines(answer, 100)] == [b"one", b"two", b"", b"three"]


@pytest.mark.parametrize(("longest", "most"), [(LIMIT, 3), (0.05, 8)])
async def test_few_lists_are_requested_at_the_same_time(
    longest: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All kinds are listed at the start, and objects can be large. Lists that take long do not delay the others."""
    monkeypatch.setattr(list_turns, "_LONGEST", longest)
    released, ended, watched = asyncio.Event(), asyncio.Event(), set[str]()
    now = highest = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal now, highest
        if "watch" in request.query:
            watched.add(request.path)
            await ended.wait()
        now, highest = now + 1, max(highest, now + 1)
        await released.wait()
        await asyncio.sleep(0.01)
        now -= 1
        return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})

    async with served(answer) as url, asyncio.timeout(LIMIT):
        kubernetes = KubernetesClient(client.ApiClient(client.Configuration(host=url)), RateLimiter(10_000))
        turns = ListTurns()
        paths = [f"/apis/example.com/v1/kind{number}s" for number in range(8)]
        running = [asyncio.create_task(Reflector(kubernetes, path, Recorder(), turns).run()) for path in paths]
        await eventually_async(lambda: now == most)
        released.set()
        await eventually_async(lambda: watched == {*paths})
        assert highest == most
        await tasks.cancel(running)
        await kubernetes.close()
        ended.set()
