"""The hooks into aiohttp that can cancel a request when its connection is ready, and limit its answer.

A session makes its requests from ``request_class``. It awaits their ``send`` when the connection is ready, before any
byte is sent. If ``send`` raises, aiohttp closes the connection. A session makes its answers from ``response_class``.
kopf reads a list with their ``read``, and a watch with ``iter_chunked`` of their ``content``.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from aiohttp import ClientPayloadError, ClientRequest, ClientResponse, StreamReader
from aiohttp.connector import Connection

#: Bytes of one object (also in a watch), and of a chunk of a list. etcd accepts objects of 1.5 MB by default, and the
#: API server requests of 3 MB. A list with larger chunks is read in smaller chunks.
MOST_OF_OBJECT, MOST_OF_PAGE = 10_000_000, 32_000_000

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


class TooLargeAnswerError(Exception):
    """An answer is larger than the limit. The rest of it was not read."""


async def read(answer: ClientResponse, most: int) -> bytes:
    """Read an answer of at most this number of bytes, after decompression. Its connection is closed at more.

    Raises:
        TooLargeAnswerError: the answer is larger.
    """
    data = bytearray()
    async for part in answer.content.iter_any():
        data += part
        if len(data) > most:
            answer.close()
            raise TooLargeAnswerError(f"the answer has more than {most:,} bytes")
    return bytes(data)


async def lines(answer: ClientResponse, most: int) -> AsyncGenerator[bytes]:
    """The lines of an answer, each of at most this number of bytes. The connection is closed when the reader stops.

    Raises:
        TooLargeAnswerError: a line is larger.
    """
    rest = bytearray()
    try:
        async for part in answer.content.iter_any():
            rest += part
            if b"\n" in part:
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    yield bytes(line)
            if len(rest) > most:
                raise TooLargeAnswerError(f"a line of the answer has more than {most:,} bytes")
    finally:
        answer.close()


def limited_response(most: int, most_of_line: int, too_large: Callable[[str], object]) -> type[ClientResponse]:
    """A ``response_class`` with at most this number of bytes in an answer, or in a line of a watch.

    ``too_large`` is called with the reason. The reader then gets ``ClientPayloadError``, as after a lost connection.
    """

    class LimitedResponse(ClientResponse):
        async def start(self, connection: Connection) -> ClientResponse:
            await super().start(connection)
            self.content = cast("StreamReader", _Lines(self.content, most_of_line, too_large))
            return self

        async def read(self) -> bytes:
            if self._body is None:
                try:
                    self._body = await read(self, most)
                except TooLargeAnswerError as error:
                    too_large(str(error))
                    raise ClientPayloadError(str(error)) from None
            return self._body

    return LimitedResponse


class _Lines:
    """The content of an answer, with limited lines."""

    def __init__(self, content: StreamReader, most: int, too_large: Callable[[str], object]) -> None:
        self._content, self._most, self._too_large = content, most, too_large

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncGenerator[bytes]:
        length = 0
        async for part in self._content.iter_chunked(size):
            first, *others = part.split(b"\n")
            longest = max(length + len(first), *map(len, others), 0)
            length = len(others[-1]) if others else longest
            if longest > self._most:
                reason = f"a line of the answer has more than {self._most:,} bytes"
                self._too_large(reason)
                raise ClientPayloadError(reason)
            yield part
