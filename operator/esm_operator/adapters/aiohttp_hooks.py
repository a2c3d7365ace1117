"""The hook into aiohttp that can cancel a request when its connection is ready.

A session makes its requests from ``request_class``. It awaits their ``send`` when the connection is ready, before any
byte is sent. If ``send`` raises, aiohttp closes the connection.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from aiohttp import ClientRequest, ClientResponse
from aiohttp.connector import Connection

_check: ContextVar[Callable[[], object] | None] = ContextVar("check", default=None)


@contextmanager
def asking(check: Callable[[], object]) -> Generator[None]:
    """Call a function immediately before each request that this task sends meanwhile. If it raises, nothing is sent."""
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
