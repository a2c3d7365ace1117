"""What is taken from the answers to kopf's requests, and what is left to it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from esm_operator.adapters.kopf_intake import KopfIntake
from tests.contracts.api_server import ApiServer
from tests.contracts.api_server import event as line_of
from tests.contracts.api_server import named as mapping
from tests.contracts.kopf_run import Handlers, running
from tests.unit.http_server import served
from tests.waiting import eventually_async

OURS, OTHERS = "/apis/lambda.esm-operator.io/v1/eventsourcemappings", "/apis/lambda.esm-operator.io/v1/providerconfigs"
#: What kopf reads at once, in bytes.
PIECE = 1024 * 1024


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def event(kind: str, name: str) -> bytes:
    return json.dumps({"type": kind, "object": named(name)}).encode() + b"\n"


@asynccontextmanager
async def session(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    listed: Callable[[Mapping[str, Any]], object] = lambda _: None,
    returned: Callable[[Mapping[str, Any]], bool] = lambda _: False,
) -> AsyncGenerator[tuple[aiohttp.ClientSession, str]]:
    """A session as kopf has it, and the URL of a server that answers so."""
    async with (
        served(answer) as url,
        aiohttp.ClientSession(response_class=KopfIntake(listed, returned).response_class()) as made,
    ):
        yield made, url


async def watched(lines: bytes, path: str = OURS, *, pieces: int = PIECE, status: int = 200) -> tuple[bytes, list[str]]:
    """What kopf reads of a watch, and what was taken: all whose name begins with "own"."""
    taken: list[str] = []

    def returned(body: Mapping[str, Any]) -> bool:
        name = str(body["metadata"]["name"])
        if name.startswith("odd"):
            raise ValueError(name)
        if name.startswith("own"):
            taken.append(name)
        return name.startswith("own")

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        for start in range(0, len(lines), pieces):
            await response.write(lines[start : start + pieces])
            await asyncio.sleep(0)
        return response

    async with session(answer, returned=returned) as (made, url), made.get(f"{url}{path}?watch=true") as response:
        read = b"".join([piece async for piece in response.content.iter_chunked(PIECE)])
    return read, taken


async def listed(document: object, path: str = OURS, status: int = 200) -> tuple[Any, list[str]]:
    """What kopf reads of a list, and what was taken: all but those whose name begins with "odd"."""
    taken: list[str] = []

    def take(body: Mapping[str, Any]) -> None:
        if str(body["metadata"]["name"]).startswith("odd"):
            raise ValueError("odd")
        taken.append(str(body["metadata"]["name"]))

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(document, status=status)

    async with session(answer, listed=take) as (made, url), made.get(f"{url}{path}?limit=500") as response:
        return await response.json(), taken


async def test_a_list_is_taken_and_the_rest_of_it_left() -> None:
    metadata = {"resourceVersion": "7", "continue": "next"}
    names = [f"mapping-{number}" for number in range(50)]
    read, taken = await listed({"kind": "List", "metadata": metadata, "items": [named(name) for name in names]})
    assert read == {"kind": "List", "metadata": metadata, "items": []}
    assert taken == names


async def test_an_object_that_can_not_be_taken_is_left() -> None:
    read, taken = await listed({"items": [named("one"), named("odd"), named("two")]})
    assert (read, taken) == ({"items": [named("odd")]}, ["one", "two"])


async def test_a_list_without_objects() -> None:
    assert await listed({"metadata": {}, "items": None}) == ({"metadata": {}, "items": []}, [])


@pytest.mark.parametrize(("path", "status"), [(OTHERS, 200), (OURS, 403), (f"{OURS}/one", 200)])
async def test_other_answers_are_left(path: str, status: int) -> None:
    document = {"items": [named("one")]}
    assert await listed(document, path, status) == (document, [])


async def test_what_returns_is_taken_from_a_watch() -> None:
    mixed = [event("MODIFIED", "own"), event("ADDED", "one"), event("ADDED", "own-2"), event("MODIFIED", "two")]
    assert await watched(b"".join(mixed)) == (mixed[1] + mixed[3], ["own", "own-2"])


@pytest.mark.parametrize("line", [event("MODIFIED", "odd"), b"{}\n", b"[]\n", b"no JSON\n"])
async def test_a_line_that_can_not_be_taken_is_left(line: bytes) -> None:
    assert await watched(line) == (line, [])


@pytest.mark.parametrize("kind", ["DELETED", "BOOKMARK", "ERROR"])
async def test_what_tells_of_more_than_a_version_is_left(kind: str) -> None:
    line = event(kind, "own")
    assert await watched(line) == (line, [])


@pytest.mark.parametrize(("path", "status"), [(OTHERS, 200), (OURS, 410)])
async def test_other_watches_are_left(path: str, status: int) -> None:
    line = event("MODIFIED", "own")
    assert await watched(line, path, status=status) == (line, [])


async def test_the_beginning_of_a_line_that_was_cut_off_is_left() -> None:
    whole, cut = event("MODIFIED", "own"), event("MODIFIED", "own-2")[:-10]
    assert await watched(whole + cut) == (cut, ["own"])


@given(
    st.lists(st.sampled_from(["own", "own-ü", "other", "other-€"])),
    st.integers(min_value=1, max_value=200),
)
def test_however_the_lines_arrive(names: list[str], pieces: int) -> None:
    lines = [event("MODIFIED", name) for name in names]
    read, taken = asyncio.run(watched(b"".join(lines), pieces=pieces))
    assert read == b"".join(line for line, name in zip(lines, names, strict=True) if name.startswith("other"))
    assert taken == [name for name in names if name.startswith("own")]


async def test_kopf_hears_of_what_is_left() -> None:
    """The list is taken, and what returns from the watch. A handler is called for what others have changed."""
    taken, known, returned = list[str](), set[str](), list[str]()

    def take(body: Mapping[str, Any]) -> None:
        taken.append(str(body["metadata"]["name"]))

    def take_known(body: Mapping[str, Any]) -> bool:
        name = str(body["metadata"]["name"])
        if name in known:
            returned.append(name)
        return name in known

    with ApiServer() as server:
        server.chunks[OURS] = [[mapping("a"), mapping("b")], [mapping("c"), mapping("d")], [mapping("e")]]
        handlers = Handlers(server, response_class=KopfIntake(take, take_known).response_class())
        async with running(server, handlers):
            assert taken == ["a", "b", "c", "d", "e"]
            known.add("a")
            server.send(line_of("ADDED", mapping("later")), line_of("MODIFIED", mapping("a", "2")))
            server.send(line_of("MODIFIED", mapping("b", "3")), line_of("DELETED", mapping("a", "4")))
            await eventually_async(lambda: len(handlers.told) == 3)
            assert sorted(handlers.told) == [("ADDED", "later"), ("DELETED", "a"), ("MODIFIED", "b")]
            assert returned == ["a"]
