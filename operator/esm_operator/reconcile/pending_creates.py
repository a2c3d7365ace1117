"""Pending creates: CreateEventSourceMapping requests whose outcome is unknown. AWS may still carry them out.

An answer was lost, or an earlier process sent the request and was killed. Until the outcome is known, the absence of a
mapping proves nothing: the resource must not be released, and its intent must not name another identity. The outcome is
known after a list that began well after the request.

- The same Create may be sent again, because AWS refuses a second mapping of the same identity. That settles nothing:
  once the mapping that it made is deleted, the first request may make another.
- A sweep settles a pending create too, but proves no absence, because its pages shift while mappings come and go.
  Before anything follows from an absence, the function's own list is read, which is one page.

Each resource has one of these in its :class:`~esm_operator.reconcile.state.ResourceState`.
"""

from dataclasses import dataclass

from esm_operator.aws.client import MappingsClient
from esm_operator.clock import monotonic

#: Seconds after which AWS does not carry out a request any more whose sender has given up or died.
SETTLE = 8.0
#: Seconds by which the clocks of two machines may differ.
CLOCKS_DIFFER = 5.0


@dataclass(slots=True)
class _Pending:
    function: str
    settles: float
    listed: bool
    settled: bool = False
    """Whether AWS makes nothing more for it. It stays until a list of the function has shown what AWS made."""


class PendingCreates:
    """The pending creates of one resource. For one event loop. Functions are named as in the mapping's identity."""

    __slots__ = ("_pending", "may_have_made")

    def __init__(self) -> None:
        self._pending: _Pending | None = None
        self.may_have_made = False
        """Whether a Create whose answer this process has not seen may have made a mapping for the resource."""

    def unanswered(self, function: str) -> None:
        """Record that a Create had no clear answer."""
        self.may_have_made = True
        self._pending = _Pending(function, monotonic() + SETTLE, listed=False)

    def inherited(self, function: str, settles: float, *, alive: bool, waited: float = 0.0) -> None:
        """Record that another process was about to send a Create, and did not record its outcome.

        Args:
            function: of the mapping.
            settles: monotonic time, in seconds, from which AWS does not carry it out any more.
            alive: whether that process may have lived a moment ago; else it had ended when this one began.
            waited: seconds since it recorded that it sends no Create any more, by the clocks of two machines.
        """
        self.may_have_made = True
        if not self.unsettled:
            if waited:
                settles = min(settles, monotonic() + max(0.0, SETTLE + CLOCKS_DIFFER - waited))
            self._pending = _Pending(function, settles, listed=not alive)

    @property
    def unsettled(self) -> bool:
        """Whether AWS may still carry out a Create."""
        return self._pending is not None and not self._pending.settled

    @property
    def unsearched(self) -> bool:
        """Whether no list of the function has shown yet what AWS made."""
        return self._pending is not None

    def left(self) -> float:
        """Seconds until the outcome can be known."""
        return max(0.0, self._pending.settles - monotonic()) if self._pending is not None else 0.0

    async def settle(self, client: MappingsClient) -> bool:
        """List the mappings of the function where that can show something new. Raises what AWS refuses.

        Returns:
            whether AWS may still carry out a Create.
        """
        pending = self._pending
        if pending is None or pending.settled:
            return False
        now = monotonic()
        if client.inventory.swept_from < pending.settles and (now >= pending.settles or not pending.listed):
            await client.find(pending.function)
            pending.listed = True
            if now >= pending.settles:
                self._pending = None
                return False
        pending.settled = max(now, client.inventory.swept_from) >= pending.settles
        return not pending.settled

    async def search(self, client: MappingsClient) -> None:
        """Read the list of the function. Called once AWS makes nothing more, so the list shows all that was made."""
        if self._pending is not None:
            await client.find(self._pending.function)
            self._pending = None

    def answered(self) -> None:
        """Record that a Create has made the mapping. If AWS makes nothing more, there is no second one."""
        if self._pending is not None and self._pending.settled:
            self._pending = None
