"""The reference watches: one list and watch for each kind that resources reference, and none for other kinds.

They fill the reference cache in every replica, so that a standby can start to work immediately. If the API server does
not serve a kind, they repeat the discovery of this kind every few seconds. The operator runs
:meth:`ReferenceWatches.run`.
"""

import asyncio
import logging
from collections.abc import Hashable, Mapping
from contextlib import suppress

import aiohttp

from esm_operator import tasks
from esm_operator.clock import monotonic
from esm_operator.cluster.discovery import Kind, ServedKind, discover
from esm_operator.cluster.kubernetes import KubernetesClient
from esm_operator.cluster.list_turns import ListTurns
from esm_operator.cluster.reference_cache import ObjectToRead, ReferenceCache, WatchScope
from esm_operator.cluster.reflector import NotServedError, Reflector
from esm_operator.cluster.transport import ApiError, ConflictError, GoneError, describe_failure
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.failure_log import FailureLog
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.ratelimit.waiters import requests_of

logger = logging.getLogger(__name__)

#: Seconds between two discoveries: of new kinds, and of kinds that the API server does not serve.
NEW_KINDS, UNSERVED_KINDS = 0.5, 5.0
#: Objects that are read at the same time.
_READERS = 4
#: Seconds until a failed read of an object is repeated, and until a discovery or a watch is repeated after a bug.
_AFTER_A_FAILURE, _AFTER_A_BUG = 5.0, 30.0
#: Seconds until a log line about the start or the end of the same watch is repeated.
_QUIET = 600.0
_FAILURES = (ApiError, ConflictError, GoneError, aiohttp.ClientError, OSError)


class ReferenceWatches:
    """Runs the reflectors and the reads for a reference cache. For one event loop."""

    def __init__(self, kubernetes: KubernetesClient, cache: ReferenceCache) -> None:
        self._kubernetes = kubernetes
        self._cache = cache
        self._turns = ListTurns()
        self._reflectors: dict[WatchScope, asyncio.Task[None]] = {}
        self._discovered = self._discovered_all = -UNSERVED_KINDS
        """Monotonic time of the last discovery, and of the last one of all kinds that are not served, in seconds."""
        self._reports = ReportFilter(_QUIET)
        """By path: the log lines about the begin and the end of watches."""
        self._failures = FailureLog(logger, "The operator can read the objects that resources reference again")

    async def run(self) -> None:
        """Watch the kinds that resources reference, until cancelled."""
        readers = [tasks.start(self._read_objects(), f"reader {number}") for number in range(_READERS)]
        try:
            while True:
                self._cache.needs_changed.clear()
                self._cache.forget_unused()
                try:
                    wait = await self._discover_unserved()
                    self._keep_reflectors()
                except Exception as error:  # as in _reflect
                    self._report("The operator cannot begin to watch the kinds that resources reference.", error)
                    wait = _AFTER_A_BUG
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._cache.needs_changed.wait()
        finally:
            await tasks.cancel([*readers, *self._reflectors.values()])

    async def _discover_unserved(self) -> float | None:
        """Discover the kinds that are not served, if the discovery is due.

        Returns the seconds until the next discovery; None: none is necessary.
        """
        now, of_all = monotonic(), False
        if now >= self._all_due:
            of_all, self._discovered_all = True, now
            self._cache.admit_refused()
        unserved = [kind for kind, is_new in self._cache.unserved().items() if is_new or of_all]
        if not unserved:
            return self._pause()
        if now < self._discovered + NEW_KINDS:
            return self._discovered + NEW_KINDS - now
        found: Mapping[Kind, ServedKind | None] = {}
        try:
            found = await discover(self._kubernetes, unserved, self._report_group)
        except Exception as error:  # as in _reflect
            self._report("The operator cannot discover the kinds that resources reference.", error)
        else:
            self._failures.succeeded()
        self._discovered = monotonic()
        for kind in unserved:
            if kind in found:
                self._failures.succeeded(kind.api_version)
                self._cache.put_served(kind, found[kind])
            else:
                self._cache.discovery_failed(kind)
            await asyncio.sleep(0)  # a kind can have thousands of references
        return self._pause()

    @property
    def _all_due(self) -> float:
        """Monotonic time of the next discovery of all kinds that are not served, in seconds."""
        return max(self._discovered_all + UNSERVED_KINDS, self._discovered + NEW_KINDS)

    def _pause(self) -> float | None:
        """Seconds until the next discovery, admission or removal of kinds; None: none of them is necessary."""
        is_needed = self._cache.has_refused or self._cache.has_unused or bool(self._cache.unserved())
        return max(0.0, self._all_due - monotonic()) if is_needed else None

    def _keep_reflectors(self) -> None:
        """Start the reflectors that are needed, and stop the others."""
        needed = set(self._cache.scopes())
        self._reports.forget_old()
        self._reflectors = {scope: task for scope, task in self._reflectors.items() if not task.done()}
        for scope in needed - self._reflectors.keys():
            if self._reports.admit((scope.path, "needed")):
                logger.info("The operator watches %s, because resources reference it", scope.path)
            self._reflectors[scope] = tasks.start(self._reflect(scope), f"watch of {scope.path}")
        for scope in self._reflectors.keys() - needed:
            if self._reports.admit((scope.path, "unused")):
                logger.info("The operator does not watch %s any more", scope.path)
            self._reflectors.pop(scope).cancel()

    async def _reflect(self, scope: WatchScope) -> None:
        """List and watch until the API server does not serve the kind any more."""
        sink = self._cache.sink(scope)
        reflector = Reflector(self._kubernetes, scope.path, sink, self._turns)
        while True:
            try:
                await reflector.run()
            except NotServedError:
                self._cache.put_served(scope.kind, None)
                return
            except Exception as error:  # an unexpected object must not end the process
                logger.exception("The watch of %s failed unexpectedly; the operator retries", scope.path)
                sink.failed(error)
                await asyncio.sleep(_AFTER_A_BUG)

    async def _read_objects(self) -> None:
        """Read objects that lists have not shown."""
        while True:
            await self._read(await self._cache.take_to_read())

    async def _read(self, one: ObjectToRead) -> None:
        try:
            with requests_of(one.party):
                page = await self._kubernetes.list_object(one.path, one.name.name)
            self._cache.put_read(one.kind, one.name, page)
        except Exception as error:  # as in _reflect
            self._report(f"The operator cannot read the object {one.name.name} at {one.path}.", error, one)
            self._cache.read_failed(one.kind, one.name, error)
        else:
            self._failures.succeeded(one)
            return
        delay = backoff.jittered(_AFTER_A_FAILURE)
        asyncio.get_running_loop().call_later(delay, self._cache.read_again, one.kind, one.name)

    def _report_group(self, group_version: str, error: Exception) -> None:
        text = f"The operator cannot discover the kinds of {group_version}, which resources reference."
        self._report(text, error, group_version)

    def _report(self, text: str, error: Exception, subject: Hashable = "") -> None:
        """Log a failure. The text is a sentence about what failed."""
        if isinstance(error, _FAILURES):
            text = f"{text} {describe_failure(error)}."
            self._failures.failed(text, subject=subject, cause=(type(error), getattr(error, "status", 0)))
        else:
            self._failures.failed_unexpectedly(text, error, subject=subject)
