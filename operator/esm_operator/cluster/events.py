"""Kubernetes Events: what happened, for ``kubectl describe``.

Posted beside the work, never waited for: an Event that can't be posted is a line in the log. The same
Event is not repeated for one incarnation of a resource within ten minutes.
"""

import asyncio
import logging
import time

from esm_operator.clock import moment
from esm_operator.cluster.kube import Kubernetes
from esm_operator.cluster.resource import Resource
from esm_operator.leading.fence import NotLeadingError
from esm_operator.telling.reasons import EventReason

logger = logging.getLogger(__name__)

#: Seconds for which an Event is not repeated.
QUIET = 600.0
_MOST_KEPT = 10_000


class Events:
    """Posts Events about resources."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._posted: dict[tuple[str, str, str], float] = {}
        self._tidied = -QUIET
        self._tasks: set[asyncio.Task[None]] = set()

    def normal(self, resource: Resource, reason: EventReason, message: str) -> None:
        """Something went as it should."""
        self._post(resource, "Normal", reason, message)

    def warning(self, resource: Resource, reason: EventReason, message: str, quiet: float = QUIET) -> None:
        """Something a person should know of.

        Args:
            resource: what it is about.
            reason: one that the troubleshooting page explains.
            message: a sentence.
            quiet: seconds for which it is not repeated.
        """
        self._post(resource, "Warning", reason, message, quiet)

    async def settle(self, within: float) -> None:
        """Wait for what is being posted.

        Args:
            within: seconds after which it is waited for no longer.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)

    def _post(self, resource: Resource, kind: str, reason: str, message: str, quiet: float = QUIET) -> None:
        now = time.monotonic()
        mark = (resource.uid, reason, message)
        if now - self._posted.get(mark, -QUIET) < quiet:
            return
        if len(self._posted) >= _MOST_KEPT and now - self._tidied > QUIET / 10:
            self._tidied = now
            self._posted = {one: at for one, at in self._posted.items() if now - at < QUIET}
        self._posted[mark] = now
        task = asyncio.create_task(self._send(resource, kind, reason, message), name="event")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, resource: Resource, kind: str, reason: str, message: str) -> None:
        try:
            await self._kubernetes.event(resource, kind, reason, message, moment())
        except NotLeadingError:
            logger.debug("The Event %s of %s was not posted: another operator leads now", reason, resource.key)
        except Exception as error:  # an Event is never worth more than a line in the log
            logger.warning("The Event %s of %s could not be posted: %s", reason, resource.key, error)
