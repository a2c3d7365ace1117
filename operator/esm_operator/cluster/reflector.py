"""The reflector: lists the objects at one path in pages, and watches them from the version of the list on.

It works like the Reflector of client-go. When a watch ends, the next one continues from the last version that the watch
has received. If the API server does not have that version any more (410), and after an event with an error, the
reflector lists all objects again.
``reference_watches.py`` runs one for each kind that resources reference. kopf watches the operator's own kinds.
"""

import asyncio
import logging
import math
import random
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Protocol

import aiohttp

from esm_operator.clock import monotonic
from esm_operator.cluster.kubernetes import KubernetesClient, Page
from esm_operator.cluster.list_turns import ListTurns
from esm_operator.cluster.transport import (
    ApiError,
    BusyError,
    ConflictError,
    GoneError,
    describe_failure,
    is_unserved,
)
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.failure_log import FailureLog

logger = logging.getLogger(__name__)

#: Seconds for which the API server keeps a watch open, at least and at most, as in client-go.
SHORTEST_WATCH, LONGEST_WATCH = 300.0, 600.0
#: The shortest and the longest pause after a failure, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: Seconds from which a watch counts as a success, so that the next failure has a short pause.
_LASTING = 5.0
#: The status of an answer if the API server does not have a version any more.
_EXPIRED = 410


class Sink(Protocol):
    """The receiver of the objects, and of the results of the list and the watch."""

    def list_begins(self) -> None:
        """A list is about to be requested. Its pages follow."""
        ...

    def put_page(self, page: Page) -> None:
        """A page of the list."""
        ...

    def listed(self) -> None:
        """The list is complete. Objects that it does not contain do not exist in its version."""
        ...

    def watching(self) -> None:
        """The API server has begun a watch from the version of the list, or from a later one."""
        ...

    def put(self, body: Mapping[str, Any]) -> None:
        """An object was created or changed."""
        ...

    def delete(self, body: Mapping[str, Any]) -> None:
        """An object was deleted. The body has its last state, with the version of the deletion."""
        ...

    def failed(self, error: Exception) -> None:
        """The list or the watch failed. The reflector retries."""
        ...


class NotServedError(Exception):
    """The API server does not serve the path."""


class Reflector:
    """One list and watch. For one event loop."""

    def __init__(self, kubernetes: KubernetesClient, path: str, sink: Sink, turns: ListTurns) -> None:
        self._kubernetes = kubernetes
        self._path = path
        self._sink = sink
        self._turns = turns
        self._version = ""
        """The version from which to watch; empty: list first."""
        self._watching_since = math.inf
        """Monotonic time at which the present watch began, in seconds."""
        self._failures = FailureLog(logger, f"The operator can watch {path} again")

    async def run(self) -> None:
        """List and watch until cancelled. Raises NotServedError."""
        failures = 0
        while True:
            self._watching_since = math.inf
            try:
                if not self._version:
                    async with self._turns.turn():
                        await self._list()
                await self._watch()
            except (ApiError, ConflictError, GoneError, aiohttp.ClientError, OSError) as error:
                if is_unserved(error):
                    raise NotServedError from None
                self._handle(error)
            failures = 0 if monotonic() - self._watching_since >= _LASTING else failures + 1
            await asyncio.sleep(backoff.jittered(backoff.exponential(failures, FIRST_PAUSE, LONGEST_PAUSE)))

    def _handle(self, error: Exception) -> None:
        """Decide whether to continue the watch, or to list again."""
        status = getattr(error, "status", 0)
        if status == _EXPIRED:
            logger.debug("The operator lists %s again, because its version has expired", self._path)
            self._version = ""
            return
        if 400 <= status < 500 and not isinstance(error, BusyError):
            self._version = ""
        self._sink.failed(error)
        text = f"The operator cannot list or watch {self._path}. {describe_failure(error)}."
        self._failures.failed(text, cause=(type(error), status))

    async def _list(self) -> None:
        self._sink.list_begins()
        version = ""
        async for page in self._kubernetes.list_pages(self._path):
            version = page.resource_version
            self._sink.put_page(page)
        if not version:
            raise ApiError(f"GET {self._path} was not answered with a list")
        self._version = version
        self._sink.listed()

    async def _watch(self) -> None:
        """Watch until the API server ends the watch."""
        seconds = random.uniform(SHORTEST_WATCH, LONGEST_WATCH)
        async with aclosing(self._kubernetes.watch(self._path, self._version, seconds, self._begin)) as events:
            async for event in events:
                self._failures.succeeded()
                body: Mapping[str, Any] = event.get("object") or {}
                meta: Mapping[str, Any] = body.get("metadata") or {}
                match event.get("type"):
                    case "ADDED" | "MODIFIED":
                        self._sink.put(body)
                    case "DELETED":
                        self._sink.delete(body)
                    case "BOOKMARK":
                        pass
                    case kind:
                        logger.debug("The watch of %s brought an event of the unknown type %s", self._path, kind)
                        continue
                self._version = str(meta.get("resourceVersion") or "") or self._version

    def _begin(self) -> None:
        self._watching_since = monotonic()
        self._sink.watching()
