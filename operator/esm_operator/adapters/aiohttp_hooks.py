"""The hook into aiohttp by which a request can be called off when its connection is ready.

A session makes requests of its ``request_class``, and awaits their ``send`` when the connection is ready and before any
byte leaves. What ``send`` raises closes the connection.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from aiohttp import ClientRequest, ClientResponse
from aiohttp.connector import Connection

_check: ContextVar[Callable[[], object] | None] = ContextVar("check", default=None)


@contextmanager
def asking(check: Callable[[], object]) -> Generator[None]:
    """Call a function immediately before each request that this task sends meanwhile. It calls one off by raising."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


class AskingRequest(ClientRequest):
    """A request that calls the function of :func:`asking` before it is sent."""

    async def send(self, conn: Connection) -> ClientResponse:
        check = _check.get()
        if check is not None:
            check()
        return await super().send(conn)
