"""Connections: decides when to connect to a target, retries, and reports failures.

A connection outlives the lease, so that a standby is connected too. The operator passes the targets of its resources to
:meth:`Connections.keep`, which connects them in the background, retries until it succeeds, and closes connections that
no resource has used for a minute. A reconcile and the commands need a target immediately, so they await
:meth:`Connections.connect`.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from esm_operator import tasks
from esm_operator.aws.connection import Connection, Connector
from esm_operator.aws.errors import bare, understand_any
from esm_operator.clock import monotonic
from esm_operator.planning.target import Target
from esm_operator.ratelimit import backoff
from esm_operator.ratelimit.report_filter import ReportFilter
from esm_operator.status.rendering import message_of_failure
from esm_operator.status.subject import Subject

logger = logging.getLogger(__name__)

#: The shortest and the longest time between two attempts to connect to a target, in seconds.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
#: Seconds after which a connection that no resource needs is closed. A reconcile that needed it has ended by then.
UNUSED = 60.0


class ConnectionListener(Protocol):
    """Gets the results of attempts to connect: a term, whose resources wait for their targets."""

    def connected(self, target: Target, connection: Connection) -> None:
        """A target was connected."""
        ...

    def connection_failed(self, target: Target) -> None:
        """The first attempt to connect to a target has failed. More attempts follow."""
        ...


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception
    message: str
    """The message, which names the region."""
    count: int
    """The number of failed attempts."""
    retry_at: float
    """Monotonic time of the next attempt, in seconds."""


class Connections:
    """The connections to all targets. For one event loop."""

    def __init__(self, connector: Connector | None = None) -> None:
        self._connector = connector or Connector()
        self.listener: ConnectionListener | None = None
        """The present term, if there is one."""
        self._connected: dict[Target, Connection] = {}
        self._locks: dict[Target, asyncio.Lock] = {}
        self._failures: dict[Target, _Failure] = {}
        self._kept: frozenset[Target] = frozenset()
        self._unused: dict[Target, float] = {}
        """Connected targets that are not kept, with the monotonic time, in seconds, since which they are not."""
        self._keepers: dict[Target, asyncio.Task[None]] = {}
        self._reports = ReportFilter()
        """By target."""

    async def connect(self, target: Target) -> Connection:
        """The connection to a target. Connects if there is none.

        Resources share an attempt: each waits for the present attempt, and gets the failure of the last one until the
        next attempt is due.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: the target can't be reached.
        """
        async with self._locks.setdefault(target, asyncio.Lock()):
            connection = self._connected.get(target)
            if connection is not None:
                return connection
            failure = self._failures.get(target)
            if failure is not None and monotonic() < failure.retry_at:
                raise bare(failure.error).with_traceback(None)  # a raised exception keeps all variables here
            try:
                connection = await self._connector.connect(target)
            except Exception as error:
                self._record_failure(target, error)
                raise
            failure = self._failures.pop(target, None)
            self._reports.forget(target)
            self._connected[target] = connection
            again = f" after {failure.count} failed attempts" if failure is not None else ""
            place = f"{target.region} (account {connection.account})"
            logger.info("Connected to AWS in %s as %s%s", place, connection.identity, again)
            if self.listener is not None:
                self.listener.connected(target, connection)
            return connection

    def keep(self, targets: Collection[Target]) -> None:
        """Connect to these targets in the background. Stop trying to connect to others, and close their connections."""
        self._kept = frozenset(targets)
        for target in self._keepers.keys() - self._kept:
            self._keepers.pop(target).cancel()
        self._failures = {target: failure for target, failure in self._failures.items() if target in self._kept}
        self._reports.keep(self._kept)
        self._close_unused()
        self._locks = {
            target: lock
            for target, lock in self._locks.items()
            if lock.locked() or target in self._kept or target in self._connected
        }
        for target in self._kept - self._connected.keys() - self._keepers.keys():
            self._keepers[target] = tasks.start(self._keep_trying(target), f"connect to {target.region}")

    def established(self, target: Target) -> Connection | None:
        """The connection to a target, if there is one."""
        return self._connected.get(target)

    @property
    def connected(self) -> Collection[Target]:
        """The connected targets. Those that are not kept are closed soon."""
        return self._connected.keys()

    def is_failing(self, target: Target) -> bool:
        """Whether the last attempt to connect to a target has failed."""
        return target in self._failures

    @property
    def complete(self) -> bool:
        """Whether all kept targets are connected."""
        return self._kept <= self._connected.keys()

    def failures(self) -> list[str]:
        """Why kept targets are not connected, as sentences."""
        return [failure.message for target, failure in self._failures.items() if target in self._kept]

    def retry(self, target: Target) -> None:
        """Make the next attempt to connect to a target immediately, because a person has changed a resource of it."""
        if target in self._failures:
            self._failures[target] = replace(self._failures[target], retry_at=monotonic())

    def close(self) -> None:
        """Release the threads, without waiting for outstanding requests."""
        for task in self._keepers.values():
            task.cancel()
        self._keepers.clear()
        for connection in self._connected.values():
            connection.close()

    def _close_unused(self) -> None:
        now = monotonic()
        self._unused = {target: self._unused.get(target, now) for target in self._connected.keys() - self._kept}
        for target in [target for target, since in self._unused.items() if now - since >= UNUSED]:
            self._connected.pop(target).close()
            del self._unused[target]
            logger.info("Closed the connection to AWS in %s, because no resource uses it", target.region)

    async def _keep_trying(self, target: Target) -> None:
        while True:
            try:
                await self.connect(target)
            except Exception:  # recorded and reported
                failure = self._failures.get(target)
                pause = max(0.0, failure.retry_at - monotonic()) if failure is not None else _SHORTEST_PAUSE
                await asyncio.sleep(pause)
            else:
                del self._keepers[target]
                return

    def _record_failure(self, target: Target, error: Exception) -> None:
        before = self._failures.get(target)
        count = before.count + 1 if before is not None else 1
        pause = backoff.exponential(count - 1, _SHORTEST_PAUSE, _LONGEST_PAUSE)
        message = message_of_failure(understand_any(error), Subject(region=target.region))
        self._failures[target] = _Failure(bare(error), message, count, monotonic() + pause)
        if self._reports.admit(target, message):
            logger.error("%s", message)
        if count == 1 and self.listener is not None:
            self.listener.connection_failed(target)
