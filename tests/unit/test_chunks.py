"""Chunks of a list: the next one is asked for when the last is taken in, and nothing else waits."""

import asyncio
import time
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web

from esm_operator.cluster.chunks import Chunks
from tests.unit.http_server import served


class Server:
    """Notes when which path was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, float] = {}
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked[request.path_qs] = time.monotonic()
        return web.json_response({})


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    made = Server()
    async with served(made.answer) as made.url:
        yield made


async def get(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        await answer.read()


async def test_the_next_chunk_waits_until_the_last_is_taken_in(server: Server) -> None:
    chunks = Chunks()
    async with aiohttp.ClientSession(trace_configs=[chunks.trace()]) as session:
        await get(session, f"{server.url}/first?limit=500")
        next_chunk = asyncio.create_task(get(session, f"{server.url}/next/eventsourcemappings?limit=500&continue=abc"))
        for _ in range(40):
            chunks.took()
            await asyncio.sleep(0.005)
        assert "/next/eventsourcemappings?limit=500&continue=abc" not in server.asked
        await get(session, f"{server.url}/watch?watch=true")
        chunks.took()
        taken = time.monotonic()
        await asyncio.wait_for(next_chunk, 30)
    assert server.asked["/next/eventsourcemappings?limit=500&continue=abc"] > taken
    assert server.asked["/watch?watch=true"] < server.asked["/next/eventsourcemappings?limit=500&continue=abc"]


async def test_nothing_that_is_taken_in_holds_nothing_up(server: Server) -> None:
    async with aiohttp.ClientSession(trace_configs=[Chunks().trace()]) as session:
        await asyncio.wait_for(get(session, f"{server.url}/eventsourcemappings?continue=abc"), 30)
