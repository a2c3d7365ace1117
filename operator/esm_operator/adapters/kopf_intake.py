"""Intake: resources are taken from the answers to kopf's requests where they need no handler.

For each object kopf makes a task, a queue and all that a handler might ask for, which costs more than what the operator
does with it; and nearly all of them are objects of a list, or come back because the operator wrote them. kopf's
session, which is ours to make, hands those over as they are read. What is left is kopf's: what others changed.

So a chunk of a list is taken in before the next one is asked for, and never are all objects of a large list in memory
as the API server answers them (15 KB each).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import aiohttp

from esm_operator.api.frozen_json import parsed
from esm_operator.api.resource import PLURAL

#: Objects after which something else has its turn: a chunk takes a tenth of a second.
_AT_ONCE = 20


class KopfIntake:
    """Takes resources. For one event loop."""

    def __init__(
        self, listed: Callable[[Mapping[str, Any]], object], returned: Callable[[Mapping[str, Any]], bool]
    ) -> None:
        """
        Args:
            listed: given each object of a list; one that it raises for is left to kopf, which says so.
            returned: given each object of the watch that was not deleted; whether it has been taken, as a version that
                was known before. What it raises for is left to kopf too.
        """
        self._listed = listed
        self._returned = returned

    def response_class(self) -> type[aiohttp.ClientResponse]:
        """For the session whose answers are looked at."""
        intake = self

        class Response(aiohttp.ClientResponse):
            async def start(self, connection: Any) -> Self:
                await super().start(connection)
                if _is_of_ours(self) and "watch" in self.url.query:
                    # kopf reads nothing else of a watch.
                    self.content = _Rest(self.content, intake._is_left)  # pyright: ignore[reportAttributeAccessIssue]
                return self

            async def json(self, **how: Any) -> Any:
                how.setdefault("loads", parsed)
                answer = await super().json(**how)
                if not _is_of_ours(self):
                    return answer
                return {**answer, "items": await intake._take(answer.get("items") or ())}

        return Response

    async def _take(self, items: Any) -> list[Any]:
        """Take the objects of a list. Returns what is left."""
        left: list[Any] = []
        for number, item in enumerate(items, 1):
            try:
                self._listed(item)
            except Exception:  # it fails in kopf's handler again, which tells of which object that is
                left.append(item)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return left

    def _is_left(self, line: bytes) -> bool:
        """Whether a line of the watch is kopf's."""
        try:
            event = parsed(line)
            return event["type"] not in ("ADDED", "MODIFIED") or not self._returned(event["object"])
        except Exception:  # kopf, or its handler, says what is wrong
            return True


class _Rest:
    """The lines of a watch without those that are taken, read as kopf reads them. All else is the stream's."""

    def __init__(self, content: aiohttp.StreamReader, is_left: Callable[[bytes], bool]) -> None:
        self._content = content
        self._is_left = is_left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """What is left of each piece, in whole lines.

        Args:
            size: bytes of a piece at most.
        """
        begun = b""
        async for piece in self._content.iter_chunked(size):
            *lines, begun = (begun + piece).split(b"\n")
            left = [line for line in lines if line and self._is_left(line)]
            if left:
                yield b"\n".join([*left, b""])
        if begun:
            yield begun


def _is_of_ours(response: aiohttp.ClientResponse) -> bool:
    return response.status == 200 and response.url.name == PLURAL
